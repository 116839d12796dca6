"""The fine-tuning component's interface: every input with its type, default and bounds, and every output.

Facts from catalog/chat_completion_pipeline.json, or from a lock, which has the same shape.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scripts.azure.catalog import plain, read_catalog, record
from scripts.azure.limits import Limit, component_limits

COMPONENT = "chat_completion_pipeline"
FILE_TYPES = ("uri_file", "uri_folder", "mltable", "mlflow_model", "custom_model", "triton_model")
SPLITS = ("train", "validation", "test")  # the files that it takes, each as <split>_file_path or <split>_mltable_path
Wire = str | int | float  # what an input holds on the wire; its switches are the texts "true" and "false"


@dataclass(frozen=True)
class Input:
    """One input of the component."""

    name: str
    type: str
    default: Wire | None = None
    enum: tuple[str, ...] = ()
    min: float | None = None
    max: float | None = None
    optional: bool = False
    mode: str | None = None

    @property
    def takes_files(self) -> bool:
        """Whether it is bound to files rather than given a value."""
        return self.type in FILE_TYPES

    @property
    def is_switch(self) -> bool:
        """Whether it is one of the component's texts "true" and "false"."""
        return self.enum == ("true", "false")

    @property
    def limit(self) -> Limit | None:
        """The numbers that it allows: its own bounds, else those of the code behind it."""
        if self.min is not None or self.max is not None:
            return Limit(self.name, "the component's interface", self.min, self.max)
        return component_limits().get(self.name)

    def typed(self, value: object) -> Wire:
        """Returns a value in the input's own type; a `ValueError` for what is none.

        Tags, values and the wire carry "2", 2 and true for what is the text "2", the number 2 or the text "true".
        """
        if self.type == "integer":
            number = float(value) if isinstance(value, str | int | float) else float("nan")
            if isinstance(value, bool) or not number.is_integer():
                raise ValueError(f"{value!r} is not a whole number")
            return int(number)
        if self.type == "number":
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                raise ValueError(f"{value!r} is not a number")
            return float(value)
        return str(value).lower() if isinstance(value, bool) else str(value)

    def native(self, value: object) -> Wire | bool | None:
        """Returns a typed value as Python has it: a switch as a bool, None where nothing is given."""
        if value is None:
            return None
        return self.typed(value) == "true" if self.is_switch else self.typed(value)

    def fault(self, value: Wire) -> str:
        """Returns what is allowed instead of a typed value, in words; an empty text for one that is."""
        if self.enum and value not in self.enum:
            return ", ".join(self.enum)
        if self.limit and not isinstance(value, str) and not self.limit.holds(value):
            return self.limit.words
        return ""


@dataclass(frozen=True)
class Output:
    """One output of the component."""

    name: str
    type: str
    mode: str | None = None


@dataclass(frozen=True)
class Component:
    """The component in one version; `id` and `seen` are a lock's."""

    name: str
    version: str
    inputs: Mapping[str, Input]
    outputs: Mapping[str, Output]
    type: str = "pipeline"
    id: str | None = None
    seen: str | None = None

    def native(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the value of every input as Python has it: what is given, else the default, else None."""
        return {
            name: each.native(each.default if parameters.get(name) in (None, "") else parameters[name])
            for name, each in self.inputs.items()
        }

    def as_row(self) -> dict[str, Any]:
        """Returns it in the shape of the catalog and the lock: an input has no key for what it does not say."""
        sides = {
            side: {name: {key: value for key, value in plain(each).items() if key != "name" and value != []}
                   for name, each in items.items()}
            for side, items in (("inputs", self.inputs), ("outputs", self.outputs))
        }  # fmt: skip
        head = {"component": self.name, "version": self.version, "id": self.id, "type": self.type}
        return {key: value for key, value in {**head, **sides, "seen": self.seen}.items() if value is not None}


def read(row: Mapping[str, Any]) -> Component:
    """Returns a row of the catalog, of a lock or of the live registry as a component."""
    inputs = {name: _input(name, spec) for name, spec in row["inputs"].items()}
    outputs = {name: record(Output, {**spec, "name": name}) for name, spec in row["outputs"].items()}
    return record(Component, {**row, "name": row["component"], "inputs": inputs, "outputs": outputs})


def _input(name: str, spec: Mapping[str, Any]) -> Input:
    """Returns an input; on the wire every value of a component's specification is a text."""
    optional, enum = str(spec.get("optional", False)).lower() == "true", [str(each) for each in spec.get("enum") or ()]
    made = record(Input, {**spec, "name": name, "optional": optional, "enum": enum})
    numbers: dict[str, Any] = {
        key: made.typed(spec[key]) for key in ("default", "min", "max") if spec.get(key) is not None
    }
    return dataclasses.replace(made, **numbers)


@functools.cache
def catalog() -> Component:
    """Returns the component of the catalog."""
    return read(read_catalog(f"{COMPONENT}.json"))
