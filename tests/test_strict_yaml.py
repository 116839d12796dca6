"""Strict YAML: each line and bound exactly, and what a reader would be surprised by is refused."""

from pathlib import Path

import pytest

from scripts.errors import MISSING, UserError
from scripts.strict_yaml import read_yaml, scalar, shown


def read(tmp_path: Path, text: str):
    path = tmp_path / "x.yaml"
    path.write_text(text)
    return read_yaml(path)


def refused(tmp_path: Path, text: str) -> str:
    with pytest.raises(UserError) as caught:
        read(tmp_path, text)
    return str(caught.value)


def test_every_key_and_item_has_its_line(tmp_path):
    data, lines = read(tmp_path, "# a comment\na: 1\nb:\n  - x\n  -\n    c: 2\nd: {e: 3}\n")
    assert data == {"a": 1, "b": ["x", {"c": 2}], "d": {"e": 3}}
    assert lines == {"a": 2, "b": 3, "b.0": 4, "b.1": 6, "b.1.c": 6, "d": 7, "d.e": 7}


def test_nothing_is_an_empty_mapping_and_a_missing_file_is_said(tmp_path):
    assert read(tmp_path, "# nothing\n") == ({}, {})
    with pytest.raises(UserError, match=r"none\.yaml: no such file") as caught:
        read_yaml(tmp_path / "none.yaml")
    assert caught.value.code == MISSING


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a\n", "x.yaml:1: expected a mapping of keys to values, found a list"),
        ("a\n", "x.yaml:1: expected a mapping of keys to values, found a single value"),
        ("!!set {a}\n", "x.yaml:1: a tag such as !!set is not allowed"),
        ("a: 1\nb: \x01\n", "x.yaml: not valid YAML: unacceptable character #x0001"),
        ("a:\n\tb: 1\n", "x.yaml:2: not valid YAML: found character that cannot start any token (a tab, perhaps"),
        ("a: [1\n", "x.yaml:2: not valid YAML"),
        ("a: 1\n<<<<<<< HEAD\nb: 1\n=======\nb: 2\n>>>>>>> other\n", "x.yaml:2: a merge left both sides here"),
    ],
)
def test_what_is_no_mapping_is_said_with_its_line(tmp_path, text, said):
    assert said in refused(tmp_path, text)


def test_a_number_has_64_bits(tmp_path):
    assert read(tmp_path, f"a: {2**63 - 1}\nb: {1 - 2**63}\n")[0] == {"a": 2**63 - 1, "b": 1 - 2**63}
    assert f'x.yaml:2: b: found "{2**63}", no int' in refused(tmp_path, f"a: 1\nb: {2**63}\n")


def test_fifty_levels_are_deep_enough(tmp_path):
    assert "a" in read(tmp_path, "a: " + "[" * 49 + "]" * 49)[0]
    assert "x.yaml:2: nested deeper than 50 levels" in refused(tmp_path, "b: 1\na: " + "[" * 50 + "]" * 50)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3), ("5e-6", 5e-6), ("-.5", -0.5), ("1.", 1.0), ("true", True), ("~", None), ("", None), ('"16"', "16"),
        ("yes", "yes"), ("012", "012"), ("0x1f", "0x1f"), ("1:30", "1:30"), ("[1, a]", [1, "a"]), ("[1", "[1"),
        ("*a", "*a"), ("2026-11-26", "2026-11-26"),
    ],
)  # fmt: skip
def test_a_value_on_the_command_line_is_what_a_reader_takes_it_for(text, value):
    assert (scalar(text), type(scalar(text))) == (value, type(value))


def test_a_value_is_shown_short_and_printable():
    assert shown("a" * 78) == '"' + "a" * 78 + '"'
    assert shown("a" * 79) == '"' + "a" * 76 + "..."
    assert shown({"a": [1, None, True]}) == '{"a": [1, null, true]}'
    assert shown("\x1b\u2028ü") == '"\\u001b\\u2028ü"'
