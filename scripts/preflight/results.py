"""Prints the results: a table for people, JSON and JUnit for machines."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Sequence

from scripts import terminal
from scripts.errors import FAILED, UNREACHABLE
from scripts.preflight.finding import FAIL, PASS, SKIPPED, WARN, Result
from scripts.targets import brief as is_brief
from scripts.targets import costs_nothing

STATUSES = (FAIL, WARN, PASS, SKIPPED)
HEADLINES = ("gpu-memory", "time-and-cost", "endpoint-cost")


def exit_code(results: Sequence[Result]) -> int:
    """Returns 1 if a check failed, else 5 if one could not ask Azure ML, else 0."""
    if any(result.finding.status == FAIL for result in results):
        return FAILED
    return UNREACHABLE if any(result.unasked for result in results) else 0


def table(results: Sequence[Result], brief: bool = False) -> str:
    """Returns the results as text: a line a check, its details and what to do under it, and a summary.

    Failures come first, then what nobody could be asked, then warnings; checks skipped for one reason are one line. The
    brief table has what a person must see before a run starts: complaints, memory and money.
    """
    headlines = HEADLINES[: 0 if is_brief() else 1 if costs_nothing() else 3]
    shown = [each for each in results if not brief or _complains(each) or _speaks(each, headlines)]
    width = max((len(each.check) for each in shown), default=0)
    indent = " " * (width + 9)
    lines, together = [], _skipped_together(shown)
    for result in sorted((each for each in shown if _reason(each) not in together), key=_rank):
        found = result.finding
        status = found.status.upper() if found.status in (FAIL, WARN) else found.status
        lines.append(terminal.wrapped(found.sentence, indent, f"{status:<7} {result.check:<{width}} "))
        if not brief or _complains(result):
            lines += [terminal.wrapped(detail, f"{indent}  ", indent) for detail in found.details]
        if found.todo:
            lines.append(terminal.wrapped(f"-> {found.todo}", f"{indent}   ", indent))
    for (sentence, todo), checks in together.items():
        lines.append(
            terminal.wrapped(f"skipped {', '.join(checks)}: {sentence}" + f" -> {todo}" * bool(todo), " " * 8, "")
        )
    counts = Counter(result.finding.status for result in results)
    summary = ", ".join(f"{counts[each]} {each}" for each in STATUSES if counts[each])
    return "\n".join([*lines, *([f"preflight: {summary}"] if brief else ["", summary])])


def stop(results: Sequence[Result]) -> str:
    """Returns why a run does not start, in a sentence: the first failure and how many more there are."""
    failures = [each for each in results if each.finding.status == FAIL]
    more = f" (and {len(failures) - 1} more above)" if len(failures) > 1 else ""
    return f"{failures[0].check}: {failures[0].finding.sentence}{more}" if failures else ""


def _complains(result: Result) -> bool:
    return result.finding.status in (FAIL, WARN) or result.unasked


def _speaks(result: Result, headlines: Sequence[str]) -> bool:
    return result.check in headlines and result.finding.status != SKIPPED


def _rank(result: Result) -> int:
    status = result.finding.status
    return 0 if status == FAIL else 1 if result.unasked else 2 if status == WARN else 3


def _reason(result: Result) -> tuple[str, str]:
    return result.finding.sentence, result.finding.todo


def _skipped_together(results: Sequence[Result]) -> dict[tuple[str, str], list[str]]:
    """Returns the reasons for which several checks were skipped, with their names."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for each in results:
        if each.finding.status == SKIPPED and not each.unasked:
            reasons.setdefault(_reason(each), []).append(each.check)
    return {reason: checks for reason, checks in reasons.items() if len(checks) > 1}


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
