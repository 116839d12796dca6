"""The tables of what the real service does: their form, the tests that hold the behaviours, what is kept of whom."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from scripts.errors import UserError
from scripts.files import ROOT
from scripts.probe.exchanges import FOLDER, load
from tests.azure.service import behaviours, coverage
from tests.azure.service.distil import combined, file_of, text

FOLDERS = ROOT / "tests"


def functions(path: Path) -> set[str]:
    """Returns the names of the tests in a file."""
    return set(re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE))


@pytest.mark.parametrize("behaviour", behaviours.load(), ids=lambda each: each.id)
def test_a_behaviour_names_tests_that_there_are(behaviour):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", behaviour.id)
    for test in behaviour.tests:
        path, _, name = test.partition("::")
        assert name.partition("[")[0] in functions(ROOT / path), test
    if not set(behaviour.held) & {*behaviours.ENFORCED, "documented"}:
        assert not behaviour.tests


def test_behaviours_are_all_there_and_stand_once():
    rows = behaviours.load()
    assert len({row.id for row in rows}) == len(rows)
    assert {f"AZB-{number:03}" for number in range(1, 118)} <= {row.ref for row in rows}


def test_a_wrong_behaviour_is_named(tmp_path):
    table = tmp_path / "behaviours.yaml"
    row = {"id": "x", "ask": "a", "answer": "b", "source": "c", "date": "2026", "held": ["chian"], "tests": []}
    for wrong, words in (
        (row, "did you mean 'chain'"),
        (row | {"held": []}, "held is empty"),
        (row | {"held": ["chain"], "source": ""}, "none is empty"),
        (row | {"held": ["chain"], "why": "?"}, "why"),
    ):
        table.write_text(json.dumps([wrong]))
        with pytest.raises(UserError, match=words):
            behaviours.load(table)


def test_exchanges_stand_once_in_their_resources_file():
    rows = load()
    assert len({row.id for row in rows}) == len(rows) >= 400
    for path in FOLDER.glob("*.yaml"):
        written = path.read_text()
        mine = [row for row in rows if file_of(row) == path.stem]
        assert written.count("\n- id: ") == len(mine), path
    assert all(row.source and row.dates for row in rows)


def test_the_table_keeps_nothing_of_anybody():
    for path in FOLDER.glob("*.yaml"):
        for line in path.read_text().splitlines():
            if not line.startswith("  source:"):
                assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-|sig=|eyJ|@[\w-]+\.(com|net)", line), (path.name, line)


def test_the_page_about_azure_is_up_to_date():
    assert coverage.PAGE.read_text() == coverage.page(), "make docs writes scripts/local/AZURE.md"


def test_the_page_lists_what_the_code_refuses():
    sentences = [text for text, _ in coverage.refusals()]
    assert any("block blobs only" in text for text in sentences)
    assert any("MLflow models without code" in text for text in sentences)
    assert not [text for text in sentences if text.count("\n")]


def test_writing_the_table_again_changes_nothing():
    rows = combined(load(), [])
    for path in FOLDER.glob("*.yaml"):
        mine = sorted(
            (row for row in rows if file_of(row) == path.stem),
            key=lambda row: (row.ask.partition(" ")[2], row.ask, str(row.status)),
        )
        assert text(mine) == path.read_text(), path.name
