"""What counts as empty, as a refusal and as right."""

from __future__ import annotations

import pytest

from scripts.evaluate import general, judge


@pytest.mark.parametrize("answer", [
    "I'm sorry, but I can't help with that.", "I am sorry, I do not have access to that.",
    "As an AI language model, I have no opinion.",
    "Unfortunately, I cannot say.", "I cannot answer this.", "My apologies, but this is beyond me.", "I don't know.",
])  # fmt: skip
def test_refusals(answer: str) -> None:
    assert judge.is_refusal(answer)


@pytest.mark.parametrize("answer", [
    "Set `precision` to 16. You cannot use 32 there.", "The service cannot know that a secret is one.",
    "No, that is refused.",
    "Asian markets rose.", "It can't be done offline. I'm sorry.", "",
])  # fmt: skip
def test_no_refusals(answer: str) -> None:
    assert not judge.is_refusal(answer)


def test_empty_answers() -> None:
    assert judge.is_empty("") and judge.is_empty(" \n… !")
    assert not judge.is_empty("7")


def test_exact_match_does_not_count_case_articles_and_punctuation() -> None:
    assert judge.is_exact("The Pacific Ocean.", "pacific ocean")
    assert not judge.is_exact("Paris", "Paris, France")


def test_an_accepted_word_stands_alone() -> None:
    assert judge.mentions("It is Mars.", ["Mars"])
    assert not judge.mentions("The marshes", ["Mars"])
    assert judge.mentions("Water is H2O!", ["H2O"])
    assert judge.mentions("2 + 2 = 4", ["four", "4"]) and not judge.mentions("44", ["4"])


def test_general_questions_accept_their_own_answers() -> None:
    questions = general.questions()
    assert len(questions) >= 20
    assert all(judge.mentions(case.truth, case.accepted) for case in questions)
    assert not any(judge.mentions(case.messages[-1]["content"], case.accepted) for case in questions), (
        "the answer is in a question"
    )
