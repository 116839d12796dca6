"""An approved plan: what it refuses, what it goes on with, and what a plan says of what is not this project's."""

import io
import json
import sys

import pytest

from scripts.errors import FAILED, MISSING, UserError
from scripts.plan import __main__ as command
from scripts.plan import approved, resource
from tests.plan.conftest import TEMPLATES


def refused(do, *arguments, **more):
    with pytest.raises(UserError) as caught:
        do(*arguments, **more)
    return caught.value.code, str(caught.value)


def saved(made, path):
    return command.plan(made.run, made.client, save=path)


def test_an_approved_plan_is_done_as_it_is_and_goes_on_after_a_failure(project, tmp_path):
    made, path = project(), tmp_path / "plan.json"
    assert saved(made, path) == command.CHANGES
    assert path.stat().st_mode & 0o777 == 0o600
    targets, failing = made.targets, ["deploy"]
    made.targets = lambda *names: 3 if failing and names[0] in failing else targets(*names)
    assert made.apply(wanted=path) == 3  # up to a step that fails, whose code it has
    failing.clear()
    assert made.apply(wanted=path) == 0 and made.todo() == []
    assert made.apply(wanted=path) == 0 and made.called == []


def amended(made, **keys):
    """Somebody changes the endpoint in the workspace."""
    found = made.client.online_endpoints.get(made.world()[resource.ENDPOINT].name)
    for key, value in keys.items():
        setattr(found, key, value)
    made.client.online_endpoints.begin_create_or_update(found).result()


def test_it_is_refused_when_yaml_or_world_have_moved(project, tmp_path):
    made, path = project(), tmp_path / "plan.json"
    assert made.apply() == 0
    old = made.edit("pipelines", "compute.yml", max_instances=2)
    made.edit("endpoints", "endpoint.yml", description="new words")
    assert saved(made, path) == command.CHANGES
    amended(made, tags={"environment": "other"})
    code, said = refused(made.apply, wanted=path)
    assert code == FAILED and "tags.environment was demo, the plan wants demo, and it is other now" in said
    assert said.endswith("nothing was done, and make plan ENV=demo SAVE=<file> makes a plan of today")
    amended(made, tags={"environment": "demo"})
    made.edit("pipelines", "compute.yml", max_instances=3)
    assert "pipelines/demo/ or endpoints/demo/ was changed since" in refused(made.apply, wanted=path)[1]
    made.edit("pipelines", "compute.yml", max_instances=2)
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "workspace": "s/g/another"}))
    assert "is a plan of demo in workspace s/g/another, not in" in refused(made.apply, wanted=path)[1]
    path.write_text(json.dumps(content))
    assert made.called == []
    made.client.compute.begin_delete("gpu-cluster").result()
    assert "cluster gpu-cluster was there when the plan was approved" in refused(made.apply, wanted=path)[1]
    assert made.todo() and old == {"max_instances": 1}


def test_another_attempt_at_a_job_is_another_plan(project, tmp_path):
    made, path = project(), tmp_path / "plan.json"
    assert saved(made, path) == command.CHANGES
    job = made.world()[resource.JOB].name
    made.edit("pipelines", "finetune.yml", jobs__chat_completion__inputs__seed=2)  # which the tests' engine fails at
    path_of_another = tmp_path / "failing.json"
    assert saved(made, path_of_another) == command.CHANGES
    with pytest.raises(UserError, match="is Failed, not Completed"):
        made.apply(wanted=path_of_another)
    said = refused(made.apply, wanted=path_of_another)[1]
    assert "-2 is none of the approved plan, and the plan of today says create to it" in said and job not in said


def test_the_gates_stand_before_what_is_billed_and_before_what_is_deleted(project):
    made = project()
    targets = made.targets
    made.targets = lambda *names: 1 if names[0] in ("gate", "may-deploy") else targets(*names)
    assert made.apply() == 1 and not list(made.client.compute.list())
    made.targets = targets
    assert made.apply() == 0
    made.targets = lambda *names: 1 if names[0] in ("gate", "may-deploy") else targets(*names)
    on, old = made.world()[resource.ENDPOINT].name, made.edit("endpoints", "endpoint.yml", auth_mode="aad_token")
    assert made.apply() == 1 and made.client.online_endpoints.get(on).auth_mode == old["auth_mode"]


