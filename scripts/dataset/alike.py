"""Whether two conversations are alike: by their first question and its answer, whatever system prompt or turns surround
them.

Two steps, because comparing every pair is out of the question. `keys` gives each conversation a few hashes such that
two alike ones share at least one: of the question and of the answer without case and punctuation, of the last exchange
as it stands, and of the question's words without one of them. What shares a hash is a candidate, and `likeness` looks
at both texts.

Own code, and not datasketch or rensa, which were measured on 10,000 conversations of 6 KB (64 hashes of three-word
shingles): 3.3 s and 99 MB, with scipy's 113 MB of disk, and 0.08 s and 17 MB; theirs grow to gigabytes at two million.
And MinHash finds what is similar: a question of six words with another noun in it is more so than one with a word
added, and numbers and operators are words like others.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import xxhash

SAME, NEAR, QUESTION = "same", "near", "question"  # from strong to weak
QUESTION_LENGTH, ANSWER_LENGTH = 4000, 400  # characters that are compared
LITTLE = 8  # bytes without space: shorter questions ("Hi", "Go on") say nothing
SOME = 24  # bytes without space of an answer that says something
EXCHANGE = 12  # characters of an exchange that does
FEW_WORDS, MANY_WORDS = 12, 11  # up to FEW, every word is left out in turn; from MANY on, a quarter of them
LONG_TEXT = 350  # characters: of two longer ones, that may have been cut, two words may differ
CUT_WORDS = 500  # a question with more may have been cut, so that its words cannot be counted
SHORT_WORD = 2  # letters: may be a name in code, whose case counts
LONG_ANSWER = 20  # words: a longer answer is hardly the same by chance,
ALIKE = 0.6  # where this share of the question's words is, too

MOST_EXCHANGES = 32  # of a conversation, that are compared
EXCHANGE_LENGTH = 200  # characters of each of their messages
OPENING = 100  # characters of a first exchange: a shorter one may be a greeting

_SEPARATOR = b"\x1e"
_MIX = np.uint64(0x9E3779B97F4A7C15)
_DIGITS_AND_LETTERS = {*b"abcdefghijklmnopqrstuvwxyz0123456789", *range(0x80, 0x100)}
_NO_TEXT = bytes(sorted({*range(0x80)} - _DIGITS_AND_LETTERS - {_SEPARATOR[0]}))
_SPACED = bytes(each if each >= 0x80 or chr(each).isalnum() else ord(" ") for each in range(256))
_OPERATORS = b"+-*/=<>^%|&~[]{}()\\$@_"
_DIGITS_AND_SIGNS = bytes(each if each in b"0123456789" + _OPERATORS + _SEPARATOR else ord(" ") for each in range(256))
_LETTER = np.array([each >= 0x80 or chr(each).isalpha() for each in range(256)])
_HEAD = np.array([2 ** (8 * length) - 1 for length in range(9)], np.uint64)  # the first bytes of eight
_TAIL = np.array([(2**64 - 1) ^ (2 ** (64 - 8 * length) - 1) for length in range(9)], np.uint64)
_KINDS, _MOST_OF_A_KIND = 12, 7  # of words in an outline: three bits each, and one to borrow from
_SHIFTS = np.arange(0, 4 * _KINDS, 4, dtype=np.uint64)
_GUARDS = np.uint64(0x888888888888)
_LONG = 2**15  # marks the outline of a long text
_FOREIGN_PUNCTUATION = re.compile("[\u00a0-\u00bf\u2000-\u206f\u3000-\u3003\u3008-\u301f]")

# What makes a text code or a formula, where operators and case count: operators, but no dash or slash between words;
# x.y, f(x), camelCase, a letter by itself.
_FORMULA = re.compile(
    r"[+*=<>^%|&~\[\]{}\\$@_`]|\d\s*[-/(]|[-/(]\s*\d|!=|(?<!\w)!\w|[^\W\d]\.[^\W\d]|\w\(|[a-z][A-Z]"
    r"|(?<![\w'\u2019])[b-hj-zB-HJ-Z](?![\w'\u2019])"
)
_SIGNS = re.compile(r"[-+*/=<>^%|&~\[\]{}()\\$@_]|!=|(?<!\w)!(?=\w)")
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


class Keys(NamedTuple):
    """The hashes of some conversations as parallel arrays: `rows` tells whose each of `keys` is.

    `groups` and `outlines` are for each conversation: those that ask the same are of one group, whose hash is also the
    first key of each; the outline tells what `may_be_within` asks. `is_bag` tells keys that are of the question's words
    without one.
    """

    groups: Any
    outlines: Any
    rows: Any
    keys: Any
    is_bag: Any


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
    exchanges = ["\x1f".join([text[:EXCHANGE_LENGTH] for text in texts[at:end]])
                 for at, end in pairwise((*last, len(texts)))]  # fmt: skip
    hashes = tuple([xxhash.xxh32_intdigest(_bytes(each)) if len(each) >= EXCHANGE else 0 for each in exchanges])
    return Talk(_cut(texts[first], QUESTION_LENGTH), _cut(answer, ANSWER_LENGTH), hashes)


@lru_cache(maxsize=4096)  # few sequences of roles make up most of a data set
def _turns(roles: tuple[str, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    asked, answered = (tuple(at for at, role in enumerate(roles) if role == who) for who in ("user", "assistant"))
    return asked, answered


def _cut(text: str, length: int) -> str:
    """Returns the beginning of a text, in whole words."""
    return text if len(text) <= length else text[:length].rpartition(" ")[0] or text[:length]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def keys(talks: Sequence[Talk]) -> Keys:
    """Returns the hashes under which alike conversations meet."""
    hashed = xxhash.xxh3_64_intdigest
    blob = _joined([each.question for each in talks])
    questions = blob.translate(None, _NO_TEXT).split(_SEPARATOR)
    answers = _joined([each.answer for each in talks]).translate(None, _NO_TEXT).split(_SEPARATOR)
    groups = [
        hashed(question if len(question) >= LITTLE else question + b"\x1f" + answer)
        for question, answer in zip(questions, answers, strict=True)
    ]
    answered = np.array([hashed(answer, seed=1) if len(answer) >= SOME else 0 for answer in answers], np.uint64)
    signs = blob.translate(_DIGITS_AND_SIGNS).split(_SEPARATOR)
    salts = np.array([hashed(b" ".join(told), seed=2) if (told := row.split()) else 0 for row in signs], np.uint64)
    words, row = _words(blob)
    count = np.bincount(row, minlength=len(talks))
    bags = _without_a_word(words, row, count, salts)
    whole = [(some, each[some]) for each in (answered, *_tails(talks)) if (some := np.flatnonzero(each)).size]
    rows = np.concatenate([np.arange(len(talks)), *[each for each, _ in (*whole, *bags)]])
    return Keys(
        np.array(groups, np.uint64),
        _outlines(words, row, count, [len(each.question) > LONG_TEXT for each in talks]),
        rows,
        np.concatenate([np.array(groups, np.uint64), *[each for _, each in (*whole, *bags)]]),
        np.arange(len(rows)) >= len(rows) - sum(len(each) for each, _ in bags),
    )


def _tails(talks: Sequence[Talk]) -> tuple[Any, Any]:
    """Returns hashes of how conversations end: by the last exchange, and by the last two; 0 where one is too short."""
    exchanges = [each.exchanges for each in talks]
    last = np.array([each[-1] if each else 0 for each in exchanges], np.uint64) * _MIX
    before = np.array([each[-2] if len(each) > 1 else 0 for each in exchanges], np.uint64)
    return last, np.where((last != 0) & (before != 0), (last + before) * _MIX, np.uint64(0))


def _joined(texts: list[str]) -> bytes:
    pieces = [text.encode() if text.isascii() else _bytes(_folded(text)) for text in texts]
    whole = _SEPARATOR.join(pieces)
    if whole.count(_SEPARATOR) != len(texts) - 1:
        whole = _SEPARATOR.join([piece.replace(_SEPARATOR, b" ") for piece in pieces])
    return whole.lower()


def _folded(text: str) -> str:
    """Returns a text without case, and without other alphabets' punctuation and compatibility forms."""
    if text.isascii():
        return text.lower()
    return _FOREIGN_PUNCTUATION.sub(" ", unicodedata.normalize("NFKC", text.casefold()))


