"""Whether two conversations are alike: by their first question and its answer, whatever system prompt or turns surround
them. `candidates` says which pairs are worth this look.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import NamedTuple

import xxhash

SAME, NEAR, QUESTION = "same", "near", "question"  # from strong to weak
QUESTION_LENGTH, ANSWER_LENGTH = 4000, 400  # characters that are compared
LITTLE = 8  # bytes without space: shorter questions ("Hi", "Go on") say nothing
EXCHANGE = 12  # characters of an exchange that does
LONG_TEXT = 350  # characters: of two longer ones, that may have been cut, two words may differ
FORMULA_WORDS = 12  # of a text that may be one formula
SHORT_WORD = 2  # letters: may be a name in code, whose case counts
LONG_ANSWER = 20  # words: a longer answer is hardly the same by chance,
ALIKE = 0.6  # where this share of the question's words is, too

MOST_EXCHANGES = 32  # of a conversation, that are compared
EXCHANGE_LENGTH = 200  # characters of each of their messages
OPENING = 100  # characters of a first exchange: a shorter one may be a greeting

SEPARATOR = b"\x1e"
_DIGITS_AND_LETTERS = {*b"abcdefghijklmnopqrstuvwxyz0123456789", *range(0x80, 0x100)}
NO_TEXT = bytes(sorted({*range(0x80)} - _DIGITS_AND_LETTERS - {SEPARATOR[0]}))
_SPACED = bytes(each if each >= 0x80 or chr(each).isalnum() else ord(" ") for each in range(256))
_FOREIGN_PUNCTUATION = re.compile("[\u00a0-\u00bf\u2000-\u206f\u3000-\u3003\u3008-\u301f]")

# What makes a text code or a formula, where operators and case count: operators, but no dash or slash between words;
# x.y, f(x), camelCase, a letter by itself.
_FORMULA = re.compile(
    r"[+*=<>^%|&~\[\]{}\\$@_`]|\d\s*[-/(]|[-/(]\s*\d|!=|(?<!\w)!\w|[^\W\d]\.[^\W\d]|\w\(|[a-z][A-Z]"
    r"|(?<![\w'\u2019])[b-hj-zB-HJ-Z](?![\w'\u2019])"
)
OPERATORS = "+-*/=<>^%|&~[]{}()\\$@_"
_SIGNS = re.compile(rf"[{re.escape(OPERATORS)}]|!=|(?<!\w)!(?=\w)")
_NUMBER = re.compile(r"\d+")


class Talk(NamedTuple):
    """What is compared of a conversation: a question, its answer, and hashes of all exchanges (0: too short)."""

    question: str
    answer: str
    exchanges: tuple[int, ...]

    def continues(self, other: Talk) -> bool:
        """Tells whether both end alike: by two exchanges, since the last may be a farewell, or by all that there is."""
        one, two = self.exchanges[-2:], other.exchanges[-2:]
        length = min(len(one), len(two))
        return length > 0 and one[-length:] == two[-length:] and all(one[-length:])

    def goes_on_as(self, other: Talk) -> bool:
        """Tells whether half of the shorter one's exchanges, but for the first, are in the longer one too."""
        short, long = sorted((self.exchanges, other.exchanges), key=len)
        return 2 * sum(each in long[1:] for each in short[1:]) >= len(short) - 1


def talk(roles: tuple[str, ...], texts: Sequence[str]) -> Talk:
    """Returns of a conversation the first question that says something, and its answer; and exchanges as hashes.

    These are the last two, or all where the first one may be a mere greeting.
    """
    asked, answered = _turns(roles)
    if not asked:
        return Talk("", "", ())
    first = asked[0]
    if len(texts[first]) <= LITTLE:
        first = next((at for at in asked if len(texts[at]) > LITTLE), first)
    answer = next((texts[at] for at in answered if at > first and texts[at]), "")
    is_short = len(texts[first]) + len(answer) < 2 * OPENING
    last = asked[-MOST_EXCHANGES:] if is_short else asked[-2:]
    exchanges = tuple([_hashed(texts[at:end]) for at, end in pairwise((*last, len(texts)))])
    return Talk(_cut(texts[first], QUESTION_LENGTH), _cut(answer, ANSWER_LENGTH), exchanges)


