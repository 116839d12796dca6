"""The table of commands and options, against the official reference (docs of Azure CLI, 2026-08-21)."""

import json
from pathlib import Path

import pytest

from scripts.az_ml import command_line, commands
from scripts.az_ml.commands import read_option

OFFICIAL = json.loads((Path(__file__).parent / "data" / "official_options.json").read_text())
# Documented on learn.microsoft.com like the rest, but not in the reference that was copied.
BESIDES = {"data list", "job update", "workspace show"}


def official(name):
    entry = OFFICIAL[name]
    return {read_option(text, True) for text in entry["required"]} | {read_option(text) for text in entry["optional"]}


@pytest.mark.parametrize("name", sorted(OFFICIAL))
def test_a_command_has_the_official_options_and_no_others(name):
    assert set(commands.commands()[name].options) == official(name)


def test_no_command_is_of_our_own_invention():
    ours = {name for name, command in commands.commands().items() if command.ml}
    assert ours == set(OFFICIAL) | BESIDES


def test_every_command_has_a_function():
    import importlib

    for command in commands.commands().values():
        group, verb = command.words if len(command.words) == 2 else ("account", command.name)
        module = importlib.import_module(f"scripts.az_ml.verbs.{group.replace('-', '_')}")
        assert hasattr(module, "list_" if verb == "list" else verb.replace("-", "_")), command.name


def test_every_option_is_explained():
    seen = {option.long: option for command in commands.commands().values() for option in command.options}
    technical = {"--admin-password", "--admin-username", "--enable-node-public-ip", "--identity-type", "--node-index"}
    technical |= {"--package-model", "--local-enable-gpu", "--vscode-debug", "--skip-script-validation", "--subnet"}
    technical |= {"--ssh-key-value", "--ssh-public-access-enabled", "--user-assigned-identities", "--vnet-name"}
    technical |= {"--user-object-id", "--user-tenant-id"}
    assert {name for name, option in seen.items() if not option.help} <= technical


@pytest.mark.parametrize(
    ("text", "names", "default", "allowed"),
    [
        ("--name -n", ("--name", "-n"), None, ()),
        ("--lines -l=5000", ("--lines", "-l"), "5000", ()),
        ("--local=False {false, true}", ("--local",), "False", ("false", "true")),
        ("--type -t {mltable, uri_file}", ("--type", "-t"), None, ("mltable", "uri_file")),
        ("--set=[]", ("--set",), "[]", ()),
    ],
)
def test_an_option_is_read_as_the_reference_writes_it(text, names, default, allowed):
    option = read_option(text)
    assert (option.names, option.default, option.allowed) == (names, default, allowed)


def test_help_is_short_and_names_every_command(capsys):
    assert command_line.parse(["ml", "--help"]) is None
    text = capsys.readouterr().out
    assert all(f"az ml {name} " in text for name in OFFICIAL)
    assert command_line.parse(["ml", "job", "create", "-h"]) is None
    text = capsys.readouterr().out
    assert "--file -f" in text and "Required" in text and len(text.splitlines()) < 35
