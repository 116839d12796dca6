"""An evaluation for a terminal: a line a measure, the gate's verdicts, and the whole's in the last line."""

from __future__ import annotations

import textwrap
from typing import Any

from scripts.evaluate import report
from scripts.terminal import plain

WIDTH = 80
ROOM = 140  # letters, on two lines
HEAD = ("measure", "base", "tuned", "difference", "of", "tuned is")
FIGURES = {"json_valid": "valid JSON", "json_exact": "all right", "rouge_l": "ROUGE-L", "general_right": "general"}
SAID = {"no clear difference": "unclear"}


def terminal(evaluation: dict[str, Any]) -> str:
    """Returns the measures without their intervals, which the report has, and the gate's verdicts."""
    from tabulate import tabulate

    table = tabulate(list(map(_line, evaluation["measures"].values())), headers=HEAD, disable_numparse=True,
                     colalign=("left", "right", "right", "right", "right", "left"), tablefmt="simple")  # fmt: skip
    verdicts = [_wrapped(f"{mark:8}", said) for mark, said in report.verdicts(evaluation)]
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
        lines = [_wrapped("", _short(said, ROOM))]
        lines += [_wrapped(f"{who:7}", _short(example[who], ROOM if who != "base" else WIDTH - 7))
                  for who in ("true", *report.WHO)]  # fmt: skip
        blocks.append("\n".join(lines))
    return "\n\n".join([*blocks, _wrapped("", figures(evaluation["measures"]))])


def figures(measures: dict[str, Any]) -> str:
    """Returns how many answers are right, the base model's in brackets; ROUGE-L where none has to be JSON."""
    parts: list[str] = []
    for key, name in FIGURES.items():
        measure = measures.get(key, {})
        tuned, base = measure.get("tuned"), measure.get("base")
        if tuned and (measure["percent"] or "json_valid" not in measures):
            before = f" ({'' if parts else 'base '}{_right(base, measure['percent'])})" if base else ""
            of = f" of {tuned['cases']}" if measure["percent"] else ""
            parts.append(f"{name} {_right(tuned, measure['percent'])}{of}{before}")
    return ", ".join(parts)


def _line(measure: dict[str, Any]) -> list[str]:
    digits, unit, gap = measure["digits"], " %" if measure["percent"] else "", measure.get("difference")
    both = [f"{measure[who]['value']:.{digits}f}{unit}" if who in measure else "—" for who in report.WHO]
    said = report.verdict(gap, measure["better"])
    cases = (measure.get("tuned") or measure.get("base") or {}).get("cases", 0)
    shown = f"{gap['value']:+.{digits}f}" if gap else "—"
    return [_short(measure["title"], 29), *both, shown, str(cases), SAID.get(said, said)]


def _right(estimate: dict[str, Any], percent: bool) -> str:
    return str(round(estimate["value"] * estimate["cases"] / 100)) if percent else f"{estimate['value']:.2f}"


def _wrapped(before: str, text: str) -> str:
    indent = " " * len(before)
    return textwrap.fill(text, WIDTH, initial_indent=before, subsequent_indent=indent, break_on_hyphens=False)


def _short(text: str | None, width: int) -> str:
    line = plain(" ".join(report.said(text).split()))
    return line if len(line) <= width else f"{line[: width - 1]}…"
