"""The line of a chain that ran on the local Azure ML: it holds, and each link that is tampered with is named."""

import contextlib
import json
import os
import shutil

import pytest
import yaml

from scripts import promote, state
from scripts.azure import lock_file
from scripts.chain import tags
from scripts.evaluate import evaluation, model_version
from scripts.local.core.home import Home
from scripts.provenance import __main__ as command
from scripts.provenance import shown, tagged
from scripts.provenance.line import DIFFERS, MISSING, OK, UNVERIFIED, Line
from scripts.provenance.tree import Trees
from tests.evaluate.test_evaluate_evaluation import made
from tests.provenance.conftest import git

MODEL = "SmolLM2-135M-Instruct-azureml-chat"


def changed(project, kind, change):
    """Changes the tags of a resource in the workspace, and returns what they were."""
    client, run = project.client, project.run
    on = run.name("endpoints", "endpoint.yml")
    get, send = {
        "endpoint": (lambda: client.online_endpoints.get(on),
                     lambda each: client.online_endpoints.begin_create_or_update(each).result()),
        "deployment": (lambda: client.online_deployments.get("demo", on),
                       lambda each: client.online_deployments.begin_create_or_update(each).result()),
        "model": (lambda: client.models.get(MODEL, "1"), client.models.create_or_update),
        "job": (lambda: client.jobs.get(state.kept(run.folder, "job")), client.jobs.create_or_update),
    }[kind]  # fmt: skip
    entity = get()
    before = dict(entity.tags)
    entity.tags = change(before)
    send(entity)
    return before


@contextlib.contextmanager
def tampered(project, kind, change):
    before = changed(project, kind, change)
    try:
        yield
    finally:
        changed(project, kind, lambda _: before)


@contextlib.contextmanager
def edited(path, change):
    """Changes a file's bytes as long as the context lasts."""
    before = path.read_bytes()
    status = path.stat()
    path.write_bytes(change(before))
    try:
        yield
    finally:
        path.write_bytes(before)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # the emulator's ETag is made of it


def stored(project, name):
    """The file of a blob on the emulator's disk."""
    (path,) = Home(project.emulated.home).blobs.rglob(name)
    return path


def test_what_nobody_touched_holds(project):
    line = project.line()
    assert line.holds and project.wrong() == {}, shown.text(line)
    counts = line.counts
    assert (counts[OK], counts[UNVERIFIED]) == (17, 2)  # it was neither evaluated nor promoted
    text = shown.text(line)
    assert max(map(len, text.splitlines())) <= 80
    assert text.splitlines()[-1] == "Provenance: 17 of 19 links hold, 2 unverified"
    assert json.loads(shown.as_json(line))["counts"] == counts
    assert project.line("1").links == line.links


def test_without_an_endpoint_it_begins_at_the_model(project):
    whole = project.line()
    name = project.run.name("endpoints", "endpoint.yml").encode()
    with edited(project.root / "endpoints/demo/endpoint.yml", lambda before: before.replace(name, b"not-there")):
        line = project.line()
        assert line.links == whole.links[2:] and not line.endpoint
    (link,) = [link for link in project.line("2").links if link.status == MISSING]  # one that nobody registered
    assert link.what == f"model {MODEL}:2"


@pytest.mark.parametrize("kind", ["endpoint", "deployment", "model", "job"])
def test_tags_that_were_changed_or_deleted_in_the_workspace(project, kind):
    named = {"endpoint": f"endpoint {project.run.name('endpoints', 'endpoint.yml')}", "deployment": "deployment demo",
             "model": f"model {MODEL}:1", "job": f"job {state.kept(project.run.folder, 'job')}"}[kind]  # fmt: skip
    own = [*tags.NAMES, *([tags.FILES] if kind == "model" else [])]
    other = dict.fromkeys((*own, "environment"), "0")
    with tampered(project, kind, lambda found: {name: text + other.get(name, "") for name, text in found.items()}):
        wrong = project.wrong()
        assert {f"{named}: tag {name}" for name in (*own, "environment")} - {f"{named}: tag job"} <= set(wrong)
        assert f"{named}: tag job" in wrong or kind == "model"  # whose job is the one that its tag names
    with tampered(project, kind, lambda found: {"environment": "demo", state.JOB_TAG: found[state.JOB_TAG]}):
        assert project.wrong()[named] == MISSING
    assert project.wrong() == {}


