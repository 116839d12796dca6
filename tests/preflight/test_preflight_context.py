"""What checks look at: the data's manifest and the values."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from scripts.errors import UserError
from scripts.estimate import run
from scripts.preflight import context
from tests.preflight.conftest import TODAY, made

ROOT = Path(__file__).parents[2]


def test_the_splits_are_those_of_the_manifest() -> None:
    tokens = {"how": "exact", "tokens": 1000, "curve": list(range(101)), "histogram": {"longest": 100},
              "cut": {"answers_lost": {"rows": 3}}}  # fmt: skip
    files = {"train": {"rows": 20, "bytes": 4000, "tokens": tokens}, "validation": {"rows": 2, "bytes": 400}}
    found = run.splits_of({"files": files})
    assert found["train"].longest == 100
    assert found["train"].answers_lost == 3
    assert found["train"].cut(100) == 1000
    assert 700 < found["train"].cut(50) < 800
    assert found["validation"].tokens == 100
    assert "test" not in found


@pytest.mark.parametrize("text",
 ["", "{", "[]", "{}", '{"format": 3}', '{"files": {"train": {}}}', '{"files": {"train": {"rows": "x"}}}',
                                  '{"files": {"train": {"rows": 5, "tokens": {"curve": 3}}}}'])  # fmt: skip
def test_a_damaged_manifest_is_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "data" / "reference").mkdir(parents=True)
    (tmp_path / "data" / "reference" / "manifest.json").write_text(text)
    with pytest.raises(UserError, match=r"data/reference/manifest\.json: .*make data ENV=reference"):
        context.read("reference", tmp_path)


def test_a_cut_keeps_the_share_of_the_tokens_below_it() -> None:
    split = context.Split(10, 1000, 200, (0, 50, 100, 150, 200), "exact")
    assert split.cut(200) == split.cut(500) == 1000
    assert split.cut(100) == 700  # 0 + 50 + 100 + 100 + 100 of 500
    assert split.cut(0) == 0


@pytest.mark.parametrize("percentiles", [(), (0, 0, 0)])
def test_without_lengths_the_cut_is_the_most_that_rows_can_hold(percentiles: tuple[int, ...]) -> None:
    split = context.Split(10, 1000, 0, percentiles, "characters")
    assert (split.cut(50), split.cut(100), split.cut(500)) == (500, 1000, 1000)


def test_a_value_is_found_by_its_dotted_key() -> None:
    where = made("reference", "compute.size=Standard_X")
    assert where.value("compute.size") == where.size_name("finetune") == "Standard_X"
    assert where.value("compute.nothing", 5) == where.value("compute.size.more", 5) == where.value("nothing", 5) == 5
    assert where.value("nothing") is None
    assert where.at("compute.size") == "--set: compute.size"
    assert where.size("finetune") is where.card("finetune") is None
    assert where.card("inference")
    assert where.environment == "reference"
    assert where.today == TODAY
    assert context.build(where.values).today == datetime.date.today()


def test_what_the_manifest_does_not_say() -> None:
    tokens = {"how": "sample", "tokens": 1000, "histogram": {"longest": 100}}
    files = {"train": {"rows": 20, "tokens": tokens}, "test": {"rows": 2}, "heldout": {"rows": 3}}
    found = run.splits_of({"files": files})
    assert list(found) == ["train", "test"]
    assert (found["train"].longest, found["train"].how, found["train"].answers_lost) == (0, "sample", 0)
    assert (found["test"].tokens, found["test"].how, found["test"].percentiles) == (0, "characters", ())
