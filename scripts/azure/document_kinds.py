"""Which kind of Azure ML's YAML a document is. Facts from catalog/document_kinds.json."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scripts.azure.catalog import read_catalog, record

OTHER = "other"  # Azure ML's by its $schema, of a kind about which nothing more is known here
_SCHEMA = re.compile(r"azureml.*/(?P<word>\w+)(\.schema)?\.json$", re.IGNORECASE)


@dataclass(frozen=True)
class Kind:
    """A kind of document, and how it is told: by its schemas' names, else by `types` and keys."""

    kind: str
    schemas: tuple[str, ...]
    types: tuple[str, ...] = ()
    has: tuple[str, ...] = ()
    any: tuple[str, ...] = ()

    def fits(self, data: Mapping[str, Any]) -> bool:
        """Tells whether a document without a $schema is of this kind."""
        if not self.types and not self.has:
            return False
        return (
            (not self.types or data.get("type") in self.types)
            and all(key in data for key in self.has)
            and (not self.any or any(key in data for key in self.any))
        )


@functools.cache
def kinds() -> tuple[Kind, ...]:
    """Returns the kinds, in the order in which one is looked for."""
    return tuple(record(Kind, row) for row in read_catalog("document_kinds.json")["kinds"])


@functools.cache
def _by_schema() -> dict[str, str]:
    return {word.lower(): each.kind for each in kinds() for word in each.schemas}


def kind_of(data: Mapping[str, Any]) -> str:
    """Returns the kind of a document, an empty text where it is none of Azure ML's."""
    schema = data.get("$schema")
    if isinstance(schema, str):
        match = _SCHEMA.search(schema)
        return _by_schema().get(match["word"].lower(), OTHER) if match else ""
    return next((each.kind for each in kinds() if each.fits(data)), "")
