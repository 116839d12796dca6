"""One resource on both sides: what the YAML says of it, what the workspace has, and what that comes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scripts.azure import updates
from scripts.azure.updates import Fields

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
    stays: bool = False  # of such a one: it is left, since a rollout goes on with it or back to it
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
            return DELETE if self.ours and not self.stays else LEFT_ALONE
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
