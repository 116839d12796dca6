"""The report of an evaluation, in Markdown for a review and in HTML for a reader."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from scripts.pages import charts, page

if TYPE_CHECKING:
    from markupsafe import Markup

INTERVAL = (
    "The interval is where the number would mostly fall with other conversations of the same kind (bootstrap over the "
    "conversations, paired for differences)."
)
WHO = ("base", "tuned")
WORDS_ACROSS = 24  # letters of a field's labels that stand above its columns; more are numbered there
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


def conclusion(evaluation: dict[str, Any]) -> tuple[bool | None, str]:
    """Returns whether the gate lets the model through (None: nothing is asked), and that in a sentence."""
    missed = [each["requirement"] for each in evaluation["gate"] if not each["met"]]
    count = len(evaluation["gate"])
    if not count:
        return None, "no verdict: evaluation.require asks for nothing"
    if missed:
        return False, f"NOT good enough: {len(missed)} of {count} requirements are not met ({', '.join(missed)})"
    return True, f"good enough: all {count} requirements are met"


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
    parts = [f"# {title(evaluation)}", f"**Verdict: {conclusion(evaluation)[1]}.**"]
    parts += [f"- {mark}: {sentence}" for mark, sentence in verdicts(evaluation)]
    parts += [*about(evaluation), "## Measures", _markdown_table(HEAD, rows(evaluation))]
    parts += [
        "Notes: " + "; ".join(f"{each['title']}: {each['note']}" for each in evaluation["measures"].values()) + "."
    ]
    for confusion in evaluation["confusions"]:
        parts.append(f"## {_cell(confusion['field'])}: true (rows) against given (columns)")
        heads = tuple(map(_cell, confusion["labels"]))
        for who in WHO:
            if table := confusion[who]:
                lines = [[head, *map(str, line)] for head, line in zip(heads, table, strict=False)]
                parts.append(_markdown_table((who, *heads), lines))
    parts.append("## Side by side")
    for example in evaluation["examples"]:
        parts.append(f"### {example['name']}")
        for who in ("question", "true", "base", "tuned"):
            parts.append(f"**{who}**\n\n" + _quoted(example[who]))
    parts.append("## General questions")
    general = [[_cell(each[name]) for name in ("question", "true", *WHO)] for each in evaluation["general"]]
    parts.append(_markdown_table(("question", "true", *WHO), general))
    return "\n\n".join(parts) + "\n"


def html(evaluation: dict[str, Any]) -> str:
    """Returns the report as a page of its own."""
    return page.document(
        "evaluate/report.html.j2", title=title(evaluation), about=about(evaluation), head=HEAD, rows=rows(evaluation),
        evaluation=evaluation, marks=MARKS, said=said, conclusion=conclusion(evaluation), charts=_charts(evaluation),
        confusions=list(map(_heat, evaluation["confusions"])),
    )  # fmt: skip


def _charts(evaluation: dict[str, Any]) -> list[Markup]:
    """Returns both models' intervals: shares on one scale, all else on a scale of its own."""
    drawn = []
    for heading, percent in (("Shares, 0 to 100 %", True), ("Other measures, each on its own scale", False)):
        spans = [
            charts.Spans(
                each["title"],
                [charts.Span(who, *(each[who][key] for key in ("value", "low", "high"))) for who in WHO if who in each],
                each["digits"],
            )
            for each in evaluation["measures"].values()
            if each["percent"] == percent and any(who in each for who in WHO)
        ]
        if spans:
            drawn.append(charts.intervals(heading, spans, WHO, 100.0 if percent else None))
    return drawn


def _heat(confusion: dict[str, Any]) -> dict[str, Any]:
    """Returns a field's counts as tables whose cells say how warm they are: 0 to 5, by their share of the row."""
    labels = confusion["labels"]
    numbered = sum(map(len, labels)) > WORDS_ACROSS
    heads = [*map(str, range(1, len(labels))), "+"] if numbered else labels
    tables = []
    for who in WHO:
        lines = []
        for at, counts in enumerate(confusion[who] or []):
            warmth = [math.ceil(5 * count / sum(counts)) if count else 0 for count in counts]
            looks = [
                f"{'right' if at == to else 'wrong'} h{warm}" if warm else "none" for to, warm in enumerate(warmth)
            ]
            lines.append(
                (f"{heads[at]} {labels[at]}" if numbered else labels[at], list(zip(counts, looks, strict=True)))
            )
        if lines:
            tables.append((who, lines))
    heading = list(zip(heads, labels, strict=True))
    return {"field": confusion["field"], "heads": heading, "tables": tables, "numbered": numbered}


def verdicts(evaluation: dict[str, Any]) -> list[tuple[str, str]]:
    """Returns whether each requirement is met, and the sentence, what is not met first."""
    ordered = sorted(evaluation["gate"], key=lambda each: bool(each["met"]))
    return [(MARKS[each["met"]], each["sentence"]) for each in ordered]


def _estimate(given: dict[str, float] | None, digits: int, unit: str, signed: bool = False) -> str:
    if given is None:
        return "—"
    sign = "+" if signed else ""
    return (
        f"{given['value']:{sign}.{digits}f}{unit} ({given['low']:{sign}.{digits}f} to {given['high']:{sign}.{digits}f})"
    )


def _markdown_table(head: tuple[str, ...], lines: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in (list(head), ["---"] * len(head), *lines))


def said(answer: str | None) -> str:
    """Tells a model that was not asked from one that had nothing to say."""
    return "—" if answer is None else answer if answer.strip() else "(empty)"


def _cell(answer: str | None) -> str:
    return " ".join(said(answer).split()).replace("|", "\\|")


def _quoted(answer: str | None) -> str:
    return "\n".join(f"> {line}" for line in said(answer).splitlines())
