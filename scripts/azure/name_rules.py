"""What Azure takes as the name of a resource. Facts from catalog/names.json, with their sources.

The schema of the values, validate and the emulator ask here; what each says of a wrong name is its own sentence.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from scripts.azure.catalog import read_catalog, record

SAFE_CLUSTER_NAME = 16  # characters: names.json says why the longer ones are unverified


@dataclass(frozen=True)
class NameRule:
    """How many characters a name has, and which; `unverified` says why Azure's own rule is not known for certain."""

    resource: str
    least: int
    most: int
    pattern: str
    words: str
    source: str
    unverified: str = ""

    def fault(self, name: object) -> str:
        """Returns what is wrong with a name, the end of a sentence; an empty text for one that Azure takes."""
        text, kind = str(name), f"{'an' if self.resource[0] in 'aeiou' else 'a'} {self.resource}"
        if not self.least <= len(text) <= self.most:
            return f"'{text}' has {len(text)} characters; {kind} name has {self.lengths}"
        if not re.fullmatch(self.pattern, text):
            return f"'{text}': {kind} name has {self.words}"
        return ""

    @property
    def lengths(self) -> str:
        """How long a name is, in words."""
        return f"{self.least} to {self.most}" if self.least < self.most else str(self.least)

    @property
    def allowed(self) -> str:
        """What is allowed, in words: `3 to 32 letters, digits and dashes, …`."""
        return f"{self.lengths} {self.words}"


@functools.cache
def rules() -> dict[str, NameRule]:
    """Returns the rules by resource."""
    return {row["resource"]: record(NameRule, row) for row in read_catalog("names.json")["rules"]}


def rule(resource: str) -> NameRule:
    """Returns the rule of a resource, such as `cluster`."""
    return rules()[resource]


def fault(resource: str, name: object) -> str:
    """Returns what is wrong with the name of a resource, an empty text for one that Azure takes."""
    return rule(resource).fault(name)
