"""The list of checks: none is forgotten, none is there twice, and the groups are those that are printed."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest

from scripts import preflight
from scripts.preflight import checklist


def written() -> set[object]:
    """Returns every public function of preflight's modules that looks at a context and finds something."""
    found: set[object] = set()
    for module in pkgutil.iter_modules(preflight.__path__):
        made = importlib.import_module(f"scripts.preflight.{module.name}")
        for name, function in inspect.getmembers(made, inspect.isfunction):
            kinds = inspect.get_annotations(function)
            if not name.startswith("_") and kinds == {"context": "Context", "return": "Finding"}:
                found.add(function)
    return found


def test_nothing_is_forgotten_and_nothing_is_there_twice() -> None:
    listed = [check.work for check in checklist.CHECKS]
    assert set(listed) == written()
    assert len(set(listed)) == len(listed) == 35
    assert len({check.name for check in checklist.CHECKS}) == 35


def test_groups_are_printed_one_after_the_other() -> None:
    groups = list(dict.fromkeys(check.group for check in checklist.CHECKS))
    assert groups == ["model", "sizes", "cluster", "quota", "parameters", "memory", "cost"]
    order = [check.group for check in checklist.CHECKS]
    assert order == sorted(order, key=groups.index)


def test_what_asks_a_workspace_is_marked_live() -> None:
    for check in checklist.CHECKS:
        assert check.live == ("assert context.live" in inspect.getsource(check.work)), check.name
        assert check.work.__doc__
        assert check.work.__doc__.startswith(("Fails", "Warns", "Compares", "Estimates", "Says"))


def test_a_check_is_found_by_its_name() -> None:
    assert checklist.named("cluster").group == "cluster"
    with pytest.raises(StopIteration):
        checklist.named("clusters")
