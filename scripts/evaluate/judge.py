"""What an answer is, by plain rules: empty, refused, right. No model judges a model here."""

from __future__ import annotations

import re
import string

from scripts.evaluate.statistics import words

# How refusals begin; looked for in the first sentence only, since an answer may well say "you cannot" later.
_REFUSAL = re.compile(
    r"(i'?m|i am|we'?re) (very |really |truly )?(sorry|afraid|unable)|(my )?apologies|i apologi[sz]e|"
    r"(i|we) (can'?t|cannot|can not|won'?t|will not|could not|couldn'?t|am unable to|am not able to|do not feel)\b|"
    r"(unfortunately|sadly),? (i|we) (can'?t|cannot|am|are|do|don'?t)|as an? (ai|artificial|language|large)\b|"
    r"i do(n'?t| not) (have (access|the ability|information|enough)|know)|it is not (possible|appropriate) for me",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[.!?](\s|$)|\n")


def is_empty(answer: str) -> bool:
    """Whether there is not one letter or digit in the answer."""
    return not words(answer)


def is_refusal(answer: str) -> bool:
    """Whether the first sentence of the answer declines to answer; a list of phrases, so an estimate."""
    text = answer.strip().replace("’", "'")  # noqa: RUF001
    first = text[: match.start()] if (match := _SENTENCE.search(text)) else text
    return _REFUSAL.search(first) is not None


def normalized(text: str) -> str:
    """Returns a text without case, articles, punctuation and surplus blanks, as benchmarks of questions compare."""
    kept = "".join(" " if letter in string.punctuation else letter for letter in text.lower())
    return " ".join(word for word in kept.split() if word not in ("a", "an", "the"))


def is_exact(truth: str, answer: str) -> bool:
    """Whether the answer is the true one but for case, articles and punctuation."""
    return normalized(truth) == normalized(answer)


def mentions(answer: str, accepted: list[str]) -> bool:
    """Whether one of the accepted words stands in the answer as a whole word."""
    given = f" {normalized(answer)} "
    return any(f" {normalized(word)} " in given for word in accepted)
