"""Facts about models, the component and machine sizes: from the environment's lock, else from the shipped catalog.

A lock (`environments/<env>.lock.yaml`, written by `make lock`) holds what the live registry and workspace said; it has
the catalog's shape. Rendering reads these files and never the network.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.azure import chat_models, component, lock_file, machine_sizes
from scripts.azure.chat_models import Model
from scripts.azure.component import Component
from scripts.azure.lock_file import Lock, Promoted
from scripts.azure.machine_sizes import Size
from scripts.errors import UserError, suggest
from scripts.files import ROOT
from scripts.targets import command
from scripts.values.read import Values


@dataclass(frozen=True)
class Facts:
    """What is known about `model`, the `component` and the `sizes` (by lower-case name), and `origin`: where from."""

    origin: str
    model: Model
    component: Component
    sizes: Mapping[str, Size]
    lock: Lock | None = None
    promoted: Promoted | None = None  # see names.promoted: it may be another model's

    @property
    def known_versions(self) -> tuple[str, ...]:
        """The versions of the model that the catalog or the lock knows; others may exist, only the registry can say."""
        rows = (self.lock.model if self.lock else None, chat_models.catalog().get(self.model.name))
        return tuple(dict.fromkeys(each.version for each in rows if each and each.name == self.model.name))

    def size(self, name: str) -> Size | None:
        """Returns the facts of a machine size; Azure compares size names without regard to case."""
        return self.sizes.get(name.lower())


def load(values: Values, root: Path = ROOT) -> Facts:
    """Returns the facts for these values; a `UserError` if they name a model that nothing is known about."""
    wanted = values.data["model"]
    kept = lock_file.read(values.environment, root)
    lock = kept if kept and kept != Lock(promoted=kept.promoted) else None  # one that pins nothing is none
    pinned = lock or Lock()
    origin = f"environments/{values.environment}.lock.yaml" if lock else "catalog"
    model = pinned.model
    if wanted.get("huggingface_id"):
        model = Model(wanted["name"])
    elif not (model and model.name == wanted["name"] and wanted.get("version") in ("latest", model.version)):
        origin, model = "catalog", _catalog_model(values)
    sizes = {**machine_sizes.catalog(), **pinned.sizes}
    interface = pinned.component or component.catalog()
    return Facts(origin, model, interface, sizes, lock, kept.promoted if kept else None)


def _catalog_model(values: Values) -> Model:
    wanted, where = values.data["model"], values.where("model.version")
    models = chat_models.catalog()
    version = wanted.get("version")
    if version is None:
        raise UserError(f'{values.where("model")}: model.version: missing; pin one in quotes, for example "15"')
    known = models.get(wanted["name"])
    if version == "latest":
        raise UserError(
            f"{where}: model.version: 'latest' means what the lock pinned, and "
            f"environments/{values.environment}.lock.yaml does not pin {wanted['name']}; "
            f"run {command('lock', values.environment)}, or write an exact version"
            + (f' (the catalog knows "{known.version}")' if known else "")
        )
    if known is None:
        raise UserError(
            f"{values.where('model.name')}: model.name: nothing is known about '{wanted['name']}'"
            f"{suggest(wanted['name'], models)}; run {command('lock', values.environment)} to ask the registry, or "
            f"take one of the catalog: {', '.join(sorted(models))}"
        )
    return dataclasses.replace(known, version=version)
