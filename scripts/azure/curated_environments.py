"""The environments that Microsoft publishes in the registry azureml: facts from catalog/curated_environments.json."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from scripts.azure.catalog import read_catalog, record

PREFIX = "azureml-"  # before the name by which a workspace too knows such an environment


@dataclass(frozen=True)
class CuratedEnvironment:
    """One environment; `removed`: it is no longer made, and only older versions can be there."""

    name: str
    path: str
    removed: bool = False


@functools.cache
def curated() -> dict[str, CuratedEnvironment]:
    """Returns the environments by their name in lower case."""
    rows = read_catalog("curated_environments.json")["environments"]
    return {row["name"].lower(): record(CuratedEnvironment, row) for row in rows}


def curated_named(name: str) -> CuratedEnvironment | None:
    """Returns the environment of a name, with or without `AzureML-` before it, or None where none is known."""
    return curated().get(name.lower().removeprefix(PREFIX))
