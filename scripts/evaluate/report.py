"""The report of an evaluation, in Markdown for a review and in HTML for a reader."""

from __future__ import annotations

from typing import Any

from scripts.pages import page

INTERVAL = (
    "The interval is where the number would mostly fall with other conversations of the same kind (bootstrap over the "
    "conversations, paired for differences)."
)
MARKS = {True: "met", False: "NOT met"}


def rows(evaluation: dict[str, Any]) -> list[list[str]]:
    """Returns the table of measures: title, base, tuned, difference, cases, verdict of the interval."""
    table = []
    for measure in evaluation["measures"].values():
        digits, better, gap = measure["digits"], measure["better"], measure.get("difference")
        unit, points = (" %", " points") if measure["percent"] else ("", "")
        cells = [
            _estimate(measure.get("base"), digits, unit),
            _estimate(measure.get("tuned"), digits, unit),
            _estimate(gap, digits, points, signed=True),
        ]
        cases = (measure.get("tuned") or measure.get("base") or {}).get("cases", 0)
        table.append([measure["title"], *cells, str(cases), verdict(gap, better)])
    return table


def verdict(gap: dict[str, float] | None, better: str) -> str:
    """Returns what the interval of a difference says: better, worse, or no difference that chance could not make."""
    if not gap or not better:
        return ""
    if gap["low"] <= 0 <= gap["high"]:
        return "no clear difference"
    return "better" if (gap["high"] < 0) == (better == "lower") else "worse"


HEAD = ("measure", "base", "tuned", "difference", "cases", "tuned is")


def title(evaluation: dict[str, Any]) -> str:
    """Returns the report's headline."""
    return f"Base against tuned: {evaluation['model']}:{evaluation['version']}"


def about(evaluation: dict[str, Any]) -> list[str]:
    """Returns the sentences that say what was compared, and how."""
    used = evaluation["settings"]
    lines = [
        f"Base model: {evaluation['base']}. Data: version {evaluation['data_version']}, {evaluation['asked']} held-out "
        f"conversations with the last answer withheld (seed {used['seed']}), {evaluation['answered']} of them "
        f"answered.",
        f"Answers: base by {evaluation['answered_by']['base']}, tuned by {evaluation['answered_by']['tuned']}; always "
        f"the likeliest token, at most {used['max_new_tokens']} tokens.",
        f"{used['confidence']:g} % intervals. {INTERVAL}",
    ]
    if "exact_match" in evaluation["measures"] and not evaluation["measures"]["exact_match"].get("tuned"):
        lines.append(f"No true answer has {used['short_answer_words']} words or fewer, so there is no exact match.")
    return [*lines, *evaluation["notes"]]


def markdown(evaluation: dict[str, Any]) -> str:
    """Returns the report in Markdown."""
    parts = [f"# {title(evaluation)}", *about(evaluation), "## Measures", _markdown_table(HEAD, rows(evaluation))]
    parts += [
        "Notes: " + "; ".join(f"{each['title']}: {each['note']}" for each in evaluation["measures"].values()) + "."
    ]
    parts += ["## Gate", *(_verdicts(evaluation) or ["`evaluation.require` asks for nothing."])]
    parts.append("## Side by side")
    for example in evaluation["examples"]:
        parts.append(f"### {example['name']}")
        for who in ("question", "true", "base", "tuned"):
            parts.append(f"**{who}**\n\n" + _quoted(example[who]))
    parts.append("## General questions")
    general = [[each["question"], _cell(each["base"]), _cell(each["tuned"])] for each in evaluation["general"]]
    parts.append(_markdown_table(("question", "base", "tuned"), general))
    return "\n\n".join(parts) + "\n"


def html(evaluation: dict[str, Any]) -> str:
    """Returns the report as a page of its own."""
    return page.document(
        "evaluate/report.html.j2", title=title(evaluation), about=about(evaluation), head=HEAD, rows=rows(evaluation),
        evaluation=evaluation, marks=MARKS, said=_said,
    )  # fmt: skip


def terminal(evaluation: dict[str, Any]) -> str:
    """Returns the table and the gate's verdicts for a terminal."""
    from tabulate import tabulate

    table = tabulate(rows(evaluation), headers=HEAD, disable_numparse=True, tablefmt="simple")
    return "\n".join([title(evaluation), "", table, "", *_verdicts(evaluation)])


def _verdicts(evaluation: dict[str, Any]) -> list[str]:
    return [f"- {MARKS[each['met']]}: {each['sentence']}" for each in evaluation["gate"]]


def _estimate(given: dict[str, float] | None, digits: int, unit: str, signed: bool = False) -> str:
    if given is None:
        return "—"
    sign = "+" if signed else ""
    return (
        f"{given['value']:{sign}.{digits}f}{unit} ({given['low']:{sign}.{digits}f} to {given['high']:{sign}.{digits}f})"
    )


def _markdown_table(head: tuple[str, ...], lines: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in (list(head), ["---"] * len(head), *lines))


def _said(answer: str | None) -> str:
    """Tells a model that was not asked from one that had nothing to say."""
    return "—" if answer is None else answer if answer.strip() else "(empty)"


def _cell(answer: str | None) -> str:
    return " ".join(_said(answer).split()).replace("|", "\\|")


def _quoted(answer: str | None) -> str:
    return "\n".join(f"> {line}" for line in _said(answer).splitlines())
