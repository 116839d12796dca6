"""How long conversations are in tokens, what a cut at max_seq_length takes, and how sure we are.

Exactly where every row is counted; else from a seeded sample, by the ratio of tokens to characters, whose total is
known for every row. The error is the half-width of the 95 % confidence interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from scripts.dataset.checks import Finding
from scripts.dataset.read_plan import scatter

SAMPLE_TRAIN = 400  # conversations in the sample of training rows
SAMPLE = 100  # and of every other file
SAMPLED_BYTES = 64 * 1024  # a larger row stays out of memory: its length is estimated from the others
BYTES_PER_TOKEN = 4.2  # of English, vocabularies of 32 to 100 thousand; other languages need up to three times as many
TOKENS_PER_MESSAGE = 4  # what a chat template adds
GUESSED = 1 / 3  # the error that a guess from characters is given


@dataclass(frozen=True, slots=True)
class Length:
    """Tokens of a conversation: all, those trained, what of them survives the cut, answers, answers cut away."""

    tokens: int
    trained: int
    trained_kept: int
    answers: int
    answers_lost: int
    refused: str = ""  # what the chat template said instead of writing the conversation
    unwritten: Finding | None = None  # what it left out
    is_guess: bool = False  # told by characters, not by tokens

    def numbers(self) -> tuple[int, int, int, int, int]:
        """Returns the five numbers, as `summary` takes them."""
        return self.tokens, self.trained, self.trained_kept, self.answers, self.answers_lost

    def findings(self, limit: int | None) -> list[Finding]:
        """Returns what the template and the cut at `limit` tokens do to the conversation."""
        if self.refused:
            return [Finding("template", "messages", self.refused, "a conversation that the template can write")]
        return [*([self.unwritten] if self.unwritten else []), *self._cut(limit)]

    def _cut(self, limit: int | None) -> list[Finding]:
        if limit is None or self.tokens <= limit:
            return []
        findings = [Finding("too_long", "messages", f"{self.tokens} tokens", f"at most {limit}")]
        if self.trained and not self.trained_kept:
            what = f"no answer in the first {limit} of {self.tokens} tokens"
            findings.append(Finding("answers_lost", "messages", what, "an answer before the cut"))
        return findings


def measured(encoded: Any, limit: int | None) -> Length:
    """Returns the lengths of a conversation that the engine's chat module encoded."""
    trained = np.asarray(encoded.trained, dtype=bool)
    starts = np.flatnonzero(trained & ~np.concatenate(([False], trained[:-1]))) if trained.size else np.empty(0)
    cut = len(trained) if limit is None else limit
    return Length(
        len(encoded.ids), int(trained.sum()), int(trained[:cut].sum()), len(starts), int((starts >= cut).sum())
    )


class Sample:
    """The rows with the smallest seeded hash: the same rows whatever the order, without knowing how many will come."""

    def __init__(self, seed: int, size: int) -> None:
        self._seed, self._size = seed, size
        self._rows: list[tuple[float, int, bytes | None, Any, int]] = []
        self._threshold = 1.0

    def offer(self, hashes: Any, sizes: Any, lines: list[bytes], place: Any, at: list[int]) -> None:
        """Offers rows by their hash, with their size in characters, their line, and where they were read."""
        drawn = scatter(hashes, self._seed)
        for index in np.flatnonzero(drawn < self._threshold).tolist():
            line = lines[index] if len(lines[index]) <= SAMPLED_BYTES else None
            self._rows.append((float(drawn[index]), int(sizes[index]), line, place, at[index]))
        if len(self._rows) > 2 * self._size:
            self._trim()

    def rows(self) -> list[tuple[int, bytes | None, Any, int]]:
        """Returns the sampled rows as (characters, line or None, place, index)."""
        self._trim()
        return [row[1:] for row in self._rows]

    def _trim(self) -> None:
        self._rows.sort(key=lambda row: row[0])
        if len(self._rows) > self._size:
            del self._rows[self._size :]
            self._threshold = self._rows[-1][0]


