"""A check: a small function with a name, and what it found. The groups register theirs with `@check`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts.errors import CouldNotAskError

if TYPE_CHECKING:
    from scripts.preflight.context import Context

PASS, WARN, FAIL, SKIPPED = "pass", "warn", "fail", "skipped"


@dataclass(frozen=True)
class Finding:
    """What a check found: a status, one sentence, what to do, and lines with details where a table says more."""

    status: str
    sentence: str
    todo: str = ""
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """A finding with the check's name and group; `unasked` when it was skipped because Azure ML could not be asked."""

    check: str
    group: str
    finding: Finding
    unasked: bool = False


@dataclass(frozen=True)
class Check:
    """A registered check; a live one needs a workspace."""

    name: str
    group: str
    live: bool
    work: Callable[[Context], Finding]


REGISTRY: dict[str, Check] = {}
GROUPS = ("model", "sizes", "cluster", "quota", "parameters", "memory", "cost")


def check(name: str, live: bool = False) -> Callable[[Callable[[Context], Finding]], Callable[[Context], Finding]]:
    """Registers a function as the check `name` of the group that its module is named after."""

    def register(work: Callable[[Context], Finding]) -> Callable[[Context], Finding]:
        REGISTRY[name] = Check(name, work.__module__.rpartition(".")[2], live, work)
        return work

    return register


def passed(sentence: str, *details: str) -> Finding:
    """A finding that all is well."""
    return Finding(PASS, sentence, "", details)


def warned(sentence: str, todo: str, *details: str) -> Finding:
    """A finding that a person should look at; the run may go on."""
    return Finding(WARN, sentence, todo, details)


def failed(sentence: str, todo: str, *details: str) -> Finding:
    """A finding that stops the run."""
    return Finding(FAIL, sentence, todo, details)


def skipped(sentence: str, todo: str = "") -> Finding:
    """A finding that there was nothing to look at."""
    return Finding(SKIPPED, sentence, todo)


def run(context: Context) -> list[Result]:
    """Runs every check in the order of registration; the live ones only where the context can ask."""
    for group in GROUPS:
        importlib.import_module(f"scripts.preflight.{group}")  # registers its checks
    results = []
    for each in REGISTRY.values():
        unasked = False
        if each.live and context.live is None:
            finding = skipped("offline: needs a workspace")
        else:
            try:
                finding = each.work(context)
            except CouldNotAskError as error:
                finding, unasked = skipped(str(error)), True
        results.append(Result(each.name, each.group, finding, unasked))
    return results
