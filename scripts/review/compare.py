"""An environment in two trees: what differs, and what that costs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scripts.review.seen import AMOUNTS, IDLE, Amount, Complaint, Entry, Seen

THERE = "a file"
ENDPOINT = "endpoints endpoint.yml name"
ADDED, DELETED, CHANGED = "new", "deleted", "changed"


@dataclass(frozen=True)
class Change:
    """A value, parameter or field on both sides; None where it was not said. `who` decided it, where that is known."""

    name: str
    before: Any
    after: Any
    who_before: str = ""
    who_after: str = ""


@dataclass(frozen=True)
class Money:
    """A figure on both sides, None where it is not known."""

    name: str
    before: Amount | None
    after: Amount | None

    @property
    def difference(self) -> float | None:
        """After less before; what is not there at all costs nothing, what is not known has no difference."""
        if self.before is None or self.after is None or self.before.unit != self.after.unit:
            return None
        return self.after.likely - self.before.likely


@dataclass
class Review:
    """What a change does to an environment."""

    environment: str
    kind: str
    before: Seen | None
    after: Seen | None
    values: list[Change] = field(default_factory=list)
    parameters: list[Change] = field(default_factory=list)
    fields: list[Change] = field(default_factory=list)
    facts: list[Change] = field(default_factory=list)
    money: list[Money] = field(default_factory=list)
    new: dict[str, Complaint] = field(default_factory=dict)
    gone: dict[str, Complaint] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    rehearsal: list[str] = field(default_factory=list)

    @property
    def fault(self) -> str:
        """Why the environment cannot be told as it is now, an empty text where it can."""
        return self.after.fault if self.after else ""


def compare(environment: str, before: Seen | None, after: Seen | None) -> Review | None:
    """Returns what differs, None where nothing does; a side is None where it has no such environment."""
    if before == after:
        return None
    kind = ADDED if before is None else DELETED if after is None else CHANGED
    made = Review(environment, kind, before, after)
    if made.fault:
        return made
    old, new = before or Seen(), after or Seen()
    if old.fault:
        made.notes.append(f"the base cannot be told: {old.fault}")
        old = Seen()
    made.facts = [
        Change(name, old.facts.get(name), new.facts.get(name)) for name in [*new.facts, *(old.facts.keys() - new.facts)]
    ]
    made.money = _money(old.amounts, new.amounts, kind)
    made.new, made.gone = _only(new.complaints, old.complaints), _only(old.complaints, new.complaints)
    if kind == CHANGED:
        made.values, made.parameters = _entries(old.values, new.values), _entries(old.parameters, new.parameters)
        left = old.fields.get(ENDPOINT)
        if left and left != new.fields.get(ENDPOINT):
            made.notes.append(f"endpoint {left} is named no more: it stays, and is billed, until somebody deletes it")
        made.fields = _fields(old.fields, new.fields, made.values + made.parameters)
    elif kind == ADDED:
        made.values = [each for each in _entries({}, new.values) if each.who_after == "environment"]
        made.parameters = [each for each in _entries({}, new.parameters) if each.who_after == "environment"]
    return made if _says_anything(made, old, new) else None


def _says_anything(made: Review, old: Seen, new: Seen) -> bool:
    """Tells whether more differs than comments and lines."""
    return bool(
        made.kind != CHANGED or made.notes or made.values or made.parameters or made.fields or made.new or made.gone
        or old.by_hand != new.by_hand
        or any(change.before != change.after for change in made.facts)
        or any(money.before != money.after for money in made.money)
    )  # fmt: skip


def _entries(old: Mapping[str, Entry], new: Mapping[str, Entry]) -> list[Change]:
    nothing = Entry(None, "")
    sides = [(name, old.get(name, nothing), new.get(name, nothing)) for name in dict.fromkeys([*old, *new])]
    return [Change(name, one.value, other.value, one.who, other.who) for name, one, other in sides if one != other]


def _fields(old: Mapping[str, Any], new: Mapping[str, Any], said: list[Change]) -> list[Change]:
    """Returns the fields of the YAML that differ, but for those that a value of the same name has told of.

    Of a file that is on one side alone, or is no YAML there, that is all that is said.
    """
    known = {(each.name.rpartition(".")[2], str(each.before), str(each.after)) for each in said}
    files = [dict.fromkeys(_file(name) for name in side) for side in (old, new)]
    whole = (files[0].keys() ^ files[1].keys()) | {name for name in (*old, *new) if _file(name) == name}
    found = [
        Change(
            name, old.get(name, THERE if name in files[0] else None), new.get(name, THERE if name in files[1] else None)
        )
        for name in sorted(whole)
    ]
    for name in dict.fromkeys([*old, *new]):
        one, other = old.get(name), new.get(name)
        last = name.replace(" ", ".").rpartition(".")[2]
        if one != other and _file(name) not in whole and (last, str(one), str(other)) not in known:
            found.append(Change(name, one, other))
    return [each for each in found if each.before != each.after]


def _file(field_name: str) -> str:
    return " ".join(field_name.split(" ")[:2])


def _money(old: Mapping[str, Amount], new: Mapping[str, Amount], kind: str) -> list[Money]:
    names = [name for name in AMOUNTS if name in old or name in new]
    return [Money(name, _side(name, old, new, kind == ADDED), _side(name, new, old, kind == DELETED)) for name in names]


def _side(name: str, own: Mapping[str, Amount], other: Mapping[str, Amount], is_absent: bool) -> Amount | None:
    """Returns an amount; nothing where the environment, or what is paid for, is not there on this side."""
    if name in own or not (is_absent or name == IDLE):
        return own.get(name)
    return Amount(0.0, 0.0, 0.0, other[name].unit)


def _only(own: Mapping[str, Complaint], other: Mapping[str, Complaint]) -> dict[str, Complaint]:
    """Returns the complaints that the other side does not have, in whatever line it has them."""
    return {name: each for name, each in own.items() if name not in other or _plain(each) != _plain(other[name])}


def _plain(each: Complaint) -> tuple[str, str]:
    return each.status, re.sub(r"(\.ya?ml):\d+", r"\1", each.sentence)
