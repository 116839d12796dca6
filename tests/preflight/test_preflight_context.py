"""What checks look at: the data's manifest and the values."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.errors import UserError
from scripts.preflight import context

ROOT = Path(__file__).parents[2]


def test_manifest_is_read_as_the_data_preparation_writes_it(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "dev"
    folder.mkdir(parents=True)
    tokens = {"how": "exact", "tokens": 1000, "curve": list(range(101)), "histogram": {"longest": 100},
              "cut": {"answers_lost": {"rows": 3}}}  # fmt: skip
    files = {"train": {"rows": 20, "bytes": 4000, "tokens": tokens}, "validation": {"rows": 2, "bytes": 400}}
    (folder / "manifest.json").write_text(json.dumps({"files": files}))
    found = context.read_data("dev", tmp_path)
    assert found["train"].longest == 100
    assert found["train"].answers_lost == 3
    assert found["train"].cut(100) == 1000
    assert 700 < found["train"].cut(50) < 800
    assert found["validation"].tokens == 100
    assert "test" not in found


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"files": {"train": {}}}', '{"files": {"train": {"rows": "x"}}}',
                                  '{"files": {"train": {"rows": 5, "tokens": {"curve": 3}}}}'])  # fmt: skip
def test_a_damaged_manifest_is_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "data" / "dev").mkdir(parents=True)
    (tmp_path / "data" / "dev" / "manifest.json").write_text(text)
    with pytest.raises(UserError, match=r"data/dev/manifest\.json: .*make data ENV=dev"):
        context.read_data("dev", tmp_path)
