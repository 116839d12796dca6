"""What the chain does in a workspace, as actions of Azure's roles. Facts from catalog/permissions.json."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scripts.azure.catalog import read_catalog


@dataclass(frozen=True)
class Needed:
    """An action, the target that does it, and when that is, if not always."""

    action: str
    target: str
    when: str = ""


ROLE: str = read_catalog("permissions.json")["role"]  # the built-in roles that have all of them


@functools.cache
def needed() -> tuple[Needed, ...]:
    """Returns the actions that the chain needs."""
    rows = read_catalog("permissions.json")["actions"]
    return tuple(Needed(row["action"], row["for"], row.get("when", "")) for row in rows)


def grants(permissions: Iterable[Mapping[str, Any]], action: str) -> bool:
    """Tells whether one of a login's permissions has an action, and does not take it away again (notActions)."""
    return any(
        _matches(each.get("actions"), action) and not _matches(each.get("notActions"), action) for each in permissions
    )


def _matches(patterns: Iterable[str] | None, action: str) -> bool:
    """Tells whether an action fits one of a role's, in which * stands for any text.

    `a/*/write` is taken to be `a/write` too: else the role AzureML Data Scientist, whose actions begin with
    `workspaces/*/`, could not read a workspace, and its `computes/*/write` would forbid no cluster (unverified).
    """
    for pattern in patterns or ():
        pieces = (".*".join(map(re.escape, piece.split("*"))) for piece in pattern.split("/*/"))
        if re.fullmatch("/(.*/)?".join(pieces), action, re.IGNORECASE):
            return True
    return False