@pytest.mark.parametrize("name", [*tags.NAMES, tags.SEAL, "environment"])
@pytest.mark.parametrize("kind", ["endpoint", "deployment", "model", "job"])
def test_one_tag_alone_is_named(project, kind, name):
    """Each tag of each kind, changed to what another run could have, and deleted."""
    beside = {"environment": "demo"}
    with contextlib.closing(Trees(project.root, project.run.values)) as trees:
        found = {**beside, **tags.of(project.run, job="j", data="d")}
        for change in ({**found, name: "other"}, {key: text for key, text in found.items() if key != name}):
            line = Line("demo", "w")
            tagged.look(line, trees, f"{kind} x", change, beside, "said")
            assert (f"{kind} x: tag {name}", DIFFERS) in [(link.what, link.status) for link in line.links]
            others = {link.what for link in line.links} - {f"{kind} x: tag {name}"}
            assert not others


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_data_file_that_was_changed_in_the_store(project, split):
    with edited(stored(project, f"{split}.jsonl"), lambda before: before.replace(b'"q"', b'"Q"', 1)):
        version = state.kept(project.run.folder, "data-version")
        assert project.wrong() == {f"data azureml-chat-{split}:{version}": DIFFERS, "data version": DIFFERS}


def test_model_files_that_were_changed_added_or_deleted_in_the_store(project):
    weights = stored(project, "weights.json")
    for change in (lambda before: before + b" ", lambda before: before[::-1]):
        with edited(weights, change):
            assert project.wrong() == {"model files": DIFFERS}
    extra = weights.with_name("extra.bin")
    extra.write_bytes(b"1")
    assert "model files" in project.wrong()
    extra.unlink()
    moved = weights.with_name("moved.json")
    weights.rename(moved)
    assert "model files" in project.wrong()
    moved.rename(weights)
    with edited(weights, lambda before: before):  # the same bytes, written again
        assert project.wrong() == {"model files": DIFFERS}
    assert project.wrong() == {}


def test_a_job_that_ran_otherwise_than_its_yaml(project):
    """As one that was submitted by hand, with the tags of another."""
    file = project.root / "pipelines/demo/finetune.yml"
    with edited(file, lambda before: before.replace(b"max_steps: 156", b"max_steps: 9").replace(b"0.0.82", b"0.0.81")):
        git(project.root, "commit", "-qam", "other")
        head = git(project.root, "rev-parse", "HEAD")
        told = {**tags.of(project.run, job=state.kept(project.run.folder, "job")), "environment": "demo"}
        assert told["commit"] == head
        told["data"] = state.kept(project.run.folder, "data-version")
        told[tags.SEAL] = tags.seal(told)
        with tampered(project, "job", lambda _: told):
            assert project.wrong() == {"component": DIFFERS, "parameters": DIFFERS}
    git(project.root, "reset", "-q", "--hard", "HEAD~1")
    assert project.wrong() == {}


@pytest.mark.parametrize("name, change, wrong", [
    ("values.yaml", lambda text: text + b"# no value\n", set()),
    ("values.yaml", lambda text: text.replace(b"tags: {}", b"tags: {team: a}"), {"values"}),
    ("environments/demo.yaml", lambda text: text.replace(b"lora_r: 16", b"lora_r: 8"), {"values"}),
    ("environments/demo.lock.yaml", lambda text: text + b"x", {"lock"}),
    ("pipelines/demo/finetune.yml", lambda text: text + b"# x\n", {"YAML"}),
    ("endpoints/demo/endpoint.yml", lambda text: text + b"# x\n", {"YAML"}),
    ("environments/demo.data.yaml", lambda text: text.replace(b"rows: 5", b"rows: 6"), {"data facts"}),
    ("environments/demo.data.yaml", lambda text: text.replace(b"revision: main", b"revision: old"), {"data source"}),
    ("environments/demo.data.yaml", lambda text: text.replace(b"settings: ", b"settings: aa")[:-2], {"data facts"}),
])  # fmt: skip
def test_files_that_were_changed_where_no_commit_keeps_them(project, name, change, wrong):
    """Of a project without git the files that lie here are what there is to compare with."""
    hidden, path = project.root / ".git", project.root / name
    before = {kind: changed(project, kind, lambda found: _without_commit(found)) for kind in ("job", "model")}
    hidden.rename(hidden.with_name("git"))
    is_new = not path.exists()
    try:
        path.touch()
        with edited(path, change):
            line = project.line()
            found = {link.what for link in line.links if link.status == DIFFERS}
            serves = ("endpoint", "deployment", "model")
            assert {each for each in found if not each.startswith(serves)} == wrong, shown.text(line)
    finally:
        if is_new:
            path.unlink()
        hidden.with_name("git").rename(hidden)
        for kind, found in before.items():
            changed(project, kind, lambda _, found=found: found)


