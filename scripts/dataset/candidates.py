"""Which conversations may be alike: a few hashes of each, such that two alike ones share at least one.

Comparing every pair is out of the question, so the hashes are of the question and of the answer without case and
punctuation, of the last exchange as it stands, and of the question's words without one of them. What shares a hash is
a candidate, and `alike.likeness` looks at both texts.

Own code, and not datasketch or rensa, which were measured on 10,000 conversations of 6 KB (64 hashes of three-word
shingles): 3.3 s and 99 MB, with scipy's 113 MB of disk, and 0.08 s and 17 MB; at that rate gigabytes at two million.
And MinHash finds what is similar: a question of six words with another noun in it is more so than one with a word
added, and numbers and operators are words like others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import xxhash

from scripts.dataset.alike import LITTLE, LONG_TEXT, NO_TEXT, OPERATORS, SEPARATOR, Talk, encoded, folded

SOME = 24  # bytes without space of an answer that says something
FEW_WORDS, MANY_WORDS = 12, 11  # up to FEW, every word is left out in turn; from MANY on, a quarter of them
CUT_WORDS = 500  # a question with more may have been cut, so that its words cannot be counted

_MIX = np.uint64(0x9E3779B97F4A7C15)
_DIGITS_AND_SIGNS = bytes(
    each if each in b"0123456789" + OPERATORS.encode() + SEPARATOR else ord(" ") for each in range(256)
)
_LETTER = np.array([each >= 0x80 or chr(each).isalpha() for each in range(256)])
_HEAD = np.array([2 ** (8 * length) - 1 for length in range(9)], np.uint64)  # the first bytes of eight
_TAIL = np.array([(2**64 - 1) ^ (2 ** (64 - 8 * length) - 1) for length in range(9)], np.uint64)
_KINDS, _MOST_OF_A_KIND = 12, 7  # of words in an outline: three bits each, and one to borrow from
_SHIFTS = np.arange(0, 4 * _KINDS, 4, dtype=np.uint64)
_GUARDS = np.uint64(0x888888888888)
_LONG = 2**15  # marks the outline of a long text


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


def keys(talks: Sequence[Talk]) -> Keys:
    """Returns the hashes under which alike conversations meet."""
    hashed = xxhash.xxh3_64_intdigest
    blob = _joined([each.question for each in talks])
    questions = blob.translate(None, NO_TEXT).split(SEPARATOR)
    answers = _joined([each.answer for each in talks]).translate(None, NO_TEXT).split(SEPARATOR)
    groups = [
        hashed(question if len(question) >= LITTLE else question + b"\x1f" + answer)
        for question, answer in zip(questions, answers, strict=True)
    ]
    answered = np.array([hashed(answer, seed=1) if len(answer) >= SOME else 0 for answer in answers], np.uint64)
    signs = blob.translate(_DIGITS_AND_SIGNS).split(SEPARATOR)
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
    pieces = [text.encode() if text.isascii() else encoded(folded(text)) for text in texts]
    whole = SEPARATOR.join(pieces)
    if whole.count(SEPARATOR) != len(texts) - 1:
        whole = SEPARATOR.join([piece.replace(SEPARATOR, b" ") for piece in pieces])
    return whole.lower()


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
    row = np.searchsorted(np.flatnonzero(signs == SEPARATOR[0]), starts)
    return mixed ^ (mixed >> np.uint64(31)), row


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
