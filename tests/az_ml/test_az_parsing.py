"""What is refused before anything is asked, with az's exit codes and texts; and what a command line means."""

import json
import subprocess
import sys

import pytest

from scripts.az_ml import command_line
from scripts.az_ml.__main__ import run
from scripts.files import ROOT

WHERE = ["-g", "rg", "-w", "ws"]


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    """No defaults from this machine: an empty folder, an empty environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("AZURE_DEFAULTS_GROUP", "AZURE_DEFAULTS_WORKSPACE", "AZURE_SUBSCRIPTION_ID", "AZURE_CORE_OUTPUT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path / "azure"))


def parse(*words):
    return command_line.parse(["ml", *words])


@pytest.mark.parametrize(
    ("line", "code", "text"),
    [
        ("ml job show -n x", 2, "the following arguments are required: --resource-group/-g, --workspace-name/-w"),
        ("ml job show -g rg -w ws", 2, "the following arguments are required: --name/-n"),
        ("ml job create -g rg -w ws", 2, "the following arguments are required: --file/-f"),
        ("ml job cancel -n x -g rg -w ws --no-wait", 2, "unrecognized arguments: --no-wait"),
        ("ml job show -n x -g rg -w ws --quer a", 0, None),
        ("ml job shw -n x", 2, "'shw' is misspelled or not recognized by the system. "),
        ("ml nosuch", 2, "'nosuch' is misspelled or not recognized by the system. "),
        ("ml job show -n x -g rg -w ws extra", 2, "unrecognized arguments: extra"),
        ("ml job show -n -g rg -w ws", 2, "argument --name/-n: expected one argument"),
        ("ml job list -g rg -w ws -r many", 2, "argument --max-results/-r: invalid int value: 'many'"),
        ("ml job list -g rg -w ws --all-results perhaps", 2, "argument --all-results: invalid bool value: 'perhaps'"),
        ("ml job show -n x -g rg -w ws -o xml", 2, "az ml job show: 'xml' is not a valid value for '--output'. "),
        (
            "ml data create -t nosuch",
            2,
            "az ml data create: 'nosuch' is not a valid value for '--type'. Allowed values:",
        ),
        ("ml job show -n x -g rg -w ws --query [?bad", 2, "argument --query: invalid jmespath_type value: '[?bad'"),
        ("ml model show -n x", 1, "one of the following arguments is required: --workspace-name/-w, --registry-name"),
        ("ml compute create -g rg -w ws --set abc", 1, "usage error: --set KEY=VALUE [KEY=VALUE ...]"),
        ("ml compute delete -n c -g rg -w ws", 1, "Operation cancelled."),
        ("ml online-endpoint delete -n e -g rg -w ws", 1, "Operation cancelled."),
        ("ml online-deployment delete -n d -e e -g rg -w ws", 1, "Operation cancelled."),
        ("ml job stream -n x -g rg -w ws", 1, "which subscription is meant is not known"),
    ],
)
def test_refusals(line, code, text, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    if text is None:
        assert command_line.parse(line.split()).query is not None  # abbreviations are az's, too
        return
    assert run(line.split()) == code
    streams = capsys.readouterr()
    assert streams.out == ""
    assert f"ERROR: {text}" in streams.err


def test_a_wrong_word_is_answered_with_the_right_one(capsys):
    assert run(["ml", "online-endpont", "show"]) == 2
    assert "did you mean 'online-endpoint'?" in capsys.readouterr().err
    assert run(["ml", "job", "show", "-n", "x", *WHERE, "--sbscription", "s"]) == 2
    assert "did you mean '--subscription'?" in capsys.readouterr().err


def test_ml_may_be_left_out():
    assert command_line.parse(["job", "show", "-n", "x", *WHERE]).command.name == "job show"
    assert command_line.parse(["account", "show"]).command.name == "account show"


def test_set_splits_at_the_first_equals_sign_and_keeps_strings():
    arguments = parse("job", "create", "-f", "j.yml", *WHERE, "--set", "a.b=c=d", "n=2", "--set", "a.b=e")
    assert arguments.set == {"a.b": "e", "n": "2"}


def test_switches_tags_and_defaults():
    assert parse("job", "list", *WHERE, "--all-results").all_results is True
    assert parse("job", "list", *WHERE, "--all-results", "false").all_results is False
    assert parse("online-endpoint", "create", *WHERE).no_wait is False
    assert parse("online-deployment", "get-logs", "-n", "d", "-e", "e", *WHERE).lines == 5000
    assert parse("job", "list", *WHERE).max_results == 50
    assert parse("model", "create", *WHERE, "--tags", "a=1", "b").tags == {"a": "1", "b": ""}


@pytest.mark.parametrize("line", [
    "ml component show -n c -v 1", "ml model archive -n m -v 1", "ml job update -n x --set a=1", "ml job validate -f j",
    "ml model download -n m -v 1", "ml job show -n x --web", "ml online-endpoint show -n e --local",
    "ml online-deployment create -f d --all-traffic", "ml compute update -n c --add tags x=1",
])  # fmt: skip
def test_what_is_not_here_is_refused_and_the_official_cli_named(line, capsys):
    assert run([*line.split(), *WHERE]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "what else there is, the official Azure CLI knows (az extension add -n ml)" in printed.err
    assert len(printed.err.splitlines()) == 1


def test_defaults_from_the_environment_and_explicit_ones_win(monkeypatch):
    monkeypatch.setenv("AZURE_DEFAULTS_GROUP", "group")
    monkeypatch.setenv("AZURE_DEFAULTS_WORKSPACE", "work")
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", "sub")
    arguments = parse("job", "show", "-n", "x", "-w", "other")
    assert (arguments.resource_group, arguments.workspace_name, arguments.subscription) == ("group", "other", "sub")
    assert parse("model", "show", "-n", "m", "-v", "1", "--registry-name", "r").workspace_name is None


def test_the_workspace_of_a_config_json_above(monkeypatch, tmp_path):
    named = {"subscription_id": "s", "resource_group": "g", "workspace_name": "w"}
    (tmp_path / ".azureml").mkdir()
    (tmp_path / ".azureml" / "config.json").write_text(json.dumps(named))
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (below / "config.json").write_text('{"something": "else"}')
    monkeypatch.chdir(below)
    arguments = parse("job", "show", "-n", "x")
    assert (arguments.subscription, arguments.resource_group, arguments.workspace_name) == ("s", "g", "w")
    assert parse("workspace", "show").name == "w"


def test_a_broken_config_json_is_named(tmp_path, capsys):
    (tmp_path / "config.json").write_text("{")
    assert run(["ml", "job", "show", "-n", "x"]) == 1
    assert "config.json: is not JSON" in capsys.readouterr().err


def test_the_subscription_of_a_logged_in_cli(tmp_path):
    (tmp_path / "azure").mkdir()
    profile = {"subscriptions": [{"id": "one", "isDefault": False}, {"id": "two", "isDefault": True}]}
    (tmp_path / "azure" / "azureProfile.json").write_text(json.dumps(profile), encoding="utf-8-sig")
    assert parse("job", "show", "-n", "x", *WHERE).subscription == "two"
    assert parse("job", "show", "-n", "x", *WHERE, "--subscription", "one").subscription == "one"


@pytest.mark.parametrize(
    "line", ["ml --help", "ml job create --help", "ml job show", "ml job show -n x -g g -w w --query ["]
)
def test_help_and_refusals_import_nothing_of_azure(line):
    program = (
        "import sys; from scripts.az_ml.__main__ import run; run(sys.argv[1:]); "
        "sys.exit('azure' in sys.modules or 'yaml' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program, *line.split()], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
