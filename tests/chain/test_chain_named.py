"""What the committed YAML names is what runs: nothing is bound over it but what was asked for, or only stands in."""

import pytest

from scripts import state
from scripts.chain import job, model
from scripts.errors import INVALID, MISSING
from scripts.files import write
from scripts.rollout import rolling
from scripts.values import data_facts
from tests.chain.world import Answers, refused

FALLBACK = {"asked": "a/b", "took": "c", "because": "d"}
NAMED = data_facts.read("demo").version
ASSET = {"data__azureml-chat-train": {"version": NAMED}}


@pytest.fixture
def naming(world):
    """A run whose rendered job names its data, as in a clone: nothing is prepared, and there is no state."""
    world.render(data_version=None)
    return world


def sets(world):
    """What was bound when the job was submitted."""
    (words,) = world.words("job create")
    return [word for word in words if word.startswith("inputs.")]


def test_a_clone_trains_on_what_is_named_where_the_workspace_has_it(naming):
    code, said = refused(job.submit, naming.run)
    assert code == MISSING and naming.calls() == []
    assert said == (
        f"pipelines/demo/finetune.yml: names data asset azureml-chat-train:{NAMED}, which the workspace does not have; "
        "make data ENV=demo prepares and registers it"
    )
    naming.has(**ASSET)
    for _ in range(2):
        job.submit(naming.run)
    assert naming.calls() == ["job create"] and sets(naming) == []
    assert state.kept(naming.folder, "data-version") == NAMED


def test_what_was_prepared_as_it_is_named_is_bound_no_more(naming):
    naming.prepared(NAMED)
    state.write(naming.folder, "data-version", NAMED)
    job.submit(naming.run)
    assert sets(naming) == []


@pytest.mark.parametrize("kept", ["abc", NAMED, ""])
def test_data_that_were_not_reviewed_are_refused(naming, kept):
    naming.has(**ASSET)
    naming.prepared("abc")
    if kept:
        state.write(naming.folder, "data-version", kept)
    code, said = refused(job.submit, naming.run)
    assert code == INVALID and naming.calls() == []
    assert f"names data version {NAMED}, and data/demo holds abc, which was not reviewed; make data ENV=demo" in said


@pytest.mark.parametrize(("fallback", "asked"), [(FALLBACK, False), (None, True)])
def test_what_stands_in_or_is_asked_for_is_bound_aloud(naming, capsys, fallback, asked):
    naming.prepared("abc", fallback)
    state.write(naming.folder, "data-version", "abc")
    job.submit(naming.run, other_data=asked)
    assert sets(naming)[0] == "inputs.train_file_path.path=azureml:azureml-chat-train:abc"
    assert f"names data version {NAMED}; the job trains on abc" in " ".join(capsys.readouterr().out.split())


def test_what_another_backends_rehearsal_left_is_no_stand_in(naming):
    """data/<env> is shared, the state is each backend's own: what is paid for trains on what was reviewed."""
    naming.has(**ASSET)
    naming.prepared("abc", FALLBACK)
    state.write(naming.folder, "data-version", NAMED)
    job.submit(naming.run)
    assert sets(naming) == []


def promoted(world, version, evaluation="0123456789ab"):
    """Commits a promotion, and renders it."""
    write(world.root / "environments" / "demo.lock.yaml", f"""promoted:
  model: SmolLM2-135M-Instruct-azureml-chat
  version: '{version}'
  job: demo-1
  evaluation: {evaluation}
  data_version: abc
""")  # fmt: skip
    path = world.root / "endpoints" / "demo" / "deployment.yml"
    write(path, f"{path.read_text()}\nmodel: azureml:SmolLM2-135M-Instruct-azureml-chat:{version}\n")


def deployed(world):
    """Which version was bound, an empty list where the YAML's own was taken."""
    rolling.deploy(world.run, Answers())
    (words,) = world.words("online-deployment create")
    return [word.rpartition(":")[2] for word in words if word.startswith("model=")]


def holds(world, *versions):
    """Has the workspace hold versions, each with the evaluation of its tag."""
    models = [{"version": number, "tags": {"job": f"demo-{number}", "promoted": by}} for number, by in versions]
    world.put({**world.get(), "models": models})


def test_the_promoted_version_is_deployed_whatever_the_state_says(registered, capsys):
    holds(registered, ("1", ""), ("7", "x"))
    promoted(registered, 7)
    assert deployed(registered) == []
    said = " ".join(capsys.readouterr().out.split())
    assert "names model SmolLM2-135M-Instruct-azureml-chat:7, which is deployed; version 1 of the state is not" in said
    assert "deployment demo: SmolLM2-135M-Instruct-azureml-chat:7" in said


def test_a_promoted_version_needs_no_state(registered):
    holds(registered, ("7", "x"))
    promoted(registered, 7)
    (registered.folder / "model-version").unlink()
    assert deployed(registered) == []


def test_a_promoted_version_that_is_not_there_is_refused(registered):
    promoted(registered, 7)
    code, said = refused(rolling.deploy, registered.run, Answers())
    assert code == MISSING and registered.calls() == []
    assert "names model SmolLM2-135M-Instruct-azureml-chat:7, which the workspace does not have; make promote" in said


@pytest.mark.parametrize(("held", "bound"), [
    ((("1", ""),), ["1"]),  # a rehearsal's workspace counts from 1
    ((("1", ""), ("7", "another")), ["1"]),
    ((("1", ""), ("7", "0123456789ab")), []),  # promoted here
])  # fmt: skip
def test_a_rehearsal_stands_in_for_what_was_promoted_elsewhere(registered, capsys, held, bound):
    holds(registered, *held)
    promoted(registered, 7)
    object.__setattr__(registered.run, "stand_in", True)
    assert deployed(registered) == bound
    assert ("stands in for it" in capsys.readouterr().out) == bool(bound)


def test_without_a_promotion_the_states_version_is_bound(registered):
    assert model.named(registered.run) == "" and deployed(registered) == ["1"]
