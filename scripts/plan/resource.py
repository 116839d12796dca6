"""One resource on both sides: what the YAML says of it, what the workspace has, and what that comes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.azure import updates

CREATE, CHANGE, REPLACE, DELETE, UNCHANGED, LEFT_ALONE = (
    "create",
    "change",
    "replace",
    "delete",
    "unchanged",
    "left alone",
)
LATER = "(known when it is registered)"  # of a value that an earlier step of the plan makes
CLUSTER, DATA, JOB, MODEL, ENDPOINT, DEPLOYMENT = "cluster", "data asset", "job", "model", "endpoint", "deployment"
STATE = "provisioning_state"
Fields = dict[str, Any]  # dotted keys of the YAML and their values


@dataclass(frozen=True)
class Change:
    """A field that is not as the YAML says; `fixed`: only another resource can have it so."""

    field: str
    old: Any
    new: Any
    fixed: bool


@dataclass(frozen=True)
class Resource:
    """`wanted` is None for what no YAML names, `seen` for what is not there; both have the same fields."""

    kind: str
    name: str
    wanted: Fields | None
    seen: Fields | None
    note: str = ""
    ours: bool = False  # of what no YAML names: this project made it
    runs: bool = False  # of a job: it is there and has not ended
    which: str = ""  # of a cluster: which of the chain's
    goes: bool = False  # with what it is on, which is replaced

    @property
    def title(self) -> str:
        """How sentences call it."""
        return f"{self.kind} {self.name}"

    @property
    def changes(self) -> list[Change]:
        """The fields that differ."""
        if self.wanted is None or self.seen is None:
            return []
        return [
            Change(key, self.seen.get(key), value, self._is_fixed(key))
            for key, value in self.wanted.items()
            if self.seen.get(key) != value
        ]

    def _is_fixed(self, key: str) -> bool:
        # What failed when it was made takes no change: the chain's steps delete it and make it again. A deployment is
        # told apart by the service's answer to an update.
        return updates.is_fixed(self.kind, key) or (key == STATE and self.kind != DEPLOYMENT)

    @property
    def action(self) -> str:
        """What is to be done about it."""
        if self.wanted is None:
            return DELETE if self.ours else LEFT_ALONE
        if self.seen is None:
            return CREATE
        if self.goes or any(change.fixed for change in self.changes):
            return REPLACE
        return CHANGE if self.changes else UNCHANGED


def counted(resources: Sequence[Resource]) -> dict[str, int]:
    """Returns how many are to be created, changed and deleted, and how many are as they should be.

    A replaced one is created and deleted; what is left alone is none of the plan's.
    """
    found = Counter(resource.action for resource in resources)
    return {
        CREATE: found[CREATE] + found[REPLACE],
        CHANGE: found[CHANGE],
        DELETE: found[DELETE] + found[REPLACE],
        UNCHANGED: found[UNCHANGED],
    }


def is_empty(resources: Sequence[Resource]) -> bool:
    """Tells whether nothing is to be done."""
    return all(resource.action in (UNCHANGED, LEFT_ALONE) for resource in resources)


def fields(kind: str, document: Mapping[str, Any], wanted: Mapping[str, Any], live: Mapping[str, Any] | None,
           but: Sequence[str] = ()) -> tuple[Fields, Fields | None]:  # fmt: skip
    """Returns what the YAML's document says, on both sides; `wanted` and `live` are the SDK's reading of either.

    What only the service says, or the SDK, is not compared. `but` are keys that say which one is meant, or where its
    content was before it was sent.
    """
    keys = [key for key in _said(document) if key.partition(".")[0] not in ("$schema", "type", *but)]
    sides = [
        None if side is None else {key: updates.same_form(kind, key, _at(side, key)) for key in keys}
        for side in (wanted, live)
    ]
    return sides[0] or {}, sides[1]


def _said(document: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for key, value in document.items():
        if isinstance(value, dict):
            yield from _said(value, f"{above}{key}.")
        else:
            yield f"{above}{key}"


def _at(found: Any, key: str) -> Any:
    """Returns the value of a dotted key; a tag may have dots in its own name."""
    if not isinstance(found, Mapping):
        return None
    if key in found:
        return found[key]
    for name, value in found.items():
        if key.startswith(f"{name}."):
            return _at(value, key[len(name) + 1 :])
    return None
