"""A review as text of 80 columns, as Markdown for one comment, and as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scripts import terminal
from scripts.review.compare import CHANGED, DELETED, Change, Money, Review
from scripts.review.inert import inert
from scripts.review.seen import DAY, IDLE, JOB, Amount, Complaint
from scripts.targets import command

MARKER = "<!-- review of the environments -->"  # by which a later run finds its comment
LONGEST = 60_000  # characters; GitHub takes 65,536
MOST = 60  # rows of a table
MONEY = "Money (estimated)"
SUMMED = (JOB, DAY, IDLE)
_WIDTH = 11


@dataclass(frozen=True)
class Block:
    """A part of a review: rows of cells under columns, or lines where there are no columns."""

    title: str
    rows: Sequence[Sequence[str]]
    columns: Sequence[str] = ()


def text(reviews: Sequence[Review], base: str) -> str:
    """Returns the review for a terminal."""
    if not reviews:
        return f"no environment differs from {base}"
    parts = []
    for each in reviews:
        lines = [f"{_title(each)} (against {base})", *_sums(each)]
        for block in _blocks(each):
            lines += ["", block.title]
            if block.title == MONEY:
                lines.append(terminal.table(block.rows, block.columns, tablefmt="plain"))
            else:
                lines += [_line(row, bool(block.columns)) for row in _cut(block.rows)]
        parts.append("\n".join(lines))
    return terminal.plain("\n\n\n".join(parts))


def _line(row: Sequence[str], is_change: bool) -> str:
    name, *rest = row
    if not any(rest):
        return terminal.wrapped(name, "    ", "  ")
    if is_change:
        who = f" ({rest[2]})" if rest[2:] else ""
        return terminal.wrapped(f"{name}: {rest[0]} -> {rest[1]}{who}", "    ", "  ")
    head = f"  {name:<{_WIDTH}} "
    return terminal.wrapped(" ".join(rest), " " * len(f"  {'':<{_WIDTH}} "), head)


def markdown(reviews: Sequence[Review], base: str) -> str:
    """Returns the review for a comment, nothing where nothing changes."""
    if not reviews:
        return ""
    parts = [MARKER]
    for each in reviews:
        parts += [f"### {inert(_title(each))}", *_sums(each)]
        for block in _blocks(each):
            parts.append(f"**{block.title}**")
            if block.columns:
                lines = [[inert(one) for one in row] for row in _cut(block.rows)]
                rows = [list(block.columns), ["---"] * len(block.columns), *lines]
                parts.append("\n".join(f"| {' | '.join(row)} |" for row in rows))
            else:
                parts.append("\n".join(f"- {': '.join(map(inert, row))}" for row in block.rows))
    names = ", ".join(each.environment for each in reviews)
    last = f"<sub>Against {inert(base)}: {names}; every other environment stays as it is.</sub>\n"
    whole, room = "\n\n".join(parts) + "\n\n", LONGEST - len(last)
    if len(whole) > room:  # who reads the beginning alone learns of every environment nevertheless
        whole = (
            f"{whole[:room].rpartition(chr(10))[0]}\n\nThe rest is too long for a comment: `make review` shows it.\n\n"
        )
    return whole + last


def as_json(reviews: Sequence[Review], base: str) -> str:
    """Returns the review for a program."""
    return json.dumps({"base": base, "environments": [_plain(each) for each in reviews]}, indent=2, ensure_ascii=False)


def _plain(each: Review) -> dict[str, object]:
    found = dataclasses.asdict(each)
    del found["before"], found["after"]
    found["money"] = [{**dataclasses.asdict(one), "difference": one.difference} for one in each.money]
    return {**found, "by_hand": each.after.by_hand if each.after else [], "fault": each.fault}


def _title(each: Review) -> str:
    return f"{each.environment}: {'cannot be told' if each.fault else each.kind}"


def _sums(each: Review) -> list[str]:
    """Returns a line with what the job and a day of the endpoint cost more or less, none where they cost the same."""
    amounts = [(one.name, one.difference, one.after.unit) for one in each.money if one.after and one.name in SUMMED]
    told = [f"{name}: {_difference(more)} {unit}" for name, more, unit in amounts if more and _difference(more) != "0"]
    return ["; ".join(told)] * bool(told)


def _blocks(each: Review) -> list[Block]:
    """Returns what is to be said of an environment, the most important first, without what is empty."""
    if each.fault:
        return [Block("Wrong as it is now", [[line] for line in each.fault.split("\n")])]
    by_hand = each.after.by_hand if each.after else []
    run = "The run" if each.kind == CHANGED else f"The {each.kind} run"
    fields = [[_file(one.name, each.environment), _value(one.before), _value(one.after)] for one in each.fields]
    money, complaints = [_money(one) for one in each.money], [_complaint(*one) for one in each.new.items()]
    blocks = [
        _lines("Notes", [*each.notes, *_notes(each)]),
        _lines("Not what the values give (changed by hand, or not rendered)", _unrendered(each, by_hand)),
        Block(MONEY, money, ["", "before", "after", "difference"]),
        _lines("Prices", _prices(each)),
        Block("New in preflight", complaints),
        Block("No longer in preflight", [_complaint(*one) for one in _gone(each).items()]),
        Block("Values and parameters", [_change(one) for one in _said(each)], ["", "before", "after", "decided by"]),
        Block("Other fields of the YAML", fields, ["", "before", "after"]),
        Block(run, [_fact(one) for one in each.facts]),
        _lines("Rehearsal", each.rehearsal),
    ]
    return [block for block in blocks if block.rows]


def _lines(title: str, lines: Sequence[str]) -> Block:
    return Block(title, [[line] for line in lines])


def _unrendered(each: Review, paths: Sequence[str]) -> list[str]:
    return [f"{', '.join(paths)}; {command('render', each.environment)} writes them anew"] * bool(paths)


def _notes(each: Review) -> list[str]:
    if each.kind == DELETED:
        stays = command("undeploy", each.environment)
        return [f"the files go, and what they made stays and is billed: {stays} before this is merged deletes it"]
    return []


def _gone(each: Review) -> Mapping[str, Complaint]:
    """Returns what was complained of; what is new in other words is said once."""
    return {} if each.kind != CHANGED else {name: one for name, one in each.gone.items() if name not in each.new}


def _said(each: Review) -> list[Change]:
    named = [dataclasses.replace(one, name=f"finetune.{one.name}") for one in each.parameters]
    return [*each.values, *named]


def _change(each: Change) -> list[str]:
    who = dict.fromkeys(one for one in (each.who_before, each.who_after) if one)
    return [each.name, _value(each.before), _value(each.after), " -> ".join(who)]


def _fact(each: Change) -> list[str]:
    sides = dict.fromkeys([each.before, each.after])
    if None in sides:  # an environment, or a promotion, that is not there on one side
        return [each.name, str(each.after or f"{each.before} -> nothing")]
    return [each.name, " -> ".join(map(str, sides))]


def _file(name: str, environment: str) -> str:
    kind, *rest = name.split(" ", 1)
    return f"{kind}/{environment}/{' '.join(rest)}"


def _value(value: object) -> str:
    return "nothing" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _money(each: Money) -> list[str]:
    units = dict.fromkeys(one.unit for one in (each.before, each.after) if one)
    label = each.name if list(units) == ["h"] else f"{each.name}, {' -> '.join(units)}"
    return [label, _amount(each.before), _amount(each.after), _difference(each.difference)]


def _difference(difference: float | None) -> str:
    if difference is None:
        return "not known"
    return "0" if abs(difference) < 0.005 else f"{difference:+,.2f}"


def _amount(amount: Amount | None) -> str:
    if amount is None:
        return "not known"
    low, high = (float(f"{each:.3g}") for each in (amount.low, amount.high))
    spread = f" ({low:,g}-{high:,g})" if amount.low != amount.high else ""
    return f"{amount.likely:,.2f}{spread}" if amount.high else "nothing"


def _prices(each: Review) -> list[str]:
    sides = [
        list(dict.fromkeys(one.basis for money in each.money if (one := getattr(money, side)) and one.basis))
        for side in ("before", "after")
    ]
    before, after = sides
    both = [one for one in after if one in before or not before]
    return [
        *both,
        *(f"before: {one}" for one in before if one not in after),
        *(f"after: {one}" for one in after if one not in both),
    ]


def _complaint(name: str, each: Complaint) -> list[str]:
    todo = f"; {each.todo}" if each.todo else ""
    return [f"{each.status.upper()} {name}", f"{each.sentence}{todo}"]


def _cut(rows: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
    if len(rows) <= MOST:
        return rows
    return [*rows[:MOST], [f"and {len(rows) - MOST} more", *[""] * (len(rows[0]) - 1)]]