def _without_commit(found):
    told = {**found, "commit": "none", "tree": "none"}
    return {**told, tags.SEAL: tags.seal(told)}


def test_a_tree_with_changes_is_said_and_what_no_commit_has_is_missing(project):
    values = project.root / "environments/demo.yaml"
    with edited(values, lambda before: before + b"tags: {team: a}\n"):
        told = {**tags.of(project.run), "commit": git(project.root, "rev-parse", "HEAD"), "tree": "dirty"}
        told |= {"values": "sha256:0123456789abcdef", "environment": "demo"}
        told = {name: text for name, text in told.items() if name not in ("data", state.JOB_TAG)}
        with tampered(project, "job", lambda found: _sealed({**found, **told})):
            line = project.line()
            (link,) = [each for each in line.links if each.status == MISSING]
            assert link.what == "values" and "no commit has it" in link.sentence
            assert "with changes, by someone@example.org" in shown.text(line).replace("\n" + " " * 16, " ")


def _sealed(told):
    return {**told, tags.SEAL: tags.seal(told)}


def test_a_commit_that_this_clone_does_not_have_is_no_fault(project):
    with tampered(project, "job", lambda found: _sealed({**found, "commit": "0" * 40})):
        line = project.line()
        assert line.holds
        unknown = {link.what for link in line.links if link.status == UNVERIFIED}
        assert {"YAML", "values", "lock", "component", "base model", "data facts"} <= unknown


def test_an_evaluation_and_a_promotion_that_do_not_fit(project):
    entity = project.client.models.get(MODEL, "1")
    known = model_version.of(entity, MODEL, "1")
    folder = project.root / "runs" / known.folder.name
    folder.mkdir(parents=True)
    mine = made(model=MODEL, version="1")
    evaluation.write(mine, folder)
    lock = lock_file.lock_path("demo", project.root)
    promoted = {"model": MODEL, "version": "1", "job": known.job, "evaluation": mine.hash, "data_version": "d",
                "measures": {}}  # fmt: skip
    try:
        with tampered(project, "model", lambda found: {**found, **promote.tags(mine)}):
            line = project.line()
            assert line.holds and line.evaluation == mine
            with edited(folder / evaluation.FILE, lambda text: text.replace(b'"asked": 1', b'"asked": 2')):
                assert project.wrong() == {"evaluation": DIFFERS}
        for name, text in promote.tags(mine).items():
            if name != promote.TAG:
                told = {**promote.tags(mine), name: f"{text}0"}
                with tampered(project, "model", lambda found, told=told: {**found, **told}):
                    assert project.wrong() == {f"evaluation: tag {name}": DIFFERS}
        with tampered(project, "model", lambda found: {**found, promote.TAG: "0123456789ab"}):
            assert project.wrong() == {"evaluation": DIFFERS}
        lock.write_text(yaml.safe_dump({"promoted": {**promoted, "evaluation": "ba9876543210"}}))
        git(project.root, "add", "-A")
        git(project.root, "commit", "-qm", "promoted")
        told = {**tags.of(project.run, job=known.job, data=state.kept(project.run.folder, "data-version"))}
        with (
            tampered(project, "deployment", lambda found: {**found, **told}),
            tampered(project, "model", lambda found: {**found, **promote.tags(mine)}),
        ):
            assert project.wrong() == {"promotion": DIFFERS}
        git(project.root, "reset", "-q", "--hard", "HEAD~1")
    finally:
        shutil.rmtree(folder)
    assert project.wrong() == {}


def test_the_command_writes_its_files_and_says_how_it_ended(project, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "run_of", lambda options: project.run)
    words = ["--env", "demo", "--folder", "x", "--result", str(tmp_path / "out"), "--output", "json"]
    assert command.run(words) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["counts"][OK] == 17 and printed["model"] == f"{MODEL}:1"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["bom.json", "model-card.md"]
    first = {path.name: path.read_bytes() for path in project.run.folder.glob("*.*")}
    with tampered(project, "endpoint", lambda found: {**found, "by": "nobody"}):
        assert command.run(words[:4]) == 2
    assert "written:" in capsys.readouterr().out
    assert command.run(words[:4]) == 0
    assert {path.name: path.read_bytes() for path in project.run.folder.glob("*.*")} == first  # the same bytes
