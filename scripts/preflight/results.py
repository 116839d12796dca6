"""Prints the results: a table for people, JSON and JUnit for machines."""

from __future__ import annotations

import dataclasses
import json
import shutil
import textwrap
from collections import Counter
from collections.abc import Sequence

from scripts.errors import FAILED, UNREACHABLE
from scripts.preflight.finding import FAIL, SKIPPED, WARN, Result

WIDTH = 118  # at most; a narrower terminal's is its own
HEADLINES = ("gpu-memory", "time-and-cost", "endpoint-cost")


def exit_code(results: Sequence[Result]) -> int:
    """Returns 1 if a check failed, else 5 if one could not ask Azure ML, else 0."""
    if any(result.finding.status == FAIL for result in results):
        return FAILED
    return UNREACHABLE if any(result.unasked for result in results) else 0


def table(results: Sequence[Result], brief: bool = False) -> str:
    """Returns the results as text: a line a check, its details and what to do under it, and a summary.

    The brief table has what a person must see before a run starts: complaints, memory and money.
    """
    width = max(len(result.check) for result in results)
    indent = " " * (width + 10)
    columns = max(min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns), 2 * len(indent))
    lines = []
    for result in results:
        found = result.finding
        complaint = found.status in (FAIL, WARN) or result.unasked
        if brief and not complaint and (result.check not in HEADLINES or found.status == SKIPPED):
            continue
        head = f"{found.status.upper() if found.status in (FAIL, WARN) else found.status:<7}  {result.check:<{width}} "
        lines += textwrap.wrap(f"{head}{found.sentence}", columns, subsequent_indent=indent, break_on_hyphens=False)
        if not brief or complaint:
            for detail in found.details:
                lines += textwrap.wrap(
                    f"{indent}{detail}", columns, subsequent_indent=f"{indent}  ", break_on_hyphens=False
                )
        if found.todo:
            lines += textwrap.wrap(
                f"{indent}-> {found.todo}", columns, subsequent_indent=f"{indent}   ", break_on_hyphens=False
            )
    counts = Counter(result.finding.status for result in results)
    return "\n".join([*lines, "", ", ".join(f"{count} {status}" for status, count in counts.items())])


def as_json(environment: str, results: Sequence[Result], **more: bool) -> str:
    """Returns the results as JSON: the same keys, always all of them, and in a run's record whether it went on."""
    checks = [
        {"check": result.check, "group": result.group, **dataclasses.asdict(result.finding), "unasked": result.unasked}
        for result in results
    ]
    return json.dumps({"environment": environment, "exit_code": exit_code(results), **more, "checks": checks}, indent=2)


def junit(environment: str, results: Sequence[Result]) -> str:
    """Returns the results as JUnit XML; warnings pass and stand in the case's output."""
    from xml.etree import ElementTree

    suite = ElementTree.Element(
        "testsuite",
        name=f"preflight {environment}",
        tests=str(len(results)),
        failures=str(sum(result.finding.status == FAIL for result in results)),
        errors=str(sum(result.unasked for result in results)),
        skipped=str(sum(result.finding.status == SKIPPED and not result.unasked for result in results)),
    )
    for result in results:
        found = result.finding
        case = ElementTree.SubElement(suite, "testcase", classname=f"preflight.{result.group}", name=result.check)
        text = "\n".join([found.sentence, *found.details, *([f"-> {found.todo}"] if found.todo else [])])
        if result.unasked:
            ElementTree.SubElement(case, "error", message=found.sentence).text = text
        elif found.status == SKIPPED:
            ElementTree.SubElement(case, "skipped", message=found.sentence)
        elif found.status == FAIL:
            ElementTree.SubElement(case, "failure", message=found.sentence).text = text
        else:
            ElementTree.SubElement(case, "system-out").text = f"{found.status}: {text}"
    ElementTree.indent(suite)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(suite, encoding="unicode")}\n'
