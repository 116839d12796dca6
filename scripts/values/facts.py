"""Facts about models, the component and machine sizes: from the environment's lock, else from the shipped catalog.

A lock (`environments/<env>.lock.yaml`, written by `make lock`) holds what the live registry and workspace said; it has
the catalog's shape. Rendering reads these files and never the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.azure import lock_file
from scripts.azure.catalog import read_catalog
from scripts.errors import UserError, suggest
from scripts.files import ROOT
from scripts.values.read import Values

COMPONENT = "chat_completion_pipeline"


@dataclass(frozen=True)
class Facts:
    """What is known about `model`, the `component` and the `sizes` (by lower-case name), and `origin`: where from."""

    origin: str
    model: dict[str, Any]
    component: dict[str, Any]
    sizes: dict[str, dict[str, Any]]

    def size(self, name: str) -> dict[str, Any] | None:
        """Returns the facts of a machine size; Azure compares size names without regard to case."""
        return self.sizes.get(name.lower())


def load(values: Values, root: Path = ROOT) -> Facts:
    """Returns the facts for these values; a `UserError` if they name a model that nothing is known about."""
    model = values.data["model"]
    path = lock_file.lock_path(values.environment, root)
    lock = lock_file.read(values.environment, root)
    sizes = {**_catalog_sizes(), **{name.lower(): size for name, size in lock.get("sizes", {}).items()}}
    component = lock.get("component") or read_catalog("chat_completion_pipeline.json")
    if model.get("huggingface_id"):
        return Facts(f"environments/{path.name}" if lock else "catalog", {"name": model["name"]}, component, sizes)
    locked = lock.get("model", {})
    if locked.get("name") == model["name"] and model.get("version") in ("latest", locked.get("version")):
        return Facts(f"environments/{path.name}", locked, component, sizes)
    return Facts("catalog", _catalog_model(values), component, sizes)


def _catalog_sizes() -> dict[str, dict[str, Any]]:
    return {size["name"].lower(): size for size in read_catalog("gpu_sizes.json")["sizes"]}


def _catalog_model(values: Values) -> dict[str, Any]:
    wanted, where = values.data["model"], values.where("model.version")
    models = {model["name"]: model for model in read_catalog("chat_models.json")["models"]}
    version = wanted.get("version")
    if version is None:
        raise UserError(f'{values.where("model")}: model.version: missing; pin one in quotes, for example "15"')
    known = models.get(wanted["name"])
    if version == "latest":
        raise UserError(
            f"{where}: model.version: 'latest' means what the lock pinned, and environments/{values.environment}.lock.yaml "
            f"does not pin {wanted['name']}; run make lock ENV={values.environment}, or write an exact version"
            + (f' (the catalog knows "{known["version"]}")' if known else "")
        )
    if known is None:
        raise UserError(
            f"{values.where('model.name')}: model.name: nothing is known about '{wanted['name']}'"
            f"{suggest(wanted['name'], models)}; run make lock ENV={values.environment} to ask the registry, or take one "
            f"of the catalog: {', '.join(sorted(models))}"
        )
    return known if known["version"] == version else {**known, "version": version}
