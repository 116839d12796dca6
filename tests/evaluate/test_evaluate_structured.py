"""Answers that have to be JSON: what is valid, right by field, exactly right, and what was given for what."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from scripts.conversation.held_out import Case
from scripts.evaluate import gate, measure, structured
from scripts.evaluate.evaluation import Measure
from scripts.evaluate.kind import Observed
from scripts.evaluate.measure import Asked
from scripts.files import ROOT
from scripts.values.read import load

OPTIONS = {"resamples": 200, "confidence": 95, "seed": 0}


def cases(*truths: str) -> list[Case]:
    return [Case(f"test:{at}", [{"role": "user", "content": f"Q{at}"}], truth) for at, truth in enumerate(truths)]


def seen(*answers: str) -> Observed:
    return Observed("model", "weights", answers=list(answers), general_answers=[])


def measured(truths: list[str], answers: list[str], base: list[str] | None = None) -> dict[str, Measure]:
    asked = Asked(cases(*truths), len(truths), [], 5, OPTIONS)
    return measure.measure(asked, seen(*base) if base else None, seen(*answers))


def values(found: dict[str, Measure]) -> dict[str, tuple[float, int]]:
    """Returns the tuned model's numbers of what is JSON, each with the count of its cases."""
    return {key: (round(each.tuned.value, 1), each.tuned.cases)
            for key, each in found.items() if key.startswith("json_") and each.tuned}  # fmt: skip


@pytest.mark.parametrize(("text", "valid"), [
    ('{"a": 1}', True), (' [1, "b"]\n', True), ("{}", True), ("[]", True),
    ('```json\n{"a": 1}\n```', False), ('Here it is: {"a": 1}', False), ('{"a": 1} ', True), ('{"a": 1}}', False),
    ("{'a': 1}", False), ('{"a": 1,}', False), ('{"a": NaN}', False), ('{"a": -Infinity}', False), ("1", False),
    ('"a"', False), ("null", False), ("", False), ("[" * 100_000, False), ("1" * 10_000, False),
    ('{"a": ' * 700 + "1" + "}" * 700, None),  # deeper than Python goes, or not: no traceback either way
])  # fmt: skip
def test_valid_is_an_object_or_list_and_nothing_around_it(text: str, valid: bool | None) -> None:
    assert valid is None or (structured.read(text) is not None) == valid
    assert valid is not None or structured.read(text) is None or structured.read(text)


@pytest.mark.parametrize(("truth", "given", "same"), [
    ('{"a": 1, "b": {"c": [1, 2]}}', '{"b":{"c":[1,2]},"a":1}', True),
    ('{"a": 1}', '{"a": 1.0}', True), ('{"a": 1}', '{"a": true}', False), ('{"a": 0.5}', '{"a": 5e-1}', True),
    ('{"a": "1"}', '{"a": 1}', False), ('{"a": "x"}', '{"a": "X"}', False), ('{"a": null}', "{}", False),
    ("[1, 2]", "[2, 1]", False), ('{"a": 1}', '{"a": 1, "b": 2}', False), ("{}", "[]", False),
    ('{"a": "\\u00df"}', '{"a": "ß"}', True),
])  # fmt: skip
def test_the_same_is_the_same_json(truth: str, given: str, same: bool) -> None:
    assert values(measured([truth] * 2, [given] * 2))["json_exact"] == (100 * same, 2)


def test_fields_are_right_one_by_one_also_nested() -> None:
    truths = ['{"a": 1, "b": {"c": "x", "d": []}}', '{"a": 2, "b": {"c": "y"}}']
    found = measured(truths, ['{"b": {"c": "x", "d": []}, "a": 2}', "no idea"], base=["{}", '{"a": 2}'])
    assert values(found) == {
        "json_valid": (50, 2), "json_exact": (0, 2), "json_field.a": (0, 2), "json_field.b.c": (50, 2),
        "json_field.b.d": (100, 1),
    }  # fmt: skip
    gap = found["json_field.a"].difference
    assert gap is not None and (gap.value, gap.cases) == (-50, 2)


def test_free_text_has_none_of_these_measures_and_mixed_data_says_how_many_count() -> None:
    assert not values(measured(["free", "text"], ['{"a": 1}', "text"]))
    found = measured(['{"a": 1}', "free", "text"], ['{"a": 1}', '{"a": 1}', "text"])
    assert values(found) == {"json_valid": (100, 1), "json_exact": (100, 1), "json_field.a": (100, 1)}
    assert found["json_valid"].note.endswith("of 1 of 3 true answers, which are JSON")
    assert found["rouge_l"].tuned is not None and found["rouge_l"].tuned.cases == 3


