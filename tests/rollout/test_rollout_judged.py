"""What a round says: nonsense is refused, what is as good is not by chance, and a blink is no latency."""

import random

import pytest

from scripts.conversation.held_out import Case
from scripts.rollout.judged import Limits, Round, score
from scripts.rollout.service import Reply

LIMITS = Limits(most_errors_percent=0, most_slower_percent=50, answers_at_least_percent=80)
QUESTION = [{"role": "user", "content": "?"}]


def a_round(new, old, truths=None):
    """A round of replies: a text, or a pair of text and seconds."""
    replies = [[Reply(*each) if isinstance(each, tuple) else Reply(each, 0.1) for each in some] for some in (new, old)]
    cases = [Case(str(number), QUESTION, truth) for number, truth in enumerate(truths or ["yes"] * len(new))]
    return Round(cases, *replies)


@pytest.mark.parametrize(("new", "old", "said"), [
    (["yes"] * 5, ["yes"] * 5, ""),
    (["no"] * 5, ["yes"] * 5, "answers: 0.00 of 1"),
    (["no"] * 5, ["no"] * 5, ""),  # the old one knows no better
    (["yes"] * 19 + ["no"], ["yes"] * 20, ""),  # one worse answer is chance
    (["no"] * 10 + ["yes"] * 10, ["yes"] * 20, "answers: 0.50 of 1 on the true answers where what answers now has 1"),
    (["no"], ["yes"], ""),  # of one question nothing is known
    (["yes"] * 4 + [" "], ["yes"] * 5, "errors: 1 of 5 questions got no answer (the answer was empty)"),
    (["yes"] * 4 + [" "], ["yes"] * 4 + [""], ""),
    ([("", 0.1, "HTTP 424")] + ["yes"] * 4, ["yes"] * 5, "errors: 1 of 5 questions got no answer (HTTP 424)"),
    ([("yes", 0.6)] * 5, [("yes", 0.3)] * 5, "latency: the median is 0.60 s, 100 % more than the 0.30 s"),
    ([("yes", 0.29)] * 5, [("yes", 0.1)] * 5, ""),  # less than a blink
    ([("yes", 1.4)] * 5, [("yes", 1.0)] * 5, ""),
    ([("yes", 9.0)] + [("yes", 0.3)] * 4, [("yes", 0.3)] * 5, ""),  # the first answer takes longer
    (["yes"] * 3, [], ""),
])  # fmt: skip
def test_what_a_round_says(new, old, said):
    found = a_round(new, old).fault(LIMITS)
    assert found.startswith(said) and bool(found) == bool(said)


def test_what_is_as_good_is_hardly_ever_refused():
    """Two models that are right four times of five, independently: 20 questions each, a thousand rollouts."""
    draw, refused = random.Random(1), 0
    for _ in range(1000):
        new, old = ([draw.choices(["yes", "no"], [4, 1])[0] for _ in range(20)] for _ in range(2))
        refused += bool(a_round(new, old).fault(LIMITS))
    assert refused <= 10


def test_nonsense_is_always_refused_with_six_questions():
    draw = random.Random(2)
    for _ in range(200):
        old = ["yes"] * 5 + [draw.choice(["yes", "no"])]
        assert a_round(["lorem ipsum"] * 6, old).fault(LIMITS)


@pytest.mark.parametrize(("truth", "given", "right"), [
    ('{"a": 1, "b": "x"}', '{"b": "x", "a": 1.0}', 1), ('{"a": 1}', '{"a": 2}', 0), ('{"a": 1}', 'a is 1', 0),
    ("the cat sat", "the cat sat", 1), ("the cat sat", "dogs", 0),
])  # fmt: skip
def test_json_is_right_as_a_whole_and_text_by_its_words(truth, given, right):
    assert score(Case("", QUESTION, truth), given) == right
