"""A value as YAML: it reads back the same, and changes nothing around it."""

import string

import pytest
import yaml

from scripts.errors import UserError
from scripts.yaml_quoting import bare, to_yaml

NASTY = [
    "", " ", "a: b", "a #b", "# x", "- x", "? x", "yes", "No", "on", "null", "~", "1", "1.0", "1e3", "5e-6", "012",
    "1:30", "0x1f", "true", "y", "=", "<<", "*a", "&a", "!x", "%x", "@x", "`x`", "{a}", "[a]", "a\nb: c", "a\r\nb",
    "tab\there", "'", '"', "\\", "a\u2028b", "a\u0085b", "\x7f", "\ufeffx", "ü", "日本", "😀", "2026-11-23",
    "azureml:a:1", "${{parent.inputs.x}}", "a" * 3000,
    *string.punctuation,
]  # fmt: skip


@pytest.mark.parametrize("text", NASTY)
def test_no_text_can_change_the_structure(text):
    line = f"before: 1\nkey: {to_yaml(text)}  # {bare(text)}\nafter: 2\n"
    assert yaml.safe_load(line) == {"before": 1, "key": text, "after": 2}


@pytest.mark.parametrize("value", [0, -1, 3, True, False, 0.0, 5e-6, 1e-8, 2e-5, 0.999, 1e22, 123456.789])
def test_numbers_read_back_the_same(value):
    found = yaml.safe_load(f"key: {to_yaml(value)}")["key"]
    assert (found, type(found)) == (value, type(value))


def test_text_stays_readable():
    assert [to_yaml(text) for text in ("a-b/c.d:1", "für 日本", "a b")] == ["a-b/c.d:1", '"für 日本"', '"a b"']


def test_only_single_values_may_be_inserted():
    with pytest.raises(UserError, match="not a single value"):
        to_yaml({"a": 1})
