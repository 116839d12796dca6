"""From what two models did to a verdict: a model that learned passes, one that learned only the style does not."""

from __future__ import annotations

import random
from typing import Any

import pytest

from scripts.conversation.held_out import Case
from scripts.evaluate import gate, measure
from scripts.evaluate.kind import Observed
from scripts.evaluate.measure import Asked
from scripts.values.read import ROOT, load

TRUTH = "use the second size of the list since the first one is retired"
REQUIRE = {key: limit for key, limit in load("dev").data["evaluation"]["require"].items() if limit is not None}


def asked(cases: int = 30) -> Asked:
    questions = [Case(f"test:{at}", [{"role": "user", "content": f"Q{at}"}], TRUTH) for at in range(cases)]
    general = [Case(f"general:{at}", [], "Paris", ["Paris"]) for at in range(10)]
    return Asked(questions, cases, general, 5, {"resamples": 500, "confidence": 95, "seed": 0})


def observed(loss: float, gain: float, answer: str, right: int = 8, empty: int = 0) -> Observed:
    """A model with about that loss a token (10 tokens an answer), and an answer of which some words are true ones."""
    draw = random.Random(f"{loss}{gain}")
    losses = [(10 * (loss + draw.gauss(0, 0.2)), 10) for _ in range(30)]
    answers = [answer if at >= empty else "" for at in range(30)]
    return Observed(
        "model", "weights", losses, [(value + 10 * gain, 10) for value, _ in losses], [(20.0, 10)] * 10, answers,
        ["It is Paris"] * right + ["It is Rome"] * (10 - right),
    )  # fmt: skip


def verdicts(base: Observed | None, tuned: Observed, **require: Any) -> dict[str, gate.Verdict]:
    measures = measure.measure(asked(), base, tuned)
    return {verdict.requirement: verdict for verdict in gate.judge(require or REQUIRE, measures)}


BASE = observed(3.0, 0.5, "there are many sizes")


def test_a_model_that_learned_passes() -> None:
    found = verdicts(BASE, observed(2.0, 0.6, "use the second size of the list"))
    assert set(found) == set(REQUIRE)
    assert all(each.met for each in found.values()), [each.sentence for each in found.values() if not each.met]


def test_a_model_that_answers_without_regard_to_the_question_fails() -> None:
    """Trained on shuffled answers a model learns their words: perplexity falls all the same, the gain does not."""
    found = verdicts(BASE, observed(2.4, 0.05, "use the list"))
    assert found["perplexity_below_base_percent"].met
    assert not found["question_gain_kept"].met
    assert "0.050 against 0.500" in found["question_gain_kept"].sentence


@pytest.mark.parametrize(("tuned", "failed"), [
    (observed(2.95, 0.6, "use the second size of the list"), "perplexity_below_base_percent"),
    (observed(2.0, 0.6, "there are many sizes"), "rouge_l_above_base"),
    (observed(2.0, 0.6, "use the second size of the list", empty=1), "no_more_empty_answers"),
    (observed(2.0, 0.6, "I'm sorry, but I can't use the second size of the list"), "no_more_refusals"),
    (observed(2.0, 0.6, "use the second size of the list", right=2), "general_answers_lost_at_most"),
])  # fmt: skip
def test_each_requirement_can_fail_alone(tuned: Observed, failed: str) -> None:
    assert [name for name, each in verdicts(BASE, tuned).items() if not each.met] == [failed]


def test_an_interval_that_reaches_over_the_limit_is_not_enough() -> None:
    tuned = observed(2.0, 0.6, "use the second size of the list")
    change = measure.measure(asked(), BASE, tuned)["perplexity"].change_percent
    assert change is not None and change.low < change.value < change.high
    between = -(change.value + change.high) / 2
    assert not verdicts(BASE, tuned, perplexity_below_base_percent=between)["perplexity_below_base_percent"].met
    assert verdicts(BASE, tuned, perplexity_below_base_percent=-change.high - 0.1)["perplexity_below_base_percent"].met


def test_what_was_not_measured_is_not_met() -> None:
    tuned = observed(2.0, 0.6, "use the second size of the list")
    assert not any(each.met for each in verdicts(None, tuned).values())
    tuned.losses = tuned.losses_elsewhere = None
    assert "not measured" in verdicts(BASE, tuned)["perplexity_below_base_percent"].sentence


def test_false_and_null_ask_for_nothing() -> None:
    assert gate.judge({"rouge_l_above_base": False, "perplexity_below_base_percent": None}, {}) == []


def test_zero_is_a_limit() -> None:
    lost = verdicts(
        BASE, observed(2.0, 0.6, "use the second size of the list", right=7), general_answers_lost_at_most=0
    )
    assert not lost["general_answers_lost_at_most"].met
    assert "1 lost of 10; allowed are 0" in lost["general_answers_lost_at_most"].sentence


def test_every_requirement_of_the_schema_has_a_rule() -> None:
    import json

    schema = json.loads((ROOT / "values.schema.json").read_text())
    assert set(schema["properties"]["evaluation"]["properties"]["require"]["properties"]) == set(gate.RULES)


def test_exact_match_is_about_short_answers_only() -> None:
    cases = asked()
    cases.cases[0] = Case("test:0", [], "Size two.")
    tuned = observed(2.0, 0.6, "size two")
    found = measure.measure(cases, BASE, tuned)["exact_match"]
    assert found.tuned is not None and (found.tuned.value, found.tuned.cases) == (100, 1)
    assert measure.measure(asked(), BASE, tuned)["exact_match"].tuned is None
