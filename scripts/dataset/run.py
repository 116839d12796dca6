"""One run over a source: plans what to read, pours it through the sieve, and sums up lengths and verdict."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import orjson

from scripts.azure.component_rules import FEWEST_ROWS
from scripts.dataset import lengths
from scripts.dataset.checks import Finding, shown
from scripts.dataset.layout import Mapper
from scripts.dataset.plan import Plan, plan
from scripts.dataset.progress import Progress
from scripts.dataset.read import ahead, chunks
from scripts.dataset.settings import Settings, is_cut
from scripts.dataset.source import Source, files_of
from scripts.dataset.stream import HELDOUT, TEST, TRAIN, VALIDATION, Lines, Sieve, Statistics
from scripts.dataset.tally import Tally
from scripts.dataset.tokenizer import Tokenizer
from scripts.errors import UserError

ORDER = (HELDOUT, TEST, VALIDATION, TRAIN)  # what must not leak is read first, so that training loses the row
EXACT_THREADS = 2  # `tokenizers` works without Python's lock


@dataclass(frozen=True)
class Task:
    """One split to read, and the output file that it feeds. Rows that only ask (held out) need no answer."""

    split: str
    part: str
    plan: Plan
    trained: bool = True


@dataclass
class Result:
    """What a run found: books, statistics and token lengths of every output file, and what they were counted with."""

    tally: Tally
    statistics: dict[str, Statistics]
    tokens: dict[str, dict[str, Any]]
    limit: int | None
    counted_with: str
    layout: str | None
    coder: Tokenizer | None


def tasks_of(settings: Settings, source: Source, bound: dict[str, Any]) -> list[Task]:
    """Plans the reading of every split that `bound` names, those first that training must not know."""
    tasks = []
    percent = 100.0 if source.fallback else settings.percent
    for part in ORDER:
        split = bound.get(part)
        if is_cut(split) or (split is None and part != TRAIN):
            continue
        if split is None and len(source.splits) == 1:
            split = next(iter(source.splits))
        each = plan(files_of(source, split), percent, settings.sample, settings.seed)
        tasks.append(Task(str(split or "all files"), part, each, part != HELDOUT))
    named = [each.split for each in tasks]
    for split in named:
        if named.count(split) > 1:
            raise UserError(
                f"dataset.splits: '{split}' is named twice; every part needs rows of its own (heldout: null takes test's)"
            )
    return tasks


def run(
    settings: Settings,
    tasks: list[Task],
    cuts: list[tuple[str, float]],
    questions: frozenset[str],
    write: Callable[[Lines], None],
    progress: Progress,
    tokenizer: Callable[[], tuple[Tokenizer | None, str]],
) -> Result:
    """Reads the splits of `tasks` in their order, hands surviving lines to `write`, and returns the books.

    `cuts` are (part, fraction) taken from training rows; `questions` are splits that may share rows among themselves.
    """
    tally = Tally(settings.policies())
    exact = settings.tokens == "exact"
    coder, counted_with = tokenizer() if exact else (None, "")
    if exact and coder is None:
        raise UserError(f"dataset.tokens: exact counts need a tokenizer, and there is none: {counted_with}")
    limit, layout = _limit(settings, coder), None
    with ThreadPoolExecutor(EXACT_THREADS) as pool:
        measure = _measure(coder, limit, pool) if exact and coder else None
        sieve = Sieve(tally, settings.seed, cuts, questions, measure, limit)
        try:
            for task in tasks:
                progress.part(task.split)
                tally.rows_in[task.split] += 0
                mapper = Mapper(settings.layout)
                for chunk in ahead(chunks(task.plan, mapper.columns)):
                    for lines in sieve.pour(task.split, task.part, task.trained, mapper, chunk):
                        write(lines)
                    progress.advance(len(chunk), chunk.bytes)
                layout = mapper.format or layout
        finally:
            progress.end()
    if not exact and sieve.statistics:  # loading takes half a second: only where there is something to count
        coder, counted_with = tokenizer()
        limit = _limit(settings, coder)
    tokens = {part: _tokens(part, books, coder, limit, exact, tally) for part, books in sieve.statistics.items()}
    return Result(tally, sieve.statistics, tokens, limit, counted_with, layout, coder)


def _limit(settings: Settings, coder: Tokenizer | None) -> int | None:
    """Returns where the component cuts a conversation: at max_seq_length, else at the model's own limit, if known."""
    own = coder.model_max_length if coder else None
    return min(filter(None, (settings.max_seq_length, own))) if settings.max_seq_length > 0 else own


def enough(tally: Tally, split: str, rows: int) -> None:
    """Books a training split that the component would refuse for having too few rows."""
    if rows < FEWEST_ROWS:
        tally.find(split, (split, "all rows"), Finding("few_rows", "", f"{rows} rows", f"at least {FEWEST_ROWS}"))


def encode(coder: Tokenizer, messages: list[dict[str, Any]], tools: Any, limit: int | None) -> lengths.Length:
    """Counts a conversation by the template and the trained tokens of the engine; as characters if a template refuses."""
    from scripts.conversation import tokens as chat

    try:
        return lengths.measured(chat.encode(coder, messages, tools), limit)
    except Exception as error:  # a template is a program of the model's: whatever it raises, the row is still counted
        return replace(lengths.guessed(messages, limit), refused=shown(f"{error}", 100)[1:-1])


def _measure(coder: Tokenizer, limit: int | None, pool: ThreadPoolExecutor) -> Callable[..., list[lengths.Length]]:
    def measure(conversations: list[Any], tools: list[Any]) -> list[lengths.Length]:
        return list(pool.map(lambda pair: encode(coder, pair[0], pair[1], limit), zip(conversations, tools, strict=True),
                             chunksize=16))  # fmt: skip

    return measure


def _tokens(
    part: str, books: Any, coder: Tokenizer | None, limit: int | None, exact: bool, tally: Tally
) -> dict[str, Any]:
    """Counts the tokens of an output file's rows, or of its sample; books what the cut does to the sample."""
    if exact:
        sizes = np.frombuffer(books.sizes, dtype="<u4").astype(np.float64)
        counts = np.frombuffer(books.lengths, dtype="<u4").astype(np.float64).reshape(-1, 5)
        return lengths.summary(counts, sizes, books.characters, books.rows, limit, "tokenizer")
    counted, sizes, places = [], [], []
    for size, line, place, at in books.sample.rows():
        if line is None:  # too large to have been kept: far above any limit, so the number does not matter
            counted.append(lengths.Length(round(size / lengths.BYTES_PER_TOKEN), 0, 0, 0, 0))
        else:
            row = orjson.loads(line)
            messages = row["messages"]
            counted.append(
                encode(coder, messages, row.get("tools"), limit) if coder else lengths.guessed(messages, limit)
            )
        sizes.append(size)
        places.append((place, at))
    how = "tokenizer" if coder else "characters"
    counts = np.array([each.numbers() for each in counted], dtype=np.float64).reshape(-1, 5)
    out = lengths.summary(counts, np.array(sizes, dtype=np.float64), books.characters, books.rows, limit, how)
    for length, (place, at) in zip(counted, places, strict=True):
        for finding in length.findings(limit):
            tally.find(part, place(at), finding)
    for check in (
        ("too_long", "answers_lost") if "cut" in out and out["how"] != "exact" else ()
    ):  # from the sample to all rows
        if part in tally.found.get(check, ()):
            tally.found[check][part] = max(tally.found[check][part], out["cut"][check]["rows"])
            tally.estimated.add(check)
    return out
