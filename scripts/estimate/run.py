"""This run: an environment's values, facts and parameters, and the prepared data in conversations and tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.azure import model_shapes as shapes
from scripts.azure.chat_models import Model
from scripts.azure.component import SPLITS
from scripts.azure.machine_sizes import Card, Size
from scripts.azure.model_shapes import Shape
from scripts.files import ROOT
from scripts.strict_yaml import value_at
from scripts.values import facts as facts_module
from scripts.values import parameters as parameters_module
from scripts.values.data_facts import Split
from scripts.values.facts import Facts
from scripts.values.read import Values

SIZE_KEYS = {"finetune": "compute.size", "inference": "deployment.instance_type"}


@dataclass
class Run:
    """What a run is estimated from.

    `given` are the component's parameters as Python has them: switches are bools, numbers are numbers.
    """

    values: Values
    facts: Facts
    given: dict[str, Any]
    data: dict[str, Split]
    shape: Shape | None

    @property
    def model(self) -> Model:
        """The model's facts."""
        return self.facts.model

    @property
    def environment(self) -> str:
        """The environment's name."""
        return self.values.environment

    def value(self, key: str, default: Any = None) -> Any:
        """Returns a dotted key of the values."""
        return value_at(self.values.data, key, default)

    def at(self, key: str) -> str:
        """Returns `file:line: key` of a dotted key, as every sentence begins."""
        return f"{self.values.where(key)}: {key}"

    def size_name(self, role: str) -> str:
        """Returns the size that trains (`finetune`) or serves (`inference`)."""
        return str(self.value(SIZE_KEYS[role]))

    def size(self, role: str) -> Size | None:
        """Returns the facts of that size, None where nothing is known about it."""
        return self.facts.size(self.size_name(role))

    def card(self, role: str) -> Card | None:
        """Returns the GPU of that size."""
        size = self.size(role)
        return size.card if size else None

    @property
    def kind(self) -> str:
        """The model's type, by which the component knows it; an empty text where it is not known."""
        return self.shape.model_type if self.shape else ""

    @property
    def finetune_config(self) -> dict[str, Any] | None:
        """The finetune configuration that the component reads; None where it lies in the registry's model, unseen."""
        return dict(self.value("model.finetune_config") or {}) if self.value("model.huggingface_id") else None

    @property
    def most_machines(self) -> int:
        """How many machines a deployment has at most: those of the values, or as far as its autoscaling goes."""
        rules = self.value("deployment.autoscale") or {"max": self.value("deployment.instance_count")}
        return int(rules["max"])

    @property
    def billed_machines(self) -> tuple[int, int, int]:
        """How many machines are billed behind the endpoint at least, as the values say, and at most.

        Autoscaling decides between its bounds; a deployment before that is kept is as large as the one that answers.
        """
        count, rules = int(self.value("deployment.instance_count")), self.value("deployment.autoscale") or {}
        kept = self.value("deployment.rollout.keep_previous", False)
        least, most = int(rules.get("min", count)), self.most_machines
        return (2 * least, 2 * count, 2 * most) if kept else (least, count, most)

    def number(self, name: str) -> int:
        """Returns a parameter that is a whole number."""
        return int(self.given[name])


def build(values: Values, data: dict[str, Split], root: Path = ROOT) -> Run:
    """Gathers the run of an environment; a `UserError` where values or facts are wrong."""
    facts = facts_module.load(values, root)
    resolved = parameters_module.resolve(values, facts)
    model = values.data["model"]
    names = (model.get("huggingface_id"), None if values.strange_name else model["name"])
    return Run(
        values=values,
        facts=facts,
        given=facts.component.native({name: parameter.value for name, parameter in resolved.items()}),
        data=data,
        shape=shapes.find(*names),
    )


def splits_of(manifest: Mapping[str, Any]) -> dict[str, Split]:
    """Returns the splits that are trained and tested on, from the data's manifest."""
    files, is_own = manifest["files"], manifest.get("tokens", {}).get("is_own", True)
    return {name: _split(files[name], is_own) for name in SPLITS if name in files}


def _split(file: Mapping[str, Any], is_own: bool) -> Split:
    tokens = file.get("tokens") or {}
    how = tokens.get("how", "characters")
    if how == "exact" and not is_own:
        how = "another model's tokenizer"
    return Split(
        rows=int(file["rows"]),
        tokens=int(tokens.get("tokens", int(file.get("bytes", 0)) // 4)),
        longest=int(tokens.get("histogram", {}).get("longest", 0)) if how == "exact" else 0,
        percentiles=tuple(tokens.get("curve", ())),
        how=how,
        answers_lost=int(tokens.get("cut", {}).get("answers_lost", {}).get("rows", 0)),
    )
