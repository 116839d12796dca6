"""The job of type finetuning in the chain: its data are bound, and the model that the service registered is the one."""

import pytest

from scripts import render, state
from scripts.chain import job, model
from scripts.rehearse import record

KIND = ("job.kind=finetuning", "dataset.splits.heldout=null", "model.huggingface_id=null",
        "model.finetune_config=null", 'model.version="15"', "model.name=Phi-3-mini-4k-instruct")  # fmt: skip
NAME = "Phi-3-mini-4k-instruct-azureml-chat"
OWN = "azureml://subscriptions/s/…/datastores/workspaceblobstore/paths/azureml/ft-1/registered_model/"


@pytest.fixture
def trained(world):
    """A run of the other kind whose job has completed."""
    world.run = world.with_values(*KIND)
    render.write(render.render(world.run.values, data_version=""), "demo", world.root)
    state.write(world.folder, "job", "ft-1")
    state.write(world.folder, "status", "Completed")
    return world


def has_models(world, *models):
    content = world.get()
    content["models"] = [{"version": str(number), "tags": {}, **each} for number, each in enumerate(models, 1)]
    world.put(content)


def sets_of(world):
    """What the only `model create` sets, but for the tags that say where it comes from."""
    (words,) = world.words("model create")
    return {key: value for key, value in _sets(words).items() if not key.startswith("tags.") or key == "tags.job"}


def _sets(words):
    return dict(word.split("=", 1) for word in words if "=" in word)


def test_its_data_are_bound_where_it_has_them(trained):
    state.write(trained.folder, "data-version", "abc")
    trained.prepared("abc")
    job.submit(trained.run)
    bound = _sets(trained.words("job create")[0])
    assert {key: value for key, value in bound.items() if not key.startswith("tags.")} == {
        "training_data.path": "azureml:azureml-chat-train:abc",
        "validation_data.path": "azureml:azureml-chat-validation:abc",
    }


@pytest.mark.parametrize(
    "made",
    [{"path": OWN, "job_name": "ft-1"}, {"path": "azureml://x/y", "job_name": "ft-1"}, {"path": OWN}],
    ids=["both", "job_name", "path"],
)
def test_what_the_service_registered_gets_the_tags_and_no_second_version(trained, made):
    has_models(trained, {"path": OWN.replace("ft-1", "ft-0"), "job_name": "ft-0"}, made)
    model.register(trained.run)
    assert sets_of(trained) == {"path": made["path"], "tags.job": "ft-1", "version": "2"}
    assert state.model_version(trained.folder, "demo") == ("2", "ft-1")
    model.register(trained.run)
    assert len(trained.words("model create")) == 1


def test_where_the_service_registered_none_it_is_registered_from_the_output(trained):
    has_models(trained, {"path": OWN.replace("ft-1", "ft-0"), "job_name": "ft-0"})
    model.register(trained.run)
    assert sets_of(trained) == {"path": "azureml://jobs/ft-1/outputs/registered_model", "tags.job": "ft-1"}
    assert state.model_version(trained.folder, "demo") == ("2", "ft-1")


def test_of_a_pipeline_no_version_without_the_tag_is_taken(world):
    state.write(world.folder, "job", "ft-1")
    state.write(world.folder, "status", "Completed")
    has_models(world, {"path": OWN, "job_name": "ft-1"})
    model.register(world.run)
    assert sets_of(world) == {"path": "azureml://jobs/ft-1/outputs/trained_model", "tags.job": "ft-1"}


@pytest.mark.parametrize(("ran", "output"), [("pipeline", "trained_model"), ("finetuning", "registered_model")])
def test_the_job_that_ran_decides_not_the_yaml_of_today(world, trained, ran, output):
    if ran == "finetuning":
        render.write(render.render(world.with_values().values, data_version=""), "demo", world.root)
    world.thing("job/ft-1", "Completed", type=ran)
    has_models(world)
    model.register(world.run)
    assert sets_of(world)["path"] == f"azureml://jobs/ft-1/outputs/{output}"


VALUES = """
model: {name: Phi-3-mini-4k-instruct, version: '15'}
preflight: {retired_model: accept}
dataset: {source: scripts/catalog/demo, percent: 100, splits: {heldout: null}}
evaluation: {weights: false, cases: 4, loss_cases: 4}
request: {max_new_tokens: 8}
job: {kind: finetuning}
"""


@pytest.mark.long
def test_an_environment_of_it_is_made_and_rehearsed(fast):
    fast.make("new", "ENV=tunes", "FROM=reference", "SET=")
    own = fast.project / "environments" / "tunes.yaml"
    own.write_text(own.read_text().partition("\ndataset:")[0] + VALUES)
    fast.make("render", "ENV=tunes", "SET=")
    assert "no faults" in fast.make("validate", "ENV=tunes", "SET=")
    shown = fast.make("rehearse", "ENV=tunes", "SET=")
    told = record.read(fast.project / ".runs/tunes/rehearsal", "tunes")
    assert told.outcome == "passed" and [step.code for step in told.steps] == [0] * 8, shown
    log = (fast.project / ".runs/tunes/rehearsal/log.txt").read_text()
    assert "is what the service registered of job" in " ".join(log.split())
