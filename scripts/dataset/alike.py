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
CUT_WORDS = 500  # a question with more may have been cut, so that its words cannot be counted
SHORT_WORD = 2  # letters: may be a name in code, whose case counts
LONG_ANSWER = 20  # words: a longer answer is hardly the same by chance,
ALIKE = 0.6  # where this share of the question's words is, too

MOST_EXCHANGES = 32  # of a conversation, that are compared
EXCHANGE_LENGTH = 200  # characters of each of their messages
OPENING = 100  # characters of a first exchange: a shorter one may be a greeting

_GAP = "\x1e"
_MIX = 0x9E3779B97F4A7C15
_DIGITS_AND_LETTERS = {*b"abcdefghijklmnopqrstuvwxyz0123456789", *range(0x80, 0x100)}
_NO_TEXT = bytes(sorted({*range(0x80)} - _DIGITS_AND_LETTERS - {ord(_GAP)}))
_SPACED = bytes(each if each >= 0x80 or chr(each).isalnum() else ord(" ") for each in range(256))
_OPERATORS = b"+-*/=<>^%|&~[]{}()\\$@_"
_DIGITS_AND_SIGNS = bytes(
    each if each in b"0123456789" + _OPERATORS + _GAP.encode() else ord(" ") for each in range(256)
)
_LETTER = np.array([each >= 0x80 or chr(each).isalpha() for each in range(256)])
_HEAD = np.array([2 ** (8 * length) - 1 for length in range(9)], np.uint64)  # the first bytes of eight
_TAIL = np.array([(2**64 - 1) ^ (2 ** (64 - 8 * length) - 1) for length in range(9)], np.uint64)
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

    def tails(self) -> list[int]:
        """Returns hashes of how it ends: by its last exchange, and by its last two."""
        if not self.exchanges or not self.exchanges[-1]:
            return []
        last = self.exchanges[-1] * _MIX % 2**64
        two = len(self.exchanges) > 1 and self.exchanges[-2]
        return [last, (last + self.exchanges[-2]) * _MIX % 2**64] if two else [last]

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

    `groups` and `words` are for each conversation: those that ask the same are of one group; words of the question.
    `is_bag` tells keys that are of the question's words without one.
    """

    groups: Any
    words: Any
    rows: Any
    keys: Any
    is_bag: Any


def talk(roles: tuple[str, ...], texts: Sequence[str]) -> Talk:
    """Returns of a conversation the first question that says something, and its answer; and all exchanges as hashes."""
    asked = _asked(roles)
    if not asked:
        return Talk("", "", ())
    first = next((at for at in asked if len(texts[at]) > LITTLE), asked[0])
    answer = next((texts[at] for at in range(first + 1, len(roles)) if roles[at] == "assistant" and texts[at]), "")
    begun = [text[:EXCHANGE_LENGTH] for text in texts]
    exchanges = ["\x1f".join(begun[at:end]) for at, end in pairwise([*asked[-MOST_EXCHANGES:], len(texts)])]
    hashes = tuple([xxhash.xxh32_intdigest(_bytes(each)) if len(each) >= EXCHANGE else 0 for each in exchanges])
    return Talk(_cut(texts[first], QUESTION_LENGTH), _cut(answer, ANSWER_LENGTH), hashes)


@lru_cache(maxsize=4096)  # few sequences of roles make up most of a data set
def _asked(roles: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(at for at, role in enumerate(roles) if role == "user")


def _cut(text: str, length: int) -> str:
    """Returns the beginning of a text, in whole words."""
    return text if len(text) <= length else text[:length].rpartition(" ")[0] or text[:length]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def keys(talks: Sequence[Talk]) -> Keys:
    """Returns the hashes under which alike conversations meet."""
    hashed = xxhash.xxh3_64_intdigest
    blob = _joined([each.question for each in talks])
    questions = blob.translate(None, _NO_TEXT).split(_GAP.encode())
    answers = _joined([each.answer for each in talks]).translate(None, _NO_TEXT).split(_GAP.encode())
    groups, rows, found = [], [], []
    for at, (question, answer) in enumerate(zip(questions, answers, strict=False)):
        group = hashed(question if len(question) >= LITTLE else question + b"\x1f" + answer)
        groups.append(group)
        rows.append(at)
        found.append(group)
        if len(answer) >= SOME:
            rows.append(at)
            found.append(hashed(answer, seed=1))
        for tail in talks[at].tails():
            rows.append(at)
            found.append(tail)
    signs = blob.translate(_DIGITS_AND_SIGNS).split(_GAP.encode())
    salts = np.array([hashed(b" ".join(row.split()), seed=2) for row in signs], np.uint64)
    words, row = _words(blob)
    count = np.bincount(row, minlength=len(talks))
    bags = _without_a_word(words, row, count, salts)
    return Keys(
        np.array(groups, np.uint64),
        count,
        np.concatenate([np.array(rows, np.int64), *[each for each, _ in bags]]),
        np.concatenate([np.array(found, np.uint64), *[each for _, each in bags]]),
        np.arange(len(rows) + sum(len(each) for each, _ in bags)) >= len(rows),
    )


def _joined(texts: list[str]) -> bytes:
    whole = _GAP.join(texts)
    if whole.count(_GAP) != len(texts) - 1:
        whole = _GAP.join([text.replace(_GAP, " ") for text in texts])
    if whole.isascii():
        return whole.lower().encode()
    return _bytes(_GAP.join([_folded(text) for text in whole.split(_GAP)]))


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
    mixed = (head * np.uint64(0x9E3779B97F4A7C15)) ^ (tail * np.uint64(0xC2B2AE3D27D4EB4F) + length)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(32))) * np.uint64(0x94D049BB133111EB)
    row = np.searchsorted(np.flatnonzero(signs == ord(_GAP)), starts)
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
    asked = (_Text(one.question), _Text(other.question))
    same_letters = asked[0].glued == asked[1].glued
    same_question = same_letters and asked[0].is_same(asked[1])
    near = same_question or asked[0].is_within(asked[1])
    shorter, longer = sorted((len(one.answer), len(other.answer)))
    if not (near or same_letters or (longer > LONG_ANSWER and shorter > 0.7 * longer)):
        return None
    answered = (_Text(one.answer), _Text(other.answer))
    same_answer, no_answer = answered[0].is_same(answered[1]), not shorter
    if same_answer and len(answered[0].words) >= LONG_ANSWER:
        near = near or asked[0].resemblance(asked[1]) >= ALIKE
    if not (near or same_letters):
        return None
    near = near and (same_answer or no_answer or answered[0].is_within(answered[1]))
    same_signs = asked[0].has_signs_of(asked[1]) and (no_answer or answered[0].has_signs_of(answered[1]))
    if near and same_signs and asked[0].has_case_of(asked[1]):
        shouted = any(text.is_of_one_case(True) for text in asked)
        is_formula = answered[0].is_formula or answered[1].is_formula
        if no_answer or shouted or not is_formula or answered[0].has_case_of(answered[1]):
            return NEAR
    bare = any(text.is_bare for text in asked)  # without punctuation, signs cannot be compared
    if bare and not same_signs and same_letters and answered[0].glued == answered[1].glued:
        return NEAR if len(asked[0].glued + answered[0].glued) >= OPENING else QUESTION
    asks_something = len(asked[0].glued) >= LITTLE
    return QUESTION if same_question and asks_something and asked[0].has_signs_of(asked[1]) else None


def may_be_within(words: int, others: int) -> bool:
    """Tells by the number of their words whether one text may be the other with few words added."""
    return 0 < abs(words - others) <= 1 + min(words, others) // 4 or min(words, others) >= CUT_WORDS


class _Text:
    """A text, taken apart for comparison as far as that is asked for."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.folded = _folded(text)

    @cached_property
    def glued(self) -> bytes:
        """The letters and digits, without case."""
        return _bytes(self.folded).translate(None, _NO_TEXT)

    @cached_property
    def words(self) -> list[bytes]:
        """The words and numbers, without case."""
        return _bytes(self.folded).translate(_SPACED, b"'").split()

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
        is_formula = self.is_formula or other.is_formula
        if not is_formula and len(self.words) == 1:
            return self.text == other.text or len(self.text) > SHORT_WORD
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
        if not (may_be_within(len(self.words), len(other.words)) or self._is_cut(other)):
            return False
        one, two = Counter(self.words), Counter(other.words)
        more, less = (one - two).total(), (two - one).total()
        return min(more, less) <= 2 * self._is_cut(other) and 0 < max(more, less) <= 1 + (len(self.words) - more) // 4

    def resemblance(self, other: _Text) -> float:
        """Returns the share of words that two texts have in common; 1 where one has all words of the other."""
        one, two = Counter(self.words), Counter(other.words)
        shared = (one & two).total()
        return 1.0 if shared == min(one.total(), two.total()) else shared / (one | two).total()

    def _is_cut(self, other: _Text) -> bool:
        """Tells whether one text may have been cut, so that a few of the last words may differ."""
        return max(len(self.text), len(other.text)) > ANSWER_LENGTH - 50

    def is_of_one_case(self, is_formula: bool) -> bool:
        """Tells a text whose case somebody has changed: all capitals, or all small, but not in a short formula."""
        if len([word for word in self.words if len(word) > 1]) < 2:
            return False
        if self.text == self.text.upper():
            return True
        return (not is_formula or len(self.words) > FEW_WORDS) and self.text in (self.text.lower(), self.text.title())
