"""The list of checks: none is forgotten, none is there twice, and the groups are those that are printed."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import pkgutil
from typing import Any

import pytest

from scripts import preflight
from scripts.preflight import checklist, quota
from tests.preflight.conftest import made


def written() -> set[object]:
    """Returns every public function of preflight's modules that looks at a context and finds something."""
    found: set[object] = set()
    for module in pkgutil.iter_modules(preflight.__path__):
        made = importlib.import_module(f"scripts.preflight.{module.name}")
        for name, function in inspect.getmembers(made, inspect.isfunction):
            kinds = inspect.get_annotations(function)
            kinds.pop("role", None)
            if not name.startswith("_") and kinds == {"context": "Context", "return": "Finding"}:
                found.add(function)
    return found


def function(check: checklist.Check) -> Any:
    """Returns the function that a check calls, whatever it gives it besides the context."""
    return getattr(check.work, "func", check.work)


def test_nothing_is_forgotten_and_nothing_is_there_twice() -> None:
    listed = [(function(check), getattr(check.work, "keywords", {}).get("role")) for check in checklist.CHECKS]
    assert {made for made, _ in listed} == written() - {quota.beside}  # which `serving` tells, and a rollout asks
    assert len(set(listed)) == len(listed) == 72
    assert len({check.name for check in checklist.CHECKS}) == 72


def test_groups_are_printed_one_after_the_other() -> None:
    groups = list(dict.fromkeys(check.group for check in checklist.CHECKS))
    assert groups == [
        "azure_cli", "subscription", "model", "sizes", "cluster", "quota", "storage", "setup", "data", "parameters",
        "numbers", "memory", "serving", "cost", "limits",
    ]  # fmt: skip
    order = [check.group for check in checklist.CHECKS]
    assert order == sorted(order, key=groups.index)


def test_what_asks_a_workspace_is_marked_live() -> None:
    offline = made("reference")
    for check in checklist.CHECKS:
        with pytest.raises(AssertionError) if check.live else contextlib.nullcontext():
            check.work(offline)


def test_every_check_says_what_it_does() -> None:
    for check in checklist.CHECKS:
        assert function(check).__doc__.startswith(("Fails", "Warns", "Compares", "Estimates", "Says")), check.name


def test_a_check_is_found_by_its_name() -> None:
    assert checklist.named("cluster").group == "cluster"
    with pytest.raises(StopIteration):
        checklist.named("clusters")
