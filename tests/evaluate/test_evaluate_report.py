"""The report says what the intervals say, and nothing that a model wrote becomes markup."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.evaluate import report


def evaluation(**gap: float) -> dict[str, Any]:
    estimate = {"value": 1.0, "low": 0.5, "high": 1.5, "cases": 7}
    shown = {"title": "refusals", "better": "lower", "digits": 1, "note": "n", "percent": True}
    measures = {
        "refusals": {**shown, "base": estimate, "tuned": estimate, "difference": {**estimate, **gap}},
        "exact_match": {**shown, "title": "exact match"},
    }
    said = {"question": "<script>alert(1)</script>", "true": "a | b", "base": None, "tuned": "two\nlines"}
    return {
        "model": "m", "version": "1", "base": "b", "data_version": "d", "asked": 7, "answered": 7, "notes": ["A note."],
        "answered_by": {"base": "x", "tuned": "y"}, "measures": measures, "examples": [{"name": "test:1", **said}],
        "settings": {"seed": 1, "max_new_tokens": 5, "confidence": 95, "short_answer_words": 5},
        "gate": [{"requirement": "r", "met": False, "sentence": "too <many>"}],
        "general": [{"name": "g", **said}],
    }  # fmt: skip


@pytest.mark.parametrize(("low", "high", "better", "expected"), [
    (-2.0, -1.0, "lower", "better"), (-2.0, -1.0, "higher", "worse"), (1.0, 2.0, "higher", "better"),
    (1.0, 2.0, "lower", "worse"),
    (-1.0, 1.0, "lower", "no clear difference"), (0.0, 0.0, "lower", "no clear difference"), (1.0, 2.0, "", ""),
])  # fmt: skip
def test_the_verdict_is_the_intervals(low: float, high: float, better: str, expected: str) -> None:
    assert report.verdict({"low": low, "high": high}, better) == expected


def test_rows_have_units_and_say_what_is_missing() -> None:
    first, second = report.rows(evaluation(low=-0.5))
    assert first == [
        "refusals",
        "1.0 % (0.5 to 1.5)",
        "1.0 % (0.5 to 1.5)",
        "+1.0 points (-0.5 to +1.5)",
        "7",
        "no clear difference",
    ]
    assert second == ["exact match", "—", "—", "—", "0", ""]
    assert "No true answer has 5 words or fewer" in report.html(evaluation())


def test_what_a_model_wrote_is_no_markup() -> None:
    page = report.html(evaluation())
    assert "<script" not in page and "&lt;script&gt;" in page and "too &lt;many&gt;" in page
    text = report.markdown(evaluation())
    assert "> two\n> lines" in text and "| two lines |" in text
    assert "- NOT met: too <many>" in text and "A note." in text


def test_an_empty_answer_is_told_from_one_that_was_not_asked_for() -> None:
    shown = evaluation()
    shown["examples"][0]["tuned"] = shown["general"][0]["tuned"] = ""
    for text in (report.html(shown), report.markdown(shown)):
        assert text.count("(empty)") == 2
        assert text.count("—") >= 2