def estimate(values: Any, sizes: Any, total_size: int, rows: int) -> tuple[int, int]:
    """Estimates a total over `rows` rows of `total_size` characters from a sample; returns it and its 95 % error."""
    count = len(values)
    if not count or not sizes.sum():
        return 0, 0
    if count >= rows:
        return int(values.sum()), 0
    ratio = values.sum() / sizes.sum()
    residuals = values - ratio * sizes
    spread = float((residuals**2).sum() / max(count - 1, 1))
    error = 1.96 * rows * math.sqrt((1 - count / rows) * spread / count)
    return round(ratio * total_size), math.ceil(error)


def proportion(hits: int, count: int, rows: int) -> dict[str, Any]:
    """Returns how many of `rows` rows have what `hits` of `count` sampled ones have, with Wilson's 95 % interval."""
    if count >= rows or not count:
        return {"rows": hits, "share": hits / rows if rows else 0.0, "low": hits, "high": hits}
    z, share = 1.96, hits / count
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    return {"rows": round(share * rows), "share": share, "low": math.floor(low * rows), "high": math.ceil(high * rows)}


def summary(
    lengths: Any, sizes: Any, total_size: int, rows: int, limit: int | None, how: str, guesses: int = 0
) -> dict[str, Any]:
    """Returns the token statistics of one output file for the manifest and the report.

    `lengths` has a row of `Length.numbers` for each conversation that was counted, `sizes` the bytes of its text; `how`
    is tokenizer or characters. Of tokenizer's, some may be `guesses`.
    """
    tokens, trained, kept, answers, answers_lost = lengths.T
    total, error = estimate(tokens, sizes, total_size, rows)
    trained_total, trained_error = estimate(trained, sizes, total_size, rows)
    if guesses and guesses == len(lengths):
        how = "characters"
    sampled = "exact" if len(lengths) >= rows else "sample"
    out: dict[str, Any] = {
        "how": sampled if how == "tokenizer" else how,
        "counted": len(lengths), "tokens": total, "error": error, "trained": trained_total,
        "trained_error": trained_error,
        "histogram": histogram(tokens),
        "curve": np.percentile(tokens, range(101)).astype(int).tolist() if tokens.size else [],
    }  # fmt: skip
    out["guessed"] = len(lengths) if how == "characters" else guesses
    part = 1.0 if how == "characters" else guesses / max(len(lengths), 1)
    if part:
        out["how"] = "characters" if how == "characters" else "sample"
        out["error"] = max(error, round(total * part * GUESSED))
        out["trained_error"] = max(trained_error, round(trained_total * part * GUESSED))
    if limit is not None:
        lost, _ = estimate(trained - kept, sizes, total_size, rows)
        out["cut"] = {
            "max_seq_length": limit,
            "too_long": proportion(int((tokens > limit).sum()), len(lengths), rows),
            "answers_lost": proportion(int(((trained > 0) & (kept == 0)).sum()), len(lengths), rows),
            "trained_lost": lost,
            "answer_share_lost": float(answers_lost.sum() / max(answers.sum(), 1)),
        }
    return out


def histogram(tokens: Any, bars: int = 40) -> dict[str, Any]:
    """Returns bars of equal, round width over the lengths; the few above the 99.5th percentile share the last."""
    if not tokens.size:
        return {"width": 1, "counts": [], "longest": 0}
    reach = max(float(np.percentile(tokens, 99.5)), 1.0)
    raw = reach / bars
    magnitude = 10 ** math.floor(math.log10(raw)) if raw >= 1 else 1
    width = next(step * magnitude for step in (1, 2, 5, 10) if step * magnitude >= raw)
    counts = np.bincount(np.minimum(tokens // width, math.ceil(reach / width)).astype(np.int64))
    return {"width": int(width), "counts": counts.tolist(), "longest": int(tokens.max())}


def guessed(messages: list[dict[str, Any]], limit: int | None) -> Length:
    """Returns a conversation's lengths as characters suggest them, where no tokenizer can be had."""
    at = tokens = trained = kept = answers = lost = 0
    cut = limit if limit is not None else math.inf
    for message in messages:
        text = message.get("content") or ""
        count = math.ceil(len(text.encode("utf-8", "replace")) / BYTES_PER_TOKEN)
        tokens += count + TOKENS_PER_MESSAGE
        if message.get("role") == "assistant":
            start = at + TOKENS_PER_MESSAGE
            trained += count
            kept += max(0, min(count, int(min(cut, start + count)) - start))
            answers += 1
            lost += start >= cut
        at = tokens
    return Length(tokens, trained, kept, answers, lost, is_guess=True)
