"""What `prepare` and `check` have in common: one pass over a source through the sieve, then lengths and books."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TextIO

import numpy as np
import orjson

from scripts.azure.component_rules import FEWEST_ROWS
from scripts.dataset import lengths, tokenizer, written
from scripts.dataset.accounts import Accounts
from scripts.dataset.checks import SAMPLE_OF_ROWS, Finding, Tally
from scripts.dataset.control_tokens import ControlTokens
from scripts.dataset.cuts import Drawn
from scripts.dataset.layouts.mapper import Mapper
from scripts.dataset.progress import Progress
from scripts.dataset.read_plan import Work
from scripts.dataset.read_rows import ahead, chunks
from scripts.dataset.settings import ALIKE, BY_TEMPLATE, COUNTED, Settings
from scripts.dataset.shown_rows import ShownRows
from scripts.dataset.sieve import Sieve, Statistics
from scripts.dataset.tokenizer import Tokenizer
from scripts.errors import UserError

EXACT_THREADS = 2  # `tokenizers` works without Python's lock
KEPT_BYTES = 31 * 2**20
MANY_OBJECTS = 200_000  # several times what the rows in memory are made of


@dataclass(frozen=True)
class Survey:
    """What a pass found: books, statistics and token lengths of every output file, and what they were counted with."""

    tally: Tally
    statistics: dict[str, Statistics]
    tokens: dict[str, dict[str, Any]]
    limit: int | None
    counted_with: str
    accounts: dict[str, Accounts]  # by split
    coder: Tokenizer | None
    drawn: Drawn
    shown: ShownRows

    @property
    def is_own(self) -> bool:
        """Whether tokens are told by the model's own tokenizer and chat template."""
        return self.coder is not None and not self.coder.stands_in


@contextmanager
def _steady_memory() -> Iterator[None]:
    """Lets Python look for circles among its objects seldom: rows have none, and looking took a tenth of the time.

    Another tenth went into giving a chunk's memory back and taking it anew: glibc keeps what is no larger than the
    largest piece that it was ever given back, up to 32 MB.
    """
    before = gc.get_threshold()
    gc.set_threshold(MANY_OBJECTS, *before[1:])
    np.empty(KEPT_BYTES, np.uint8)  # never written to, and so never there
    try:
        yield
    finally:
        gc.set_threshold(*before)


@_steady_memory()
def survey(
    settings: Settings,
    work: Work,
    write: Callable[[str, list[bytes]], None],
    online: bool,
    stream: TextIO | None,
) -> Survey:
    """Reads the splits of `work` in their order, hands output files and their lines to `write`, and returns the books.

    Progress is told to `stream`; the tokenizer may be asked from the hub where that is `online`.
    """
    progress = Progress(sum(task.plan.bytes for task in work.tasks), stream)
    find = partial(tokenizer.find, settings.tokenizer, settings.model, online)
    tally = Tally(settings.policies())
    exact = settings.tokens == "exact"
    coder, counted_with = find()
    if exact and coder is None:
        raise UserError(f"dataset.tokens: exact counts need a tokenizer, and there is none: {counted_with}")
    limit, accounts = _limit(settings, coder), {}
    with ThreadPoolExecutor(EXACT_THREADS) as pool:
        measure = partial(pool.map, partial(written.length, coder, limit=limit)) if exact and coder else None
        sieve = Sieve(tally, settings.seed, work, measure, limit, ControlTokens(coder))
        try:
            for task in work.tasks:
                progress.part(task.split)
                tally.rows_in[task.split] += 0
                mapper = Mapper(settings.layout)
                for chunk in ahead(chunks(task.plan, mapper.columns)):
                    for part, lines in sieve.pour(task, mapper, chunk):
                        write(part, lines)
                    progress.advance(len(chunk), chunk.bytes)
                accounts[task.split] = mapper.accounts()
        finally:
            progress.end()
    tokens = {
        part: _exact_tokens(books, limit) if exact else _sampled_tokens(part, books, coder, limit, tally)
        for part, books in sieve.statistics.items()
    }
    if not all(each["counted"] >= sieve.statistics[part].rows for part, each in tokens.items()):
        tally.looked_at.update(dict.fromkeys(COUNTED, SAMPLE_OF_ROWS))
    if coder is None or coder.stands_in:  # whose template is not the model's
        tally.looked_at.update(dict.fromkeys(BY_TEMPLATE, f"no row: {counted_with}"))
    if sieve.seen.left_out:
        what = f"every row, but not all beside {sieve.seen.left_out:,} earlier ones: the table of these was full"
        tally.looked_at.update(dict.fromkeys(ALIKE, what))
    return Survey(tally, sieve.statistics, tokens, limit, counted_with, accounts, coder, sieve.drawn,
                  sieve.shown)  # fmt: skip


