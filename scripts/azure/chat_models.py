"""The registry's chat models: where they train and serve, with which defaults, until when.

Facts from catalog/chat_models.json, or from a lock, which has the same shape.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scripts.azure.catalog import read_catalog, record


@dataclass(frozen=True)
class Model:
    """A model of the registry, or of the Hugging Face hub, of which no more than the name is known."""

    name: str
    version: str = ""
    id: str | None = None
    archived: bool = False
    finetune_computes: tuple[str, ...] = ()
    inference_computes: tuple[str, ...] = ()
    finetune_min_sku_spec: str | None = None  # vCPUs|GPUs|memory GB|disk GB
    inference_min_sku_spec: str | None = None
    model_specific_defaults: Mapping[str, Any] = field(default_factory=dict)
    deprecation: Mapping[str, str] = field(default_factory=dict)
    license: str = ""
    maintained_alternative: Mapping[str, str] | None = None
    seen: str | None = None

    def computes(self, role: str) -> tuple[str, ...]:
        """Returns the sizes that it lists for a role, `finetune` or `inference`."""
        return self.finetune_computes if role == "finetune" else self.inference_computes

    def minimum(self, role: str) -> str | None:
        """Returns the smallest machine for a role."""
        return self.finetune_min_sku_spec if role == "finetune" else self.inference_min_sku_spec

    def lists(self, role: str, size: str) -> bool | None:
        """Tells whether it lists a size for a role, regardless of case; None where it lists none for it."""
        listed = {name.lower() for name in self.computes(role)}
        return size.lower() in listed if listed else None

    def retires(self, role: str) -> datetime.date | None:
        """Returns the day from which it may not be used in a role any more."""
        text = self.deprecation.get(f"{role}RetirementDate")
        return datetime.date.fromisoformat(str(text)[:10]) if text else None


def read(row: Mapping[str, Any]) -> Model:
    """Returns a row of the catalog, of a lock or of the live registry as a model."""
    return record(Model, {name: value for name, value in row.items() if value is not None})


@functools.cache
def catalog() -> dict[str, Model]:
    """Returns the models of the catalog by name."""
    return {row["name"]: read(row) for row in read_catalog("chat_models.json")["models"]}
