"""What a no-code deployment of an MLflow model needs to start. Facts from catalog/serving.json, with their sources."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from scripts.azure.catalog import read_catalog

_FACTS = read_catalog("serving.json")
PROBE_DEFAULTS: Mapping[str, int] = _FACTS["probe_defaults"]  # seconds, and a count
READY_SECONDS: int = _FACTS["ready_seconds"]  # that a no-code model may take until it answers
MONITORING: str = _FACTS["scorer_imports"]["package"]
MLFLOW_BELOW: int = _FACTS["mlflow_below"]["major"]
_REQUIREMENT = re.compile(r"^\s*(?P<name>[A-Za-z0-9][\w.-]*)(?:\[[^]]*\])?\s*(?P<version>.*)$")
_BOUND = re.compile(r"(===?|~=|<=?)\s*(\d+)((?:\.(?:\d+|\*))*)")


def probe_seconds(probe: Mapping[str, Any]) -> int:
    """Returns the seconds after which a container that does not answer is given up; Azure's defaults for what is left
    out.
    """
    words = {**PROBE_DEFAULTS, **{name: value for name, value in probe.items() if value is not None}}
    return int(words["initial_delay"]) + int(words["failure_threshold"]) * int(words["period"])


def conda_faults(content: Any) -> list[str]:
    """Returns what of a model's conda.yaml, once parsed, lets the scorer die at its start: the ends of sentences."""
    found = dict(_packages(content))
    faults = []
    if MONITORING not in found:
        faults.append(f"lacks {MONITORING}, which the scorer imports")
    for name in ("mlflow", "mlflow-skinny"):
        if name in found and not _is_below(found[name]):
            said = f"takes {name}{found[name].replace(' ', '')}" if found[name] else f"takes any {name}"
            faults.append(f"{said}: MLflow {MLFLOW_BELOW} and later was seen to end the scorer")
    return faults


def _packages(content: Any) -> Iterator[tuple[str, str]]:
    """Yields (name, version as it is written) of every package of conda and pip."""
    listed = content.get("dependencies") if isinstance(content, Mapping) else None
    for entry in listed if isinstance(listed, list) else ():
        below = entry.get("pip") if isinstance(entry, Mapping) else None
        for text in below if isinstance(below, list) else [entry]:
            match = _REQUIREMENT.match(text.partition(";")[0]) if isinstance(text, str) else None
            if match:
                yield match["name"].lower().replace("_", "-"), match["version"].strip()


def _is_below(version: str) -> bool:
    """Whether a requirement keeps out what is MLFLOW_BELOW or later: by a pin, or by an upper bound."""
    text = f"={version}" if re.match(r"=\d", version) else version  # conda pins with one sign
    for sign, major, rest in _BOUND.findall(text):
        number, more = int(major), re.search(r"[1-9]", rest)
        if number < MLFLOW_BELOW or (sign == "<" and number == MLFLOW_BELOW and not more):
            return True
    return False