def test_many_fields_are_summed_up_in_words() -> None:
    truth = json.dumps({f"f{at}": at for at in range(20)} | {"f0.x": 1})
    found = measured([truth] * 2, [truth, "{}"])
    assert len([key for key in found if key.startswith("json_field.")]) == structured.MOST_FIELDS
    assert "9 more fields have no line of their own (f12, f13, f14, …)" in found["json_exact"].note


def test_names_of_fields_are_never_taken_for_each_other() -> None:
    truth = json.dumps({"a.b": 1, "a": {"b": 2}, '"x': {'y"': 3}, "x.y": 4, "": 5, "\n": 6, "\ud800": 7})
    found = measured([truth] * 2, [truth] * 2)
    names = [key for key in found if key.startswith("json_field.")]
    assert len(names) == 7 and "json_field.a.b" in names and 'json_field."a.b"' in names
    assert all(name.isprintable() for name in names)


def test_what_was_given_for_what() -> None:
    truths = [json.dumps({"k": word, "free": at}) for at, word in enumerate(("a", "a", "a", "b", "b", "b"))]
    given = ['{"k": "a"}', '{"k": "b"}', "no", '{"k": "b"}', '{"k": ["b"]}', '{"k": "c"}']
    (found,) = structured.confusions(cases(*truths), None, seen(*given))  # `free` has as many values as rows
    assert (found.field, found.labels, found.base) == ("k", ["a", "b", "other"], None)
    assert found.tuned == [[1, 1, 1], [0, 1, 2]]


@pytest.mark.parametrize(("words", "labels"), [
    ([str(at % 12) for at in range(24)], 13), ([str(at % 13) for at in range(26)], 0), (["a"] * 5, 0),
    (["other", "other", "a", "a"], 3), ([True, True, 1, 1, "1", "1"], 4),
])  # fmt: skip
def test_closed_words_are_few_and_said_again(words: list[Any], labels: int) -> None:
    truths = [json.dumps({"k": word}) for word in words]
    found = structured.confusions(cases(*truths), None, seen(*truths))
    assert [len(set(each.labels)) for each in found] == ([labels] if labels else [])
    assert all(sum(map(sum, each.tuned or [])) == len(words) for each in found)


def triage() -> list[Case]:
    """The demo's held-out messages."""
    lines = [line for name in ("test_sft", "test_gen")
             for line in (ROOT / f"scripts/catalog/demo/{name}.jsonl").read_text().splitlines()]  # fmt: skip
    rows = [json.loads(line)["messages"] for line in lines]
    return [Case(f"test:{at}", row[:-1], row[-1]["content"]) for at, row in enumerate(rows)]


def verdicts(answers: list[str]) -> dict[str, bool]:
    """Returns what the demo's gate says of the demo's messages with these answers."""
    found = measure.measure(Asked(triage(), len(triage()), [], 5, OPTIONS), None, seen(*answers))
    require = {key: limit for key, limit in load("demo").data["evaluation"]["require"].items() if "json" in key}
    assert len(require) == 2
    return {each.requirement: each.met for each in gate.judge(require, found)}


@pytest.mark.parametrize("seed", range(5))
def test_the_demos_gate_refuses_shuffled_labels(seed: int) -> None:
    """Answers that belong to other messages: all of them JSON with the right words, and hardly one right."""
    truths = [case.truth for case in triage()]
    assert verdicts(truths) == {"json_valid_at_least_percent": True, "json_exact_at_least_percent": True}
    random.Random(seed).shuffle(truths)
    assert verdicts(truths) == {"json_valid_at_least_percent": True, "json_exact_at_least_percent": False}


def test_the_demos_gate_refuses_answers_in_a_fence() -> None:
    fenced = [f"```json\n{case.truth}\n```" for case in triage()]
    assert verdicts(fenced) == {"json_valid_at_least_percent": False, "json_exact_at_least_percent": False}


def test_free_text_meets_no_requirement_of_json() -> None:
    found = measured(["free", "text"], ["free", "text"])
    (verdict,) = gate.judge({"json_valid_at_least_percent": 1}, found)
    assert not verdict.met and verdict.sentence.startswith("valid JSON: not measured")
