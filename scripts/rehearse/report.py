"""A rehearsal as Markdown, for a comment on a pull request or a file beside the YAML."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence

from scripts.chain.patience import duration
from scripts.files import ROOT
from scripts.rehearse import record
from scripts.rehearse.record import Met, Rehearsal
from scripts.targets import command

FILE = "rehearsal.md"
WIDTH, HEIGHT = 60, 9  # of the chart, in letters
TRAINED, HELD_OUT = "*", "o"
SHOWN = 300  # letters of an answer
DIFFERENCES = "scripts/local/AZURE.md"


def markdown(told: Rehearsal) -> str:
    """Returns the report."""
    parts = [
        f"## Rehearsal of {told.environment}: {told.outcome}",
        _head(told),
        _stand_ins(told),
        _failure(told),
        _steps(told),
        _azure(told),
        _curve(told),
        _answers(told),
        _warnings(told),
        _faults(told.faults),
        _unknown(told),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(told: Rehearsal) -> str:
    commit = f"commit `{told.commit[:12]}`" if told.commit else "a folder that is no git clone"
    shown = ", ".join(f"`{name}`" for name in told.changed[:5]) + ", …" * (len(told.changed) > 5)
    files = f"{len(told.changed)} file{'s' * (len(told.changed) != 1)}"
    clean = f" with {files} changed since ({shown})" if told.changed else ", nothing changed" * bool(told.commit)
    return (
        f"The rendered YAML of `{told.environment}` ({commit}{clean}) on Azure ML on localhost, {told.begun}, in "
        f"{duration(told.seconds)}. Nothing of it was paid. Hash of the YAML: `{told.yaml[:19]}`."
    )


def _stand_ins(told: Rehearsal) -> str:
    lines = [f"- {_text(each)}" for each in told.stand_ins]
    return "\n".join(["**Not the real thing:**", "", *lines]) if lines else ""


def _failure(told: Rehearsal) -> str:
    if told.outcome == record.INTERRUPTED:
        return f"It was interrupted; nothing of it is left. `{command('rehearse', told.environment)}` begins again."
    if not (failed := told.failed):
        return ""
    return (
        f"**It failed at `{failed.target}`** (exit code {failed.code}):\n\n> {_text(failed.reason)}\n\n"
        f"Put that right; `{command('rehearse', told.environment)}` runs it again."
    )


def _steps(told: Rehearsal) -> str:
    rows = [
        [f"`{step.target}`", f"**failed** ({step.code})" if step.code else "passed", f"{step.seconds:.0f} s"]
        for step in told.steps
    ]
    return _table(["step", "outcome", "time here"], rows)


def _azure(told: Rehearsal) -> str:
    return _section("The same on Azure", [f"- {_text(each).removeprefix('on Azure ')}" for each in told.on_azure])


def _curve(told: Rehearsal) -> str:
    lines = chart(told.losses.get("loss", []), told.losses.get("eval_loss", []))
    if not lines:
        return ""
    note = [f"Shorter than the YAML says: {_text(told.capped)}.", ""] if told.capped else []
    return _section("Loss", [*note, "```text", *lines, "```"])


def _answers(told: Rehearsal) -> str:
    if not told.answers:
        return ""
    first = told.answers[0]
    asked = first.question.rpartition("\nuser: ")[2]
    rows = [
        [who, _code(said).replace("|", "\\|")]
        for who, said in (("true", first.true), ("base", first.base), ("tuned", first.tuned))
    ]
    figures = [f"Of all that were asked: {told.figures}."] if told.figures else []
    return _section("A held-out question", [f"> {_code(asked)}", "", _table(["who", "answer"], rows), "", *figures])


def _warnings(told: Rehearsal) -> str:
    lines = [f"- **{each.check}**: {_text(each.sentence)} → {_text(each.todo)}" for each in told.warnings]
    return _section("What preflight warns of", lines)


def _faults(faults: Sequence[Met]) -> str:
    if not faults:
        return ""
    rows = []
    for each in faults:
        before = f"preflight stops it: {_text(each.foretold)}. <br>Past that: " * bool(each.foretold)
        if not each.is_met:
            seen = f"did not happen, as this YAML has no place for it: {_text(each.happens)}"
        elif each.code:
            azure = f"*{_text(each.of_azure)}*<br>" if each.of_azure else ""
            seen = f"{before}{azure}{_text(each.said)} (`{each.target}` ends with {each.code})"
        else:
            seen = f"{_text(each.happens)}; `{each.target}` goes on by itself"
        on = "".join(f"`{line}`" for line in each.recovery) + f" ({duration(each.seconds)} here)" * bool(each.recovery)
        on += "" if each.recovered else ", which did **not** go on"
        rows.append([f"`{each.fault}`", seen, on or "—", each.bills if each.code else "—"])
    stops, head = sum(bool(each.code) for each in faults), ["fault", "what you see", "what goes on", "billed meanwhile"]
    sentence = f"{len(faults)} faults, each once, on purpose: {stops} stop a target, and the table says what goes on."
    note = "In italics Azure's own words. On Azure the sentences also say what is billed; here that is a column."
    table = [f"<details><summary>{sentence}</summary>", "", note, "", _table(head, rows), "", "</details>"]
    return _section("When it goes wrong", table)


def _unknown(told: Rehearsal) -> str:
    link = _address(told.commit)
    where = f"[{DIFFERENCES}]({link})" if link else f"`{DIFFERENCES}`"
    return (
        "A rehearsal cannot show how good the real model gets, whether Azure has machines and quota, how long its "
        f"images take, or what nobody has recorded of the service: {where} lists that as unverified."
    )


def _address(commit: str) -> str:
    """Returns where GitHub shows the list, an empty text where the clone is of no repository there."""
    asked = ["git", "-C", str(ROOT), "remote", "get-url", "origin"]
    try:
        origin = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:
        return ""
    found = re.search(r"github\.com[:/]([\w.-]+/[\w.-]+?)(\.git)?$", origin)
    return f"https://github.com/{found[1]}/blob/{commit}/{DIFFERENCES}" if found and commit else ""


def chart(trained: Sequence[Sequence[float]], held_out: Sequence[Sequence[float]]) -> list[str]:
    """Returns losses over steps as lines of text; nothing where there are none."""
    points = [(x, y, TRAINED) for x, y in trained] + [(x, y, HELD_OUT) for x, y in held_out]
    points = [point for point in points if point[1] == point[1]]  # a loss that is no number has no place
    if not points:
        return []
    most, high = max(x for x, *_ in points) or 1, max(y for _, y, _ in points) or 1
    field = [[" "] * WIDTH for _ in range(HEIGHT)]
    for x, y, sign in points:
        field[round((1 - y / high) * (HEIGHT - 1))][round(x / most * (WIDTH - 1))] = sign
    labels = [f"{high * (1 - row / (HEIGHT - 1)):.2f}" if row % 2 == 0 else "" for row in range(HEIGHT)]
    lines = [f"{label:>6} |{''.join(row).rstrip()}" for label, row in zip(labels, field, strict=True)]
    axis = f"{'':>6} +{'-' * WIDTH}"
    ends = [f"held-out {held_out[0][1]:.2f} -> {held_out[-1][1]:.2f}"] if len(held_out) > 1 else []
    return [*lines, axis, f"{'':>8}0{f'step {most:g}':>{WIDTH - 1}}",
            f"{'':>8}{'; '.join([f'{TRAINED} training   {HELD_OUT} held-out', *ends])}"]  # fmt: skip


def _section(title: str, lines: Sequence[str]) -> str:
    return "\n".join([f"### {title}", "", *lines]).rstrip() if lines else ""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


def _code(said: str | None) -> str:
    """Returns the first of what a model or the data says, as code: nothing in it becomes markup or calls somebody."""
    if said is None:
        return "not asked"
    line = " ".join(said.split()) or "(nothing)"
    line = f"{line[:SHOWN]}…" if len(line) > SHOWN else line
    fence = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    pad = " " * (len(fence) > 1)
    return f"{fence}{pad}{line}{pad}{fence}"


def _text(text: str) -> str:
    """Returns a sentence of another program, in one line, as text that Markdown changes nothing of."""
    return re.sub(r"([\\`*_{}\[\]<>|~#@])", r"\\\1", " ".join(text.split()))