def _without_a_word(words: Any, row: Any, count: Any, salts: Any) -> list[tuple[Any, Any]]:
    """Returns (rows, keys) of the bags of words, each without one word or class of words: an added word is left out.

    Numbers and operators are in `salts`, and so in every key: they are never what was added.
    """
    ends = np.cumsum(count)
    bags = _sums(words, ends) + salts
    some = np.flatnonzero(count)
    few = np.flatnonzero(count[row] <= FEW_WORDS)
    out = [(some, bags[some]), (row[few], bags[row[few]] - words[few])]
    many = np.flatnonzero(count >= MANY_WORDS)
    if many.size:
        kinds = words >> np.uint64(62)
        for kind in range(4):
            part = _sums(np.where(kinds == kind, words, np.uint64(0)), ends)
            out.append((many, bags[many] - part[many]))
    return out


def _sums(words: Any, ends: Any) -> Any:
    sums = np.concatenate((np.zeros(1, np.uint64), np.cumsum(words, dtype=np.uint64)))[ends]
    return np.diff(sums, prepend=np.uint64(0))


def _words(blob: bytes) -> tuple[Any, Any]:
    """Returns the hash of every word, of its first and last eight bytes and its length, and the row it stands in."""
    whole = b" " * 8 + blob + b" " * 8
    signs = np.frombuffer(whole, np.uint8)
    letters = _LETTER[signs]
    edges = np.flatnonzero(letters[1:] != letters[:-1]) + 1
    starts, ends = edges[::2], edges[1::2]
    eights = np.ndarray(len(whole) - 7, "<u8", whole, strides=(1,))
    length = (ends - starts).astype(np.uint64)
    part = np.minimum(length, np.uint64(8)).astype(np.int64)
    head, tail = eights[starts] & _HEAD[part], eights[ends - 8] & _TAIL[part]
    mixed = (head * _MIX) ^ (tail * np.uint64(0xC2B2AE3D27D4EB4F) + length)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(32))) * np.uint64(0x94D049BB133111EB)
    row = np.searchsorted(np.flatnonzero(signs == _SEPARATOR[0]), starts)
    return mixed ^ (mixed >> np.uint64(31)), row


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


