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


@pytest.mark.parametrize(
    ("group", "yaml", "sentence"),
    [
        ("model", "name: m\npathh: x\n", "f.yml, line 2: 'pathh' is not a key of model (did you mean 'path'?)"),
        ("model", "path: x\n", "f.yml: the key 'name' is missing"),
        (
            "data",
            "name: d\ntype: uri_fil\npath: x\n",
            "f.yml, line 2: 'type' is 'uri_fil': Must be one of: uri_file, uri_folder, mltable (did you mean 'uri_file'?)",
        ),
        (
            "compute",
            "name: c\ntype: amlcompute\nvm_size: X\n",
            "f.yml, line 3: 'vm_size' is not a key of aml compute (did you mean 'size'?)",
        ),
        (
            "compute",
            "name: c\ntype: amlcompute\nmin_instances: many\n",
            "f.yml, line 3: 'min_instances' is 'many': Not a valid integer",
        ),
        ("compute", "name: c\ntype: nosuch\n", "f.yml, line 2: Unknown compute type: nosuch"),
        (
            "online-endpoint",
            "name: e_p\n",
            "f.yml, line 1: 'name' is 'e_p': String does not match expected pattern; "
            "allowed: ^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$",
        ),
        (
            "online-endpoint",
            "name: e\nauth_mode: keys\n",
            "f.yml, line 2: 'auth_mode': Value 'keys' passed is not in set ['aml_token', 'key', 'aad_token'] "
            "(did you mean 'key'?)",
        ),
        (
            "online-deployment",
            DEPLOYMENT + "liveness_probe:\n  initial_dely: 5\n",
            "f.yml, line 7: 'liveness_probe.initial_dely' is not a key of managed online deployment "
            "(did you mean 'initial_delay'?)",
        ),
        (
            "job",
            "type: pipeline\ntags:\n  n: 1\njobs: {}\n",
            "f.yml, line 3: 'tags.n' is 1: Not a valid string; put it in quotes: \"1\"",
        ),
        ("job", "type: pipelin\n", "f.yml, line 1: Unsupported job type: pipelin."),
        ("job", "name: [x\n", "f.yml, line 2, column 1: not valid YAML: expected ',' or ']', but got '<stream end>'"),
        ("job", "- a\n", "f.yml: it holds a list where `key: value` lines are wanted"),
        ("job", "", "f.yml: the file is empty"),
    ],
)
def test_bad_yaml(capsys, tmp_path, monkeypatch, group, yaml, sentence):
    assert refused(capsys, tmp_path, monkeypatch, group, yaml) == (1, sentence)


def test_an_unknown_key_without_a_near_one_lists_what_is_allowed(capsys, tmp_path, monkeypatch):
    code, sentence = refused(capsys, tmp_path, monkeypatch, "job", "type: pipeline\nfoo: 1\njobs: {}\n")
    assert code == 1
    assert sentence.startswith("f.yml, line 2: 'foo' is not a key of pipeline job; allowed: component, compute, ")


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("instance_count=x", "--set instance_count: 'instance_count' is 'x': Not a valid integer"),
        ("model.foo=x", "Cannot use '--set' on properties defined by reference strings: --set model.foo"),
        ("instance_count.x=1", "--set instance_count.x: instance_count is 1 in f.yml, a plain value that has no keys"),
        (
            "instance_coun=2",
            "--set instance_coun: 'instance_coun' is not a key of managed online deployment (did you mean",
        ),
    ],
)
def test_bad_set(capsys, tmp_path, monkeypatch, override, sentence):
    code, said = refused(capsys, tmp_path, monkeypatch, "online-deployment", DEPLOYMENT, "--set", override)
    assert code == 1 and said.startswith(sentence)


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


def test_job_validate_prints_what_is_wrong_and_exits_0(capsys, tmp_path, monkeypatch):
    import json

    monkeypatch.chdir(tmp_path)
    (tmp_path / "f.yml").write_text("type: pipeline\ntags:\n  n: 1\njobs: {}\n")
    assert run(["ml", "job", "validate", "-f", "f.yml", *WHERE]) == 0
    expected = {"errors": [{"message": "Not a valid string.", "path": "tags.n", "value": 1}], "result": "Failed"}
    assert json.loads(capsys.readouterr().out) == expected


@pytest.mark.parametrize("shares", ["blue=90,green=10", "blue:90", "blue=ninety", "blue"])
def test_traffic_that_cannot_be_read(shares):
    from scripts.az_ml.verbs.online_endpoint import shares as read
    from scripts.errors import UserError

    with pytest.raises(UserError, match="is not DEPLOYMENT=PERCENT") as said:
        read(shares, "--traffic")
    assert said.value.code == 1
    assert read("blue=90  green=10", "--traffic") == {"blue": "90", "green": "10"}


def test_colours_and_boxes_of_the_sdk_are_taken_off():
    text = "\x1b[1mThe yaml…\x1b[0m\n\n\x1b[31m(x) No such file or directory: /abs/nofile.jsonl\x1b[39m\n\n\nResolutions: 1) …"
    assert failures.explain(ValueError(text)) == ("No such file or directory: /abs/nofile.jsonl", 1)


def test_a_fault_of_the_program_is_said_as_such():
    assert failures.explain(KeyError("x"))[0] == "unexpected KeyError: 'x'; --debug shows where"


def test_debug_shows_the_traceback(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(["ml", "job", "create", "-f", "no.yml", "--debug", *WHERE]) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err
