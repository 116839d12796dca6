"""What the rendered YAML of all environments names, where it runs, and what a machine costs an environment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from scripts import workspace
from scripts.chain import cluster, endpoint
from scripts.chain.rendered import Rendered
from scripts.errors import UserError
from scripts.estimate import price
from scripts.estimate.price import Price
from scripts.files import ROOT
from scripts.status.seen import AZURE, Place
from scripts.strict_yaml import value_at
from scripts.targets import command
from scripts.values.read import Values, environments, load

_NEEDED = (
    *(f"azure.{key}" for key in ("subscription_id", "resource_group", "workspace", "region")),
    "compute.size",
    "deployment.instance_type",
)


@dataclass
class Committed:
    """All environments, of which `only` one may be asked for; what is wrong with one of them hinders no other."""

    values: dict[str, Values]
    faults: list[str]
    root: Path = ROOT
    only: str = ""

    def places(self, backend: str) -> list[Place]:
        """Returns the workspaces of a backend, each with the environments that share it; on Azure no placeholders."""
        shared: dict[tuple[str, ...], list[str]] = {}
        spelled: dict[tuple[str, ...], tuple[str, str, str, str]] = {}
        for name, values in self.values.items():
            if backend != AZURE or not workspace.placeholders(values):
                azure = {key: str(text) for key, text in values.data["azure"].items()}
                first = (azure["subscription_id"], azure["resource_group"], azure["workspace"])
                key = tuple(each.lower() for each in first)  # as Azure compares them
                spelled.setdefault(key, (*first, azure["region"]))
                shared.setdefault(key, []).append(name)
        named = ((spelled[key], tuple(names)) for key, names in shared.items() if self.only in ("", *names))
        return [Place(backend, *azure, names) for azure, names in named]

    @property
    def not_set_up(self) -> list[str]:
        """The environments whose workspace on Azure is still the placeholder."""
        asked = self.values if not self.only else {self.only} & self.values.keys()
        return [name for name in asked if workspace.placeholders(self.values[name])]

    def environment_of(self, kind: str, name: str, place: Place) -> str:
        """Returns the environment whose YAML names an endpoint or a cluster of a workspace, an empty text for none."""
        mine = (each for each in place.environments if name.lower() in self._names[each][kind])
        return next(mine, "")

    @cached_property
    def _names(self) -> dict[str, dict[str, set[str]]]:
        return {name: self._of(name) for name in self.values}

    def _of(self, environment: str) -> dict[str, set[str]]:
        rendered = Rendered(environment, self.root)
        return {
            "endpoint": set(_named(rendered, endpoint.FILE)),
            "cluster": {name for file in cluster.FILES.values() for name in _named(rendered, file)},
        }

    def price(self, environment: str, place: Place, section: str, size: str) -> Price | None:
        """Returns what a machine costs an hour: by the prices of its environment, else of another one beside it."""
        values = self.values[environment or place.environments[0]]
        try:
            return price.of_what_runs(values, section, size, self.root) if size else None
        except UserError as error:  # of its lock
            self.faults += [] if str(error) in self.faults else [str(error)]
            return None


def read(only: str = "", root: Path = ROOT) -> Committed:
    """Reads all environments, since several may share a workspace; `only` one of them is asked for."""
    found = Committed({}, [], root, only)
    for name in environments(root):
        try:
            values = load(name, root=root, check=False)
        except UserError as error:
            found.faults.append(str(error))
            continue
        if missing := [key for key in _NEEDED if not value_at(values.data, key)]:
            todo = command("validate", name)
            found.faults.append(f"environments/{name}.yaml: {', '.join(missing)}: not there; {todo} says more")
        else:
            found.values[name] = values
    return found


def _named(rendered: Rendered, file: tuple[str, ...]) -> Iterator[str]:
    try:
        yield rendered.name(*file).lower()
    except UserError:  # not rendered, as the cluster that prepares data mostly is
        return