class Terminal(io.StringIO):
    """A person who answers."""

    def isatty(self):
        return True


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("\n", FAILED), ("no\n", FAILED), ("", FAILED)])
def test_a_person_is_asked(project, monkeypatch, capfd, answer, code):
    made = project()
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    monkeypatch.setattr(command.Applying, "apply", lambda self, world: None)
    monkeypatch.setattr(command, "is_empty", lambda found, left=[False, True]: left.pop(0))
    assert made.apply(yes=False) == code
    shown = capfd.readouterr().out
    assert "Do this? (y/N) " in shown and ("nothing was done" in shown) == (code == FAILED)


def test_what_nobody_has_seen_is_not_approved(project, tmp_path):
    made = project()
    (made.root / "data" / "demo" / "manifest.json").unlink()
    code, said = refused(saved, made, tmp_path / "plan.json")
    assert code == MISSING and "make data ENV=demo has prepared the data" in said
    assert not (tmp_path / "plan.json").exists()
    assert refused(approved.read, tmp_path / "none.json")[0] == MISSING


def second(made, name, **tags):
    """Somebody deploys beside the YAML's deployment."""
    found = next(iter(made.client.online_deployments.list(made.world()[resource.ENDPOINT].name)))
    found.name, found.tags = name, tags
    made.client.online_deployments.begin_create_or_update(found).result()


def test_deployments_of_others_are_left_alone_and_ones_own_old_ones_deleted(project, capfd):
    made = project()
    assert made.apply() == 0
    second(made, "canary")
    amended(made, traffic={"demo": 90, "canary": 10})
    assert made.todo() == [("change", f"endpoint {made.world()[resource.ENDPOINT].name}", ["traffic"])]
    made.edit("endpoints", "deployment.yml", name="blue")
    assert {(action, title) for action, title, fields in made.todo() if not fields} == {
        ("create", "deployment blue"), ("delete", "deployment demo"),
    }  # fmt: skip
    capfd.readouterr()
    assert made.apply() == 0 and made.todo() == []
    shown = capfd.readouterr().out
    assert "\nleft alone  deployment canary\n" in shown and "no YAML names it; made by" in shown
    assert "Plan: 1 to create, 1 to change, 1 to delete, 6 unchanged\n" in shown
    on = made.client.online_endpoints.get(made.world()[resource.ENDPOINT].name)
    assert on.traffic == {"blue": 100, "canary": 0}
    made.edit("endpoints", "endpoint.yml", auth_mode="aad_token")
    code, said = refused(made.apply)
    assert code == FAILED and "cannot be replaced: deployment canary is on it" in said
    assert made.client.online_deployments.get("canary", on.name)


def test_drift_is_what_was_made_and_is_otherwise_now(project, capfd):
    made = project(*TEMPLATES["demo"])
    assert made.apply() == 0
    capfd.readouterr()
    assert command.drift(made.run, made.client) == 0
    assert capfd.readouterr().out == "No drift of demo\n"
    made.edit("pipelines", "finetune.yml", description="another job, that was never made")
    assert command.drift(made.run, made.client) == 0
    amended(made, description="by hand")
    made.client.compute.begin_delete("gpu-cluster").result()
    capfd.readouterr()
    assert command.drift(made.run, made.client, "json") == command.CHANGES
    found = json.loads(capfd.readouterr().out)
    assert [(each["action"], each["kind"]) for each in found["resources"]] == [
        ("create", "cluster"), ("change", "endpoint"),
    ]  # fmt: skip
    assert found["drift"] == 2


def test_make_is_called_for_the_environment_that_is_applied(project, monkeypatch):
    made = project("prod", ("tags.team='a b'",))
    monkeypatch.delenv("AZUREML_CHAIN_CALL", raising=False)
    assert command._make(made.run) == ["make", "ENV=prod", "SET='tags.team='\"'\"'a b'\"'\"''"]
