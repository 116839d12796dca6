"""What is read: row groups of Parquet, blocks of JSON Lines or drawn rows, as a percentage asks; for which file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from scripts.dataset.file import File, unreadable
from scripts.dataset.json_shape import shape_of
from scripts.dataset.settings import HELDOUT, TEST, TRAIN, VALIDATION, Settings, is_cut
from scripts.dataset.source import Source
from scripts.errors import UserError

MANY_SHARDS = 32  # above it, whole shards are drawn first, so that not every footer is read
BLOCKS = 64  # blocks that a percentage of a JSON Lines file is made of, at least
ORDER = (HELDOUT, TEST, VALIDATION, TRAIN)  # what must not leak is read first, so that training loses the row
NAMED_FILES = 20
SMALL = 64 * 2**20  # a local file below this is read whole: its rows can then be drawn one by one


@dataclass(frozen=True)
class RowGroup:
    """A row group: its `first` row in the file, rows and uncompressed bytes; `numbers` are those taken (None: all)."""

    file: File
    index: int
    first: int
    rows: int
    bytes: int
    numbers: np.ndarray | None = None
    metadata: Any = field(default=None, repr=False)  # the file's footer, so that it is fetched once


@dataclass(frozen=True)
class Stretch:
    """A file from its start, until byte `until` (None: the end), and of its rows a seeded `share`.

    With `end`, of an uncompressed JSON Lines file: the lines that begin at byte `start` or later, and before `end`.
    """

    file: File
    start: int = 0
    end: int | None = None
    share: float = 1.0
    seed: int = 0
    ordinal: int = 0  # distinguishes the rows of several files
    until: int | None = None

    def draw(self, start: int, count: int) -> np.ndarray | None:
        """Returns which of `count` rows from ordinal `start` are taken, or None for all of them."""
        if self.share >= 1:
            return None
        return scatter(np.arange(start, start + count, dtype=np.uint64), self.seed) < self.share


@dataclass
class Plan:
    """What to read, its size, and for a reader how the part was chosen."""

    units: list[list[RowGroup] | Stretch] = field(default_factory=list)
    bytes: int = 0
    how: str = "all rows"

    @property
    def files(self) -> dict[str, Any]:
        """How many files are read, and the labels of the first."""
        units = (unit[0] if isinstance(unit, list) else unit for unit in self.units)
        labels = list(dict.fromkeys(unit.file.label for unit in units))
        return {"count": len(labels), "first": labels[:NAMED_FILES]}


@dataclass(frozen=True)
class Task:
    """One split to read, and the output file that it feeds. Rows that only ask (held out) need no answer."""

    split: str
    part: str
    plan: Plan
    trained: bool = True


@dataclass(frozen=True)
class Work:
    """What is read, in this order, and how it is divided.

    `cuts` are (output file, fraction) taken from the training rows; `questions` are splits that may share rows among
    themselves, since test and held-out rows both only ask.
    """

    tasks: list[Task]
    cuts: list[tuple[str, float]] = field(default_factory=list)
    questions: frozenset[str] = frozenset()
    counted: int | None = None  # conversations of a file whose tokens are counted; None: a sample of the usual size


def work_of(settings: Settings, source: Source, bound: dict[str, str | float | None]) -> Work:
    """Plans the reading of every split that `bound` names, those first that training must not know."""
    tasks = []
    percent = 100.0 if source.fallback else settings.percent
    for part in ORDER:
        split = bound.get(part)
        if is_cut(split) or (split is None and part != TRAIN):
            continue
        some = [str(split)] if split is not None else [name for name in source.splits if name not in bound.values()]
        files = [file for name in some for file in source.splits[name]]
        plan = plan_reading(files, percent, settings.sample, settings.seed)
        tasks.append(Task(some[0] if len(some) == 1 else "all files", part, plan, part != HELDOUT))
    named = [task.split for task in tasks]
    for name in named:
        if named.count(name) > 1:
            raise UserError(
                f"dataset.splits: '{name}' is named twice; every part needs rows of its own "
                "(heldout: null takes test's)"
            )
    cuts = [(part, float(bound[part] or 0)) for part in (VALIDATION, TEST, HELDOUT) if is_cut(bound[part])]
    return Work(tasks, cuts, frozenset(str(bound[part]) for part in (TEST, HELDOUT) if isinstance(bound[part], str)))


def scatter(numbers: np.ndarray, seed: int) -> np.ndarray:
    """Maps integers to fractions in [0, 1), evenly and always alike for a seed (splitmix64)."""
    with np.errstate(over="ignore"):
        mixed = numbers + np.uint64((seed * 2 + 1) * 0x9E3779B97F4A7C15 % 2**64)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed = mixed ^ (mixed >> np.uint64(31))
    return (mixed >> np.uint64(11)).astype(np.float64) / 2.0**53


def _shuffled(count: int, seed: int) -> np.ndarray:
    """Returns 0 to count - 1 in an order that the seed decides."""
    return np.argsort(scatter(np.arange(count, dtype=np.uint64), seed))


def plan_reading(files: Sequence[File], percent: float, sample: str, seed: int) -> Plan:
    """Plans the reading of one split's files: `percent` of its rows, drawn by `seed` or from the head."""
    share = percent / 100
    parquet = [file for file in files if file.format == "parquet"]
    others = [file for file in files if file.format != "parquet"]
    result = Plan()
    how = []
    if parquet:
        how.append(_parquet(parquet, share, sample, seed, result))
    if others:
        how.append(_others(others, share, sample, seed, result))
    result.how = "; ".join(how) if share < 1 else "all rows"
    return result