def _outlines(words: Any, row: Any, count: Any, is_long: list[bool]) -> Any:
    """Returns of every question, in 64 bits, how many words of each of twelve classes it has, and how many words."""
    kind = (words >> np.uint64(16)) % np.uint64(_KINDS)
    counts = np.bincount(row * _KINDS + kind.astype(np.int64), minlength=len(count) * _KINDS).reshape(-1, _KINDS)
    classes = (np.minimum(counts, _MOST_OF_A_KIND).astype(np.uint64) << _SHIFTS).sum(axis=1, dtype=np.uint64)
    total = np.where(is_long, _LONG, 0) + np.minimum(count, _LONG - 1)
    return classes << np.uint64(16) | total.astype(np.uint64)


def may_be_within(ones: Any, others: Any) -> Any:
    """Tells by the outlines of questions, pair by pair, whether one may be the other with few words added.

    Most that share a bag of words are no such pair.
    """
    totals = [(each & np.uint64(2 * _LONG - 1)).astype(np.int64) for each in (ones, others)]
    is_long = np.maximum(*totals) >= _LONG
    one, other = (each % _LONG for each in totals)
    fewer, more = np.minimum(one, other), np.abs(one - other)
    ones, others = ones >> np.uint64(16), others >> np.uint64(16)
    holds = (ones | _GUARDS) - others & _GUARDS == _GUARDS  # no class has more words in the other
    is_held = (others | _GUARDS) - ones & _GUARDS == _GUARDS
    return (fewer >= CUT_WORDS) | (more > 0) & (more <= 1 + fewer // 4) & (holds | is_held | is_long)


class _Text:
    """A text, taken apart for comparison as far as that is asked for."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.folded = _bytes(_folded(text))
        self.glued = self.folded.translate(None, _NO_TEXT)  # the letters and digits, without case

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
        return _bytes(self.text).translate(_SPACED, b"'").split()

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
        return (not is_formula or len(self.words) > FEW_WORDS) and self.text in (self.text.lower(), self.text.title())


_taken_apart = lru_cache(maxsize=1024)(_Text)  # what is asked often is compared often
