"""The table of commands and options, against the official reference (docs of Azure CLI, 2026-08-21)."""

import json
from pathlib import Path

import pytest

from scripts.az_ml import command_line, command_table
from scripts.az_ml.__main__ import verb_of
from scripts.az_ml.command_table import read_option

OFFICIAL = json.loads((Path(__file__).parent / "data" / "official_options.json").read_text())
# Documented on learn.microsoft.com like the rest, but not in the reference that was copied.
BESIDES = {"data list", "workspace list", "workspace show"}
OURS = {name: command for name, command in command_table.commands().items() if command.ml}


@pytest.mark.parametrize("name", sorted(set(OURS) - BESIDES))
def test_a_command_has_official_options_only_and_all_that_it_needs(name):
    needed = {read_option(text, True) for text in OFFICIAL[name]["required"]}
    optional = {read_option(text) for text in OFFICIAL[name]["optional"]}
    ours = set(OURS[name].options)
    assert ours <= needed | optional
    assert {option for option in ours if option.required} == needed


def test_no_command_is_of_our_own_invention():
    assert set(OURS) <= set(OFFICIAL) | BESIDES


def test_every_command_has_a_function():
    for command in command_table.commands().values():
        assert callable(verb_of(command.words)), command.name


def test_every_option_is_explained():
    every = [*command_table.global_options(), *(option for command in OURS.values() for option in command.options)]
    assert not {option.long for option in every if not option.help}


@pytest.mark.parametrize(
    ("text", "names", "default", "allowed"),
    [
        ("--name -n", ("--name", "-n"), None, ()),
        ("--lines -l=5000", ("--lines", "-l"), "5000", ()),
        ("--all=False {false, true}", ("--all",), "False", ("false", "true")),
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
    assert all(f"az ml {name} " in text for name in OURS)
    assert command_line.parse(["ml", "job", "create", "-h"]) is None
    text = capsys.readouterr().out
    assert "--file FILE, -f FILE" in text and "Required" in text and len(text.splitlines()) < 40
