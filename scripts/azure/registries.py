"""Public registries of models; an organisation has others of its own. Facts from catalog/registries.json."""

from __future__ import annotations

from scripts.azure.catalog import read_catalog
from scripts.errors import suggest

REGISTRIES: tuple[str, ...] = tuple(read_catalog("registries.json")["registries"])


def is_public(name: str) -> bool:
    """Tells whether a registry is one of the public ones that are known; Azure compares names regardless of case."""
    return name.lower() in map(str.lower, REGISTRIES)


def misspelt(name: str) -> str:
    """Returns `" (did you mean 'azureml'?)"` for a name that is nearly a public registry's, else an empty text."""
    return "" if is_public(name) else suggest(name, REGISTRIES)