def book_few_rows(tally: Tally, split: str, rows: int, read: int, percent: float = 100) -> None:
    """Books a training split that the component would refuse for having too few rows, of those that were `read`."""
    if rows >= FEWEST_ROWS:
        return
    fix = f"give at least {FEWEST_ROWS} training rows"
    if read >= FEWEST_ROWS and rows < read / 2:
        fix = "most rows were left out: put right what the other checks name"
    elif percent < 100:
        fix += ": raise dataset.percent"
    expected = f"at least {FEWEST_ROWS}"
    tally.find(split, (split, "all rows"), Finding("few_rows", "", f"{rows} rows", expected, fix))


def _limit(settings: Settings, coder: Tokenizer | None) -> int | None:
    """Returns where the component cuts a conversation: at max_seq_length, else at the model's own limit, if known."""
    own = coder.model_max_length if coder else None
    return min(filter(None, (settings.max_seq_length, own))) if settings.max_seq_length > 0 else own


def _exact_tokens(books: Statistics, limit: int | None) -> dict[str, Any]:
    sizes = np.frombuffer(books.sizes, dtype="<u4").astype(np.float64)
    counts = np.frombuffer(books.lengths, dtype="<u4").astype(np.float64).reshape(-1, 5)
    return lengths.summary(counts, sizes, books.characters, books.rows, limit, "tokenizer", books.guessed)


def _sampled_tokens(
    part: str, books: Statistics, coder: Tokenizer | None, limit: int | None, tally: Tally
) -> dict[str, Any]:
    """Counts the tokens of a sample of an output file's rows; books what the cut does to it."""
    counted, sizes, places = [], [], []
    for size, line, place, at in books.sample.rows():
        if line is None:  # too large to have been kept: far above any limit, so the number does not matter
            counted.append(lengths.Length(round(size / lengths.BYTES_PER_TOKEN), 0, 0, 0, 0))
        else:
            row = orjson.loads(line)
            messages, tools = row["messages"], row.get("tools")
            counted.append(written.length(coder, messages, tools, limit) if coder else lengths.guessed(messages, limit))
        sizes.append(size)
        places.append((place, at))
    counts = np.array([length.numbers() for length in counted], dtype=np.float64).reshape(-1, 5)
    how = "tokenizer" if coder else "characters"
    guesses = sum(length.is_guess for length in counted)
    out = lengths.summary(counts, np.array(sizes, dtype=np.float64), books.characters, books.rows, limit, how, guesses)
    hits = Counter[str]()
    for length, (place, at) in zip(counted, places, strict=True):
        for finding in length.findings(limit):
            tally.find(part, place(at), finding)
            hits[finding.check] += 1
    if len(counted) < books.rows:  # from the sample to all rows
        for check in BY_TEMPLATE:
            tally.estimate(check, part, round(hits[check] * books.rows / max(len(counted), 1)))
        for check in ("too_long", "answers_lost") if "cut" in out else ():
            tally.estimate(check, part, out["cut"][check]["rows"])
    return out
