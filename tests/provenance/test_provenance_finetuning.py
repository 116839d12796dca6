"""The line of a job of type finetuning: what it names holds, what it names nowhere is unverified."""

import pytest

from scripts import render, state
from scripts.provenance import shown
from scripts.provenance.line import DIFFERS, OK, UNVERIFIED
from scripts.values.read import load
from tests.provenance.conftest import Project, git

VALUES = """
azure: {workspace: demo-workspace}
job: {kind: finetuning}
model: {name: Phi-3-mini-4k-instruct, version: '15'}
preflight: {retired_model: accept}
dataset: {source: scripts/catalog/demo, name: azureml-chat, label: azureml, percent: 100, splits: {heldout: null}}
deployment: {rollout: {watch_minutes: 0, questions: 1}}
"""


@pytest.fixture(scope="module")
def tuned(inside, tmp_path_factory):
    """A project whose job of type finetuning has run, and whose model answers."""
    made = Project(tmp_path_factory.mktemp("clone"), inside, VALUES)
    made.chain()
    return made


def links(project):
    return {link.what: link for link in project.line().links}


def test_model_and_parameters_are_followed(tuned):
    line = tuned.line()
    found = {link.what: link.status for link in line.links}
    text = shown.text(line)
    assert (found["parameters"], found["data version"], found["component"]) == (OK, UNVERIFIED, UNVERIFIED), text
    assert sum(what.startswith("data azureml-chat-") for what in found) == 2
    assert line.job.base.endswith("/models/Phi-3-mini-4k-instruct/versions/15")
    assert all(
        said in " ".join(text.split()) for said in ("a job of type finetuning names none", "the job took no test data")
    )
    assert max(map(len, text.splitlines())) <= 80


def test_another_parameter_than_the_yamls_is_named(tuned):
    name = state.kept(tuned.run.folder, "job")
    of_job = tuned.client.jobs.get(name)
    own = tuned.root / "environments/demo.yaml"
    before = own.read_text()
    own.write_text(f"{before}finetune: {{learning_rate: 0.5}}\n")
    render.write(render.render(load("demo", root=tuned.root), tuned.root), "demo", tuned.root)
    git(tuned.root, "commit", "-qam", "other")
    of_job.tags["commit"] = git(tuned.root, "rev-parse", "HEAD")
    tuned.client.jobs.create_or_update(of_job)
    link = links(tuned)["parameters"]
    assert link.status == DIFFERS and "1 are not as the YAML says: learning_rate" in link.sentence
