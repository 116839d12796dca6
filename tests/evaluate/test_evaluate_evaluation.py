"""The file of an evaluation: what is written is read, and what was damaged or changed is refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from scripts import promote
from scripts.errors import MISSING, UserError
from scripts.evaluate import evaluation, model_version
from scripts.evaluate.evaluation import Answers, Evaluation, Measure, Verdict
from scripts.evaluate.statistics import Estimate
from scripts.values.read import load


def made(**changes: Any) -> Evaluation:
    one = Estimate(1.5, float("-inf"), float("inf"), 1)
    measures = {
        "perplexity": Measure("perplexity", "lower", 2, "note", False, one, one, one, one),
        "rouge_l": Measure("ROUGE-L", "higher", 3, "note", tuned=one),
        "exact_match": Measure("exact match", "higher", 1, "note", percent=True),
    }
    answers = [Answers("test.jsonl:1", "Größe?", "groß", None, "\u2028")]
    whole = Evaluation(
        "demo", "m", "1", "base", "data-1", 1, 1, {"base": "x", "tuned": "y"}, {"seed": 1, "confidence": 95.0},
        ["A note."], measures, [Verdict("r", False, "why")], answers, answers,
    )  # fmt: skip
    return dataclasses.replace(whole, **changes).ended(1.23)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    evaluation.write(made(), tmp_path)
    assert evaluation.read(tmp_path, "1", "demo") == made()
    plain = json.loads((tmp_path / "evaluation.json").read_text())
    assert plain == made().as_dict()
    assert set(plain["measures"]["rouge_l"]) == {"title", "better", "digits", "note", "percent", "tuned"}
    assert not [path for path in tmp_path.iterdir() if path.name != "evaluation.json"]  # written beside and moved there


def test_the_fingerprint_stands_for_what_came_out_and_not_for_how_long_it_took() -> None:
    assert made().hash == dataclasses.replace(made(), seconds=9.0, gate=[]).ended(9).hash
    assert made().hash != made(asked=2).hash


def test_what_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no evaluation of version 1 yet; make evaluate ENV=demo") as caught:
        evaluation.read(tmp_path, "1", "demo")
    assert caught.value.code == MISSING


def damaged() -> list[Any]:
    plain = made().as_dict()
    without = {key: value for key, value in plain.items() if key != "settings"}
    return [
        None,
        [],
        {},
        without,
        {**plain, "more": 1},
        {**plain, "measures": {"perplexity": {"title": 3}}},
        {**plain, "gate": 3},
    ]


@pytest.mark.parametrize("text", ["", "{", *map(json.dumps, damaged())])
def test_a_damaged_file_is_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "evaluation.json").write_text(text)
    with pytest.raises(UserError, match=r"evaluation\.json: .+; make evaluate ENV=demo makes it$"):
        evaluation.read(tmp_path, "1", "demo")


@pytest.mark.parametrize("change", [{"version": "2"}, {"measures": {}}, {"notes": []}, {"hash": "0"}])
def test_a_changed_file_proves_nothing(tmp_path: Path, change: dict[str, Any]) -> None:
    (tmp_path / "evaluation.json").write_text(json.dumps({**made().as_dict(), **change}))
    with pytest.raises(UserError, match="was changed after it was written"):
        evaluation.read(tmp_path, "1", "demo")


def test_another_models_evaluation_promotes_nothing(tmp_path: Path) -> None:
    values = load("demo")
    evaluation.write(made(model=model_version.name(values), version="2"), tmp_path)
    with pytest.raises(UserError, match=r"is about .*:2, not 1; make evaluate ENV=demo"):
        promote.read(values, "1", tmp_path)
    assert promote.read(values, "2", tmp_path).version == "2"


def test_the_tags_are_the_numbers_that_there_are() -> None:
    assert promote.tags(made()) == {
        "promoted": made().hash, "evaluation_data": "data-1", "perplexity_base": "1.50", "perplexity_tuned": "1.50",
        "rouge_l_tuned": "1.500",
    }  # fmt: skip
