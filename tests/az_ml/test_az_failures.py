"""What goes wrong before any request: a sentence with file, line and key where the official CLI shows a traceback."""

import pytest

from scripts.az_ml import failures
from scripts.az_ml.__main__ import run

WHERE = ["--subscription", "s", "-g", "rg", "-w", "ws"]
DEPLOYMENT = "name: demo\nendpoint_name: e\ninstance_type: Standard_X\nmodel: azureml:m:1\ninstance_count: 1\n"


def refused(capsys, tmp_path, monkeypatch, group, yaml, *more, verb="create"):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "f.yml").write_text(yaml)
    code = run(["ml", group, verb, "-f", "f.yml", *more, *WHERE])
    streams = capsys.readouterr()
    assert "Traceback" not in streams.err and "\x1b" not in streams.err and streams.out == ""
    return code, streams.err.partition("ERROR: ")[2].strip()


@pytest.mark.parametrize(("group", "yaml", "sentence"), [
    ("model", "name: m\npathh: x\n", "f.yml:2: pathh: unknown key (did you mean 'path'?); allowed: "),
    ("model", "path: x\n", "f.yml: name: missing; add it"),
    ("data", "name: d\ntype: uri_fil\npath: x\n", "f.yml:2: type: found 'uri_fil', allowed: uri_file, uri_folder, "),
    ("compute", "name: c\ntype: amlcompute\nmin_instances: many\n",
     "f.yml:3: min_instances: found 'many', expected integer"),
    ("compute", "name: c\ntype: nosuch\n", "f.yml:2: type: Unknown compute type: nosuch"),
    ("online-deployment", DEPLOYMENT + "liveness_probe:\n  initial_dely: 5\n",
     "f.yml:7: liveness_probe.initial_dely: unknown key (did you mean 'initial_delay'?)"),
    ("online-deployment", DEPLOYMENT + "request_settings:\n  max_queue_wait_ms: 1\n  request_timeout_ms: x\n",
     "f.yml:8: request_settings.request_timeout_ms: found 'x', expected integer"),
    ("job", "type: pipelin\n", "f.yml:1: type: Unsupported job type: pipelin."),
    ("job", "name: [x\n", "f.yml:2: not valid YAML: "),
    ("job", "- a\n", "f.yml:1: expected a mapping of keys to values, found a list"),
    ("job", "", "f.yml: the file is empty"),
])  # fmt: skip
def test_bad_yaml(capsys, tmp_path, monkeypatch, group, yaml, sentence):
    code, said = refused(capsys, tmp_path, monkeypatch, group, yaml)
    assert code == 1
    assert said.startswith(sentence)


@pytest.mark.parametrize(("override", "sentence"), [
    ("instance_count=x", "--set instance_count: found 'x', expected integer"),
    ("model.foo=x", "Cannot use '--set' on properties defined by reference strings: --set model.foo"),
    ("instance_count.x=1", "--set instance_count.x: instance_count is 1 in f.yml, a plain value that has no keys"),
    ("instance_coun=2", "--set instance_coun: unknown key (did you mean 'instance_count'?)"),
])  # fmt: skip
def test_bad_set(capsys, tmp_path, monkeypatch, override, sentence):
    code, said = refused(capsys, tmp_path, monkeypatch, "online-deployment", DEPLOYMENT, "--set", override)
    assert code == 1 and said.startswith(sentence)


def test_a_flag_is_named_as_the_place(capsys, tmp_path, monkeypatch):
    text = "name: c\ntype: amlcompute\nmin_instances: 1\n"
    code, said = refused(capsys, tmp_path, monkeypatch, "compute", text, "--min-instances", "many")
    assert (code, said) == (1, "--min-instances: found 'many', expected integer")


def test_missing_files(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(["ml", "online-deployment", "create", "-f", "no.yml", *WHERE]) == 1
    assert "ERROR: No such file or directory: no.yml" in capsys.readouterr().err
    assert run(["ml", "online-endpoint", "invoke", "-n", "e", "-r", "no.json", *WHERE]) == 1
    assert "No such file or directory: 'no.json'" in capsys.readouterr().err
    assert run(["ml", "online-endpoint", "invoke", "-n", "e", *WHERE]) == 1
    assert "--request-file/-r" in capsys.readouterr().err
    assert run(["ml", "model", "create", "-n", "m", *WHERE]) == 1
    assert "Please provide either --file/-f  or --name/-n and --path/-p." in capsys.readouterr().err


@pytest.mark.parametrize("shares", ["blue=90,green=10", "blue:90", "blue=ninety", "blue"])
def test_traffic_that_cannot_be_read(shares):
    from scripts.az_ml.online_verbs import shares as read
    from scripts.errors import UserError

    with pytest.raises(UserError, match="is not DEPLOYMENT=PERCENT") as said:
        read(shares)
    assert said.value.code == 1
    assert read("blue=90  green=10") == {"blue": "90", "green": "10"}


def test_colours_and_boxes_of_the_sdk_are_taken_off():
    text = "\x1b[1mThe yaml…\x1b[0m\n\n\x1b[31m(x) No such file or directory: /abs/nofile.jsonl"
    text += "\x1b[39m\n\n\nResolutions: …"
    assert failures.explain(ValueError(text)) == ("No such file or directory: /abs/nofile.jsonl", 1)


def test_a_fault_of_the_program_is_said_as_such():
    assert failures.explain(KeyError("x"))[0] == "unexpected KeyError: 'x'; --debug shows where"


def test_debug_shows_the_traceback(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(["ml", "job", "create", "-f", "no.yml", "--debug", *WHERE]) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err