def _hashed(exchange: Sequence[str]) -> int:
    said = "\x1f".join([text[:EXCHANGE_LENGTH] for text in exchange])
    return xxhash.xxh32_intdigest(encoded(said)) if len(said) >= EXCHANGE else 0


@lru_cache(maxsize=4096)  # few sequences of roles make up most of a data set
def _turns(roles: tuple[str, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    asked, answered = (tuple(at for at, role in enumerate(roles) if role == who) for who in ("user", "assistant"))
    return asked, answered


def _cut(text: str, length: int) -> str:
    """Returns the beginning of a text, in whole words."""
    return text if len(text) <= length else text[:length].rpartition(" ")[0] or text[:length]


def encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def folded(text: str) -> str:
    """Returns a text without case, and without other alphabets' punctuation and compatibility forms."""
    if text.isascii():
        return text.lower()
    return _FOREIGN_PUNCTUATION.sub(" ", unicodedata.normalize("NFKC", text.casefold()))


def likeness(one: Talk, other: Talk) -> str | None:
    """Tells whether one conversation is the other with small changes (`NEAR`), or only asks the same (`QUESTION`).

    Numbers have to be equal, in code and formulas operators too, and for `NEAR` also their case.
    """
    if one.continues(other):
        return NEAR
    found = _likeness(one, other)
    if found == NEAR and len(one.question) + len(one.answer) < OPENING and not one.goes_on_as(other):
        return QUESTION
    return found


def _likeness(one: Talk, other: Talk) -> str | None:
    asked = (_taken_apart(one.question), _taken_apart(other.question))
    answered = (_taken_apart(one.answer), _taken_apart(other.answer))
    same_letters, same_answer = asked[0].glued == asked[1].glued, answered[0].is_same(answered[1])
    no_answer = not (one.answer and other.answer)
    near_answer = same_answer or no_answer or answered[0].is_within(answered[1])
    if not (same_letters or near_answer):
        return None
    same_question = same_letters and asked[0].is_same(asked[1])
    near = near_answer and (same_question or asked[0].is_within(asked[1]))
    if same_answer and not near and len(answered[0].words) >= LONG_ANSWER:
        near = asked[0].resemblance(asked[1]) >= ALIKE
    same_letters = same_letters and answered[0].glued == answered[1].glued
    if near or same_letters:
        same_signs = asked[0].has_signs_of(asked[1]) and (no_answer or answered[0].has_signs_of(answered[1]))
        if near and same_signs and asked[0].has_case_of(asked[1]):
            shouted = any(text.is_of_one_case(True) for text in asked)
            is_formula = answered[0].is_formula or answered[1].is_formula
            if no_answer or shouted or not is_formula or answered[0].has_case_of(answered[1]):
                return NEAR
        bare = any(text.is_bare for text in asked)  # without punctuation, signs cannot be compared
        if bare and not same_signs and same_letters:
            return NEAR if len(asked[0].glued + answered[0].glued) >= OPENING else QUESTION
    asks_something = len(asked[0].glued) >= LITTLE
    return QUESTION if same_question and asks_something and asked[0].has_signs_of(asked[1]) else None


class _Text:
    """A text, taken apart for comparison as far as that is asked for."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.folded = encoded(folded(text))
        self.glued = self.folded.translate(None, NO_TEXT)  # the letters and digits, without case

    @cached_property
    def words(self) -> list[bytes]:
        """The words and numbers, without case."""
        return self.folded.translate(_SPACED, b"'").split()

    @cached_property
    def vocabulary(self) -> set[bytes]:
        """The different words."""
        return {*self.words}

    @cached_property
    def is_formula(self) -> bool:
        """Whether operators and case count."""
        return _FORMULA.search(self.text) is not None

    @property
    def is_bare(self) -> bool:
        """Whether there is no operator."""
        return _SIGNS.search(self.text) is None

    def is_same(self, other: _Text) -> bool:
        """Tells two texts that differ in case, space and punctuation only."""
        if self.text == other.text:
            return True
        return self.glued == other.glued and (self.words == other.words or not (self.is_formula or other.is_formula))

    def has_signs_of(self, other: _Text) -> bool:
        """Tells whether two texts have the same numbers, and where they are code or formulas the same operators."""
        if self.text == other.text:
            return True
        return self._agrees(other, _NUMBER.findall(self.text), _NUMBER.findall(other.text)) and (
            self._agrees(other, _SIGNS.findall(self.text), _SIGNS.findall(other.text))
            or not (self.is_formula or other.is_formula)
        )

    def _agrees(self, other: _Text, mine: list[str], others: list[str]) -> bool:
        if mine == others:
            return True
        same = all(one == two for one, two in zip(mine, others, strict=False))
        return same and abs(len(mine) - len(others)) <= 3 and self._is_cut(other)

    def has_case_of(self, other: _Text) -> bool:
        """Tells whether common words have the same case where that matters: in code and formulas, and of short words.

        A text that is all of one case is one that somebody has changed.
        """
        if self.text == other.text:
            return True
        is_formula = self.is_formula or other.is_formula
        if not is_formula and len(self.words) == 1:
            return len(self.text) > SHORT_WORD
        if self.is_of_one_case(is_formula) or other.is_of_one_case(is_formula):
            return True
        common = {word for word in {*self.words} & {*other.words} if is_formula or len(word) <= SHORT_WORD}
        one, two = ([word for word in each._cased() if word.lower() in common] for each in (self, other))
        if len(one) == len(two):
            differ = sum(first != second for first, second in zip(one, two, strict=True))
        else:
            differ = min((Counter(one) - Counter(two)).total(), (Counter(two) - Counter(one)).total())
        return differ <= (0 if is_formula else len(self.words) // 8)

    def _cased(self) -> list[bytes]:
        return encoded(self.text).translate(_SPACED, b"'").split()

    def is_within(self, other: _Text) -> bool:
        """Tells whether one of two texts has all words of the other, and few more."""
        is_cut = self._is_cut(other)
        fewer, most = sorted((len(self.words), len(other.words)))
        if not (0 < most - fewer <= 1 + fewer // 4 or is_cut):
            return False
        mine, others = self.vocabulary, other.vocabulary
        if min(len(mine - others), len(others - mine)) > 2 * is_cut:  # told much faster than by counting
            return False
        one, two = Counter(self.words), Counter(other.words)
        more, less = (one - two).total(), (two - one).total()
        return min(more, less) <= 2 * is_cut and 0 < max(more, less) <= 1 + (len(self.words) - more) // 4

    def resemblance(self, other: _Text) -> float:
        """Returns the share of words that two texts have in common; 1 where one has all words of the other."""
        one, two = Counter(self.words), Counter(other.words)
        shared = (one & two).total()
        return 1.0 if shared == min(one.total(), two.total()) else shared / (one | two).total()

    def _is_cut(self, other: _Text) -> bool:
        """Tells whether one text may have been cut, so that a few of the last words may differ."""
        return max(len(self.text), len(other.text)) > LONG_TEXT

    def is_of_one_case(self, is_formula: bool) -> bool:
        """Tells a text whose case somebody has changed: all capitals, or all small, but not in a short formula."""
        if len([word for word in self.words if len(word) > 1]) < 2:
            return False
        if self.text == self.text.upper():
            return True
        may_count = is_formula and len(self.words) <= FORMULA_WORDS
        return not may_count and self.text in (self.text.lower(), self.text.title())


_taken_apart = lru_cache(maxsize=1024)(_Text)  # what is asked often is compared often
