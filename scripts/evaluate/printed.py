"""An evaluation for a terminal: a line a measure, the gate's verdicts, and the whole's in the last line."""

from __future__ import annotations

import textwrap
from typing import Any

from scripts.evaluate import report

WIDTH = 80
HEAD = ("measure", "base", "tuned", "difference", "of", "tuned is")
FIGURES = {"json_valid": "valid JSON", "json_exact": "all fields right", "rouge_l": "ROUGE-L",
           "general_right": "general questions"}  # fmt: skip
SAID = {"no clear difference": "unclear"}


def terminal(evaluation: dict[str, Any]) -> str:
    """Returns the measures without their intervals, which the report has, and the gate's verdicts."""
    from tabulate import tabulate

    table = tabulate(list(map(_line, evaluation["measures"].values())), headers=HEAD, disable_numparse=True,
                     colalign=("left", "right", "right", "right", "right", "left"), tablefmt="simple")  # fmt: skip
    verdicts = [_wrapped(f"{report.MARKS[each['met']]:8}", each["sentence"]) for each in evaluation["gate"]]
    about = [_wrapped("", line) for line in report.about(evaluation)]
    return "\n".join([_wrapped("", report.title(evaluation)), *about, "", table, "", *verdicts])


def conclusion(evaluation: dict[str, Any]) -> str:
    """Returns the last line: whether the model is good enough."""
    return _wrapped("verdict ", report.conclusion(evaluation)[1])


def brief(evaluation: dict[str, Any]) -> str:
    """Returns a few questions, with the true answer and both models', and a line of figures."""
    blocks = []
    for example in evaluation["examples"]:
        said = example["question"].rpartition("\nuser: ")[2]  # what was said before stands in the report
        lines = [f"{who:7}{_short(example[who], WIDTH - 7)}" for who in ("true", *report.WHO)]
        blocks.append("\n".join([textwrap.fill(_short(said, 2 * WIDTH - 10), WIDTH), *lines]))
    return "\n\n".join([*blocks, _wrapped("", _figures(evaluation["measures"]))])


def _line(measure: dict[str, Any]) -> list[str]:
    digits, unit, gap = measure["digits"], " %" if measure["percent"] else "", measure.get("difference")
    both = [f"{measure[who]['value']:.{digits}f}{unit}" if who in measure else "—" for who in report.WHO]
    said = report.verdict(gap, measure["better"])
    cases = (measure.get("tuned") or measure.get("base") or {}).get("cases", 0)
    shown = f"{gap['value']:+.{digits}f}" if gap else "—"
    return [_short(measure["title"], 29), *both, shown, str(cases), SAID.get(said, said)]


def _figures(measures: dict[str, Any]) -> str:
    """Returns how many answers are right, the base model's in brackets; ROUGE-L where none has to be JSON."""
    parts = []
    for key, name in FIGURES.items():
        measure = measures.get(key, {})
        tuned, base = measure.get("tuned"), measure.get("base")
        if tuned and measure["percent"]:
            before = f" (base {round(base['value'] * base['cases'] / 100)})" if base else ""
            parts.append(f"{name} {round(tuned['value'] * tuned['cases'] / 100)}{before} of {tuned['cases']}")
        elif tuned and "json_valid" not in measures:
            parts.append(f"{name} {tuned['value']:.2f}" + (f" (base {base['value']:.2f})" if base else ""))
    return ", ".join(parts)


def _wrapped(before: str, text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent=before, subsequent_indent=" " * len(before))


def _short(text: str | None, width: int) -> str:
    plain = " ".join(report.said(text).split())
    return plain if len(plain) <= width else f"{plain[: width - 1]}…"
