"""The report says what the intervals say, and nothing that a model wrote becomes markup."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.evaluate import printed, report


def confusion(*labels: str) -> dict[str, Any]:
    return {"field": "kind", "labels": [*labels, "other"], "base": None, "tuned": [[3, 0, 1], [1, 2, 0]]}


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
        "general": [{"name": "g", **said}], "confusions": [confusion("<b>", "yes")],
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
    assert "> two\n> lines" in text and "| a \\| b | — | two lines |" in text
    assert "| tuned | <b> | yes | other |" in text and "| yes | 1 | 2 | 0 |" in text
    assert "- NOT met: too <many>" in text and "A note." in text


def test_an_empty_answer_is_told_from_one_that_was_not_asked_for() -> None:
    shown = evaluation()
    shown["examples"][0]["tuned"] = shown["general"][0]["tuned"] = ""
    for text in (report.html(shown), report.markdown(shown)):
        assert text.count("(empty)") == 2
        assert text.count("—") >= 2


@pytest.mark.parametrize(("met", "said"), [
    ([True, True], "good enough: all 2 requirements are met"),
    ([True, False], "NOT good enough: 1 of 2 requirements are not met (r1)"),
    ([], "no verdict: evaluation.require asks for nothing"),
])  # fmt: skip
def test_the_verdict_is_on_top_and_the_terminals_last_line(met: list[bool], said: str) -> None:
    shown = evaluation()
    shown["gate"] = [{"requirement": f"r{at}", "met": each, "sentence": "why"} for at, each in enumerate(met)]
    assert report.markdown(shown).splitlines()[2] == f"**Verdict: {said}.**"
    page = report.html(shown)
    assert page.index(f"Verdict: {said}") < page.index("<h2>")
    assert [mark for mark, _ in report.verdicts(shown)] == [report.MARKS[each] for each in sorted(met)]
    assert " ".join(printed.conclusion(shown).split()) == f"verdict {said}"


def test_a_terminal_has_80_columns() -> None:
    shown = evaluation()
    shown["measures"] |= {"json_field": {**shown["measures"]["refusals"], "title": "field " + "x" * 200}}
    shown["gate"] += [{"requirement": "r" * 30, "met": False, "sentence": "a sentence of the gate " * 9}] * 9
    shown["examples"][0] |= {"question": "q " * 300, "true": "t" * 300, "tuned": "long\n" * 90}
    for text in (printed.terminal(shown), printed.conclusion(shown), printed.brief(shown)):
        assert max(map(len, text.splitlines())) <= 80
    assert "unclear" in printed.terminal(evaluation(low=-1.0)) and "better" not in printed.terminal(evaluation())


def test_a_terminal_obeys_no_answer() -> None:
    shown = evaluation()
    shown["examples"][0] |= {"question": "a\x1b[2J", "tuned": "\x07b\u202e"}
    assert printed.brief(shown).splitlines()[:4] == ["a�[2J", "true   a | b", "base   —", "tuned  �b�"]


def test_a_command_in_an_answer_is_not_broken_at_a_hyphen() -> None:
    shown = evaluation()
    shown["examples"][0]["true"] = (
        '{"area": "endpoint", "urgency": "normal", "next": "az ml online-deployment get-logs"}'
    )
    assert printed.brief(shown).splitlines()[2] == '       online-deployment get-logs"}'


def test_a_brief_one_has_the_answers_and_a_line_of_figures() -> None:
    shown = evaluation()
    number = {"value": 50.0, "low": 0, "high": 100, "cases": 24}
    one = {"percent": True, "base": {**number, "value": 0.0}, "tuned": number}
    shown["measures"] = {
        "json_valid": one,
        "json_exact": one,
        "general_right": one,
        "rouge_l": {**one, "percent": False},
    }
    shown["examples"][0]["question"] = "system: be brief\nuser: first\nassistant: yes\nuser: and then?"
    assert printed.brief(shown).splitlines() == [
        "and then?", "true   a | b", "base   —", "tuned  two lines", "",
        "valid JSON 12 of 24 (base 0), all right 12 of 24 (0), general 12 of 24 (0)",
    ]  # fmt: skip
    del shown["measures"]["json_valid"], shown["measures"]["json_exact"]
    assert printed.brief(shown).splitlines()[-1] == "ROUGE-L 50.00 (base 0.00), general 12 of 24 (0)"


def test_what_was_given_for_what_is_a_table_with_heads_whose_colours_are_shares_of_the_row() -> None:
    page = report.html(evaluation())
    assert (
        '<th scope="row">&lt;b&gt;</th><td class="right h4">3</td><td class="none">0</td><td class="wrong h2">1' in page
    )
    assert '<th scope="col" abbr="other" title="other">other</th>' in page and "<caption>tuned</caption>" in page
    assert "<caption>base</caption>" not in page  # it was not asked
    many = evaluation()
    many["confusions"] = [confusion("a long label", "another long label")]
    page = report.html(many)
    assert '<th scope="col" abbr="a long label" title="a long label">1</th>' in page
    assert '<th scope="row">2 another long label</th>' in page and 'title="other">+</th>' in page


def test_a_long_name_ends_with_the_chart_and_is_whole_in_its_label() -> None:
    shown = evaluation()
    shown["measures"]["refusals"]["title"] = "f" * 200
    page = report.html(shown)
    assert f'class="row" x="0" y="22.0">{"f" * 51}…</text>' in page and "f" * 200 in page


def test_intervals_are_drawn_also_where_they_have_no_end() -> None:
    shown = evaluation()
    refusals = shown["measures"]["refusals"]
    refusals["tuned"] = {**refusals["tuned"], "low": float("-inf"), "high": float("inf")}
    page = report.html(shown)
    assert "refusals: base 1.0 (0.5 to 1.5)" in page and "tuned 1.0 (-inf to inf)" in page
    assert not [part for part in page.split('"') if part in ("inf", "-inf", "nan")]
