"""Which split of a source each output file takes: as the values say, or as the names of its files leave no doubt."""

from __future__ import annotations

from fnmatch import fnmatchcase
from shlex import quote
from typing import Any

from scripts.dataset.file import File, Unused, stem_of
from scripts.dataset.settings import CUT, HELDOUT, TEST, TRAIN, VALIDATION, is_cut
from scripts.dataset.source import Source
from scripts.dataset.split_names import evidence
from scripts.errors import UserError, suggest

Bound = dict[str, str | float | None]


def choose(source: Source, splits: Bound, foreign: bool = False) -> Bound:
    """Binds train, validation, test and heldout to splits that the source has, or to fractions of train.

    A hub set or a folder must have what the values name. Plain files, a fallback and a `foreign` source, which the
    values were not written for, have their own names: there the split of the same kind is taken, or a cut, and a note
    says so. What no part takes is named in `source.unused`. Where names contradict each other nothing is guessed.
    """
    is_lenient = foreign or source.kind == "files" or source.fallback is not None
    asked = [name for name in splits.values() if isinstance(name, str)]
    there = {name for name in sorted(asked, key=lambda name: name not in source.splits) if _take(source, name, asked)}
    bound: Bound = {part: wanted for part, wanted in splits.items() if wanted in there or not isinstance(wanted, str)}
    is_one = source.kind == "files" and sum(map(len, source.splits.values())) == 1
    if is_one and splits[TRAIN] not in there:  # who names one file means its rows, whatever it is called
        there, bound = set(), {part: wanted for part, wanted in bound.items() if wanted not in there}
    missing = next((part for part in splits if part not in bound), None)
    if missing is not None and not is_lenient:
        raise _no_split(source, missing, str(splits[missing]))
    guessed: list[str] = []
    for part in (TEST, HELDOUT, VALIDATION):
        if part in bound and not (is_lenient and is_cut(bound[part])):
            continue
        free = [name for name in source.splits if name not in bound.values()]
        own = None if is_one else _nearest(part, free)
        bound[part] = own or bound.get(part, None if part == HELDOUT else CUT)
        guessed += [own] if own else []
    if not isinstance(bound.get(TRAIN), str):
        free = [name for name in source.splits if name not in bound.values()]
        bound[TRAIN] = None if is_one else _training(source, free, guessed)
    if is_lenient:
        source.notes.append(_said(source, bound))
    source.unused += [
        Unused(file.label, f"no part of dataset.splits takes '{name}'")
        for name in source.splits if bound[TRAIN] is not None and name not in bound.values()
        for file in source.splits[name]
    ]  # fmt: skip
    return {part: bound[part] for part in splits}


def _take(source: Source, wanted: str, asked: list[str]) -> bool:
    """Tells whether the source has the split `wanted`, which may be a pattern, or the name of a file less its ending.

    What a pattern or a file's name takes becomes a split of that name.
    """
    if wanted in source.splits:
        return True
    rest: dict[str, list[File]] = {}
    taken: list[File] = []
    for name, files in source.splits.items():
        for file in files:
            is_called = stem_of(file.label) == wanted and "/" not in name
            fits = name not in asked and (is_called or fnmatchcase(name, wanted))
            (taken if fits else rest.setdefault(name, [])).append(file)
    if taken:
        source.splits = {**rest, wanted: taken}
    return bool(taken)


def _training(source: Source, names: list[str], others: list[str]) -> str | None:
    """Returns which of some splits to train on, None for all of them: where no name of these and `others` tells one."""
    told = [name for name in (*names, *others) if evidence(name)]
    if not told and names:
        return None
    plain = [name for name in names if evidence(name) != {TRAIN}]
    trains = [name for name in told if evidence(name) == {TRAIN}]
    rows = [name for name in trains if not name.endswith("_gen")] or trains  # prompts to answer, as in ultrachat_200k
    strange = [name for name in plain if len(evidence(name)) != 1]
    if len(rows) == 1 and not strange:
        return rows[0]
    if strange:
        two = [name for name in strange if evidence(name)]
        why = (
            f"the path {two[0]} tells two splits" if two else
            f"some files tell their split ({_some(told)}), others do not ({_some(strange)})"
        )  # fmt: skip
    else:
        why = (
            f"several splits could be trained on ({_some(rows)})" if rows else
            f"it has {_some(names or others)}, and no train"
        )  # fmt: skip
    raise UserError(
        f"dataset.splits.train: {source.asked}: {why}; say which to train on, by name or pattern, in the values or as "
        f'SET="dataset.splits.train={quote((rows or strange or names or others)[0])}"; what is not named is left out'
    )


def _nearest(part: str, names: list[str]) -> str | None:
    near = [name for name in names if evidence(name) == {part}]
    return min(near, key=lambda name: "gen" in name, default=None)


def _no_split(source: Source, part: str, wanted: str) -> UserError:
    names = list(source.splits)
    return UserError(
        f"dataset.splits.{part}: {source.asked} has no split '{wanted}'{suggest(wanted, names)}; it has "
        f"{', '.join(names)}; name one of them{'' if part == TRAIN else ', or a fraction to cut from train'}"
    )


def _said(source: Source, bound: Bound) -> str:
    def takes(part: str, split: Any) -> str:
        if split is None:
            return "heldout takes test's rows" if part == HELDOUT else f"{part} takes every row"
        return f"{part} takes {f'{100 * split:g} % of train' if is_cut(split) else split}"

    parts = ", ".join(takes(part, bound[part]) for part in (TRAIN, VALIDATION, TEST, HELDOUT))
    return f"{source.asked}: {parts} (dataset.splits says otherwise where it should)"


def _some(names: list[str]) -> str:
    return ", ".join(names[:4]) + (", …" if len(names) > 4 else "")
