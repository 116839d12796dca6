"""`settings.yaml` in the home: what differs from machine to machine; made at the first start, every key commented."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from scripts.azure.machine_sizes import family_key
from scripts.errors import UserError, suggest
from scripts.files import write_private

TEMPLATE = """\
# Settings of the local Azure ML. They change how it runs here, never the YAML that runs on Azure ML too.

training:
  # Longest time that a fine-tuning step trains, in seconds, before it saves the model it has; 0 = as the job says.
  max_seconds: 75
  # Most optimiser steps of a fine-tuning step; 0 = as the job says.
  max_steps: 0
  # Threads that training computes with; 0 = as many as there are cores.
  threads: 0
  # Jobs that run at the same time; the others are queued, as on a cluster with that many nodes.
  parallel_jobs: 1

serving:
  # Threads that a deployment computes with; 0 = as many as there are cores.
  threads: 0
  # Most requests that a deployment answers in one batch.
  max_batch: 8
  # Longest time, in seconds, that a deployment may take to load its model before it counts as failed.
  ready_seconds: 300

# Real weights on this machine: a model of the registry, or a Hugging Face id, and the folder that holds it
# (transformers' format, or an MLflow model). A model that is not named here is stood in for by SmolLM2-135M-Instruct.
# base_models:
#   Phi-4: /models/phi-4
#   HuggingFaceTB/SmolLM2-360M-Instruct: /models/smollm2-360m
base_models: {}

quota:
  # Cores that the subscription may use in each family of sizes and region.
  cores_per_family: 1000
  # Families with another limit, by the family name that `az ml compute list-usage` prints.
  # families:
  #   standardNCADSA100v4Family: 24
  families: {}

operations:
  # Time that every long-running operation takes at least, in seconds (Azure takes minutes).
  lro_seconds: 0.05
"""


@dataclasses.dataclass(frozen=True)
class Settings:
    """The checked settings; see TEMPLATE for what each means."""

    max_seconds: float = 75
    max_steps: int = 0
    training_threads: int = 0
    parallel_jobs: int = 1
    serving_threads: int = 0
    max_batch: int = 8
    ready_seconds: float = 300
    base_models: dict[str, str] = dataclasses.field(default_factory=dict)
    cores_per_family: int = 1000
    family_cores: dict[str, int] = dataclasses.field(default_factory=dict)
    lro_seconds: float = 0.05

    def base_model(self, *names: str) -> str | None:
        """Returns the folder of the first name that `base_models` has (case does not matter), or None."""
        folders = {name.lower(): folder for name, folder in self.base_models.items()}
        return next((folders[name.lower()] for name in names if name.lower() in folders), None)

    def family_limit(self, family: str) -> int:
        """Returns the cores that may be used in a family of sizes."""
        limits = {family_key(name): cores for name, cores in self.family_cores.items()}
        return limits.get(family_key(family), self.cores_per_family)


# section -> key -> (field, smallest allowed value); a whole number where the smallest is an int.
NUMBERS: dict[str, dict[str, tuple[str, float]]] = {
    "training": {
        "max_seconds": ("max_seconds", 0.0),
        "max_steps": ("max_steps", 0),
        "threads": ("training_threads", 0),
        "parallel_jobs": ("parallel_jobs", 1),
    },
    "serving": {
        "threads": ("serving_threads", 0),
        "max_batch": ("max_batch", 1),
        "ready_seconds": ("ready_seconds", 1.0),
    },
    "quota": {"cores_per_family": ("cores_per_family", 0)},
    "operations": {"lro_seconds": ("lro_seconds", 0.0)},
}


def load(path: Path) -> Settings:
    """Reads the settings, making the file with its defaults where there is none; raises UserError for what is wrong."""
    import yaml

    if not path.exists():
        write_private(path, TEMPLATE)
    try:
        data = yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as error:
        raise UserError(f"{path}: {' '.join(str(error).split())}.") from None
    fields: dict[str, Any] = {}
    for section, content in _mapping(path, "", data, [*NUMBERS, "base_models"]).items():
        if section == "base_models":
            fields["base_models"] = _base_models(path, content)
            continue
        keys = [*NUMBERS[section], *(["families"] if section == "quota" else [])]
        for key, value in _mapping(path, section, content, keys).items():
            if key == "families":
                families = _mapping(path, "quota.families", value, None)
                checked = {name: _number(path, f"quota.families.{name}", cores, 0) for name, cores in families.items()}
                fields["family_cores"] = checked
            else:
                name, smallest = NUMBERS[section][key]
                fields[name] = _number(path, f"{section}.{key}", value, smallest)
    return Settings(**fields)


def _mapping(path: Path, where: str, value: Any, allowed: list[str] | None) -> dict[str, Any]:
    value = {} if value is None else value
    if not isinstance(value, dict):
        raise UserError(f"{path}: {where or 'the file'} must be a mapping, not {value!r}.")
    for key in value:
        if allowed is not None and key not in allowed:
            place = f"{where}.{key}" if where else key
            raise UserError(f"{path}: unknown key {place}{suggest(key, allowed)}; allowed are {', '.join(allowed)}.")
    return value


def _number(path: Path, where: str, value: Any, smallest: float) -> Any:
    kinds = (int,) if isinstance(smallest, int) else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or value < smallest:
        kind = "a whole number" if kinds == (int,) else "a number"
        raise UserError(f"{path}: {where} is {value!r}; allowed is {kind} of at least {smallest:g}.")
    return value


def _base_models(path: Path, value: Any) -> dict[str, str]:
    models = _mapping(path, "base_models", value, None)
    for name, folder in models.items():
        if not isinstance(folder, str) or not (Path(folder).is_absolute() and Path(folder).is_dir()):
            raise UserError(
                f"{path}: base_models.{name} is {folder!r}; allowed is the absolute path of a folder that exists."
            )
    return models