def _parquet(files: list[File], share: float, sample: str, seed: int, result: Plan) -> str:
    total_shards, scale = len(files), 1.0
    if share < 1 and sample == "seeded" and len(files) > MANY_SHARDS:
        size = sum(file.size for file in files)
        chosen, taken = [], 0
        for at in _shuffled(len(files), seed):
            chosen.append(int(at))
            taken += files[at].size
            if taken >= size * share and len(chosen) >= min(8, len(files)):
                break
        scale = size / taken
        files = [files[at] for at in sorted(chosen)]
    groups = [group for file in files for group in _groups(file)]
    rows = sum(group.rows for group in groups)
    wanted = min(rows, max(1, round(rows * min(1.0, share * scale)))) if rows else 0
    picked = groups if share >= 1 else _pick(groups, wanted, sample, seed)
    by_file: dict[str, list[RowGroup]] = {}
    for group in picked:
        by_file.setdefault(group.file.path, []).append(group)
    result.units += list(by_file.values())
    result.bytes += sum(group.bytes for group in picked)
    drawn = f"drawn by seed {seed}" if sample == "seeded" else "from the head"
    some = f"{len(picked)} of {len(groups)} row groups in {len(by_file)} of {total_shards} files"
    return f"{wanted} rows from {some}, {drawn}"


def _groups(file: File) -> list[RowGroup]:
    import pyarrow.parquet as pq

    try:
        metadata = pq.ParquetFile(file.open() if file.remote else file.path).metadata
    except UserError:
        raise
    except Exception as error:  # of a damaged file pyarrow raises whatever its parts do
        raise unreadable(file, "Parquet", error) from None
    groups, first = [], 0
    for index in range(metadata.num_row_groups):
        group = metadata.row_group(index)
        groups.append(RowGroup(file, index, first, group.num_rows, group.total_byte_size, None, metadata))
        first += group.num_rows
    return groups


def _pick(groups: list[RowGroup], wanted: int, sample: str, seed: int) -> list[RowGroup]:
    """Takes row groups until `wanted` rows are there; of the last one only as many as are missing."""
    seeded, left = sample == "seeded", wanted
    picked: dict[int, RowGroup] = {}
    for at in _shuffled(len(groups), seed) if seeded else range(len(groups)):
        if left <= 0:
            break
        group = groups[at]
        if group.rows > left:
            rows = np.sort(_shuffled(group.rows, seed)[:left]) if seeded else np.arange(left)
            group = replace(group, numbers=rows)
        picked[int(at)] = group
        left -= group.rows
    return [picked[at] for at in sorted(picked)]


def _others(files: list[File], share: float, sample: str, seed: int, result: Plan) -> str:
    blocks = (
        share < 1
        and all(
            file.format == "jsonl" and file.compression is None and (file.remote or file.size > SMALL) for file in files
        )
        and all(shape_of(file).is_lines for file in files)
    )
    if sample == "head" and share < 1:
        left = math.ceil(share * sum(file.size for file in files))
        for file in files:
            if left > 0:
                result.units.append(Stretch(file, until=left if left < file.size else None))
                result.bytes += min(left, file.size)
                left -= file.size
        return f"the first {100 * share:g} % of the bytes"
    if blocks:
        size = sum(file.size for file in files)
        length = int(max(2**16, min(2**22, size * share / BLOCKS)))
        ends = [(file, at, min(at + length, file.size)) for file in files for at in range(0, file.size, length)]
        wanted = max(1, round(len(ends) * share))
        for file, start, end in (ends[at] for at in sorted(_shuffled(len(ends), seed)[:wanted])):
            result.units.append(Stretch(file, start, end))
            result.bytes += end - start
        return f"{wanted} of {len(ends)} blocks of {length // 1024} KB, drawn by seed {seed}"
    for number, file in enumerate(files):
        result.units.append(Stretch(file, share=share, seed=seed, ordinal=number << 40))
        result.bytes += file.size
    return f"every row drawn with probability {share:g} by seed {seed}, from the whole of the files"
