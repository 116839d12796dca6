"""YAML under review, read as the SDK will read it, with the line of every key: an environment's files, or any one."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from scripts.azure.document_kinds import kind_of
from scripts.errors import MISSING, UserError
from scripts.files import ROOT
from scripts.strict_yaml import nearest, read_yaml, value_at
from scripts.targets import command

# What stands in an environment's folders: file -> the SDK's loader for it (azure.ai.ml.load_<word>).
KINDS = {
    "pipelines/{}/compute.yml": "compute",
    "pipelines/{}/data.yml": "data",
    "pipelines/{}/finetune.yml": "job",
    "pipelines/{}/model.yml": "model",
    "endpoints/{}/endpoint.yml": "online_endpoint",
    "endpoints/{}/deployment.yml": "online_deployment",
    # only where the values ask for it
    "endpoints/{}/autoscale.yml": "autoscale",
    "pipelines/{}/prepare/component.yml": "component",
    "pipelines/{}/prepare/cluster.yml": "compute",
}


ERROR, WARNING = "error", "warning"  # Azure refuses it, or it cannot be meant; it works, and is not what one wants


@dataclass(frozen=True)
class Finding:
    """One fault: where it stands (`file:line`), the dotted key, a sentence that says what to do, and whose it is."""

    where: str
    key: str
    sentence: str
    rule: str = ""
    level: str = ERROR

    def __str__(self) -> str:
        return f"{self.where}: {self.key}: {self.sentence}" if self.key else f"{self.where}: {self.sentence}"


@dataclass(frozen=True)
class Document:
    """A YAML file: `kind` says what it is (scripts.azure.document_kinds), `data` what YAML 1.1 (PyYAML, as in the SDK)
    reads in it. `today` decides what is retired.
    """

    path: Path
    name: str
    kind: str
    data: dict[str, Any]
    lines: dict[str, int]
    repeated: dict[str, int] = field(default_factory=dict)  # key that is written again -> the line before
    text: str = ""
    today: datetime.date = field(default_factory=datetime.date.today)

    def finding(self, key: str, sentence: str) -> Finding:
        """Returns a finding at the line of `key`, or of the nearest key above it that is written down."""
        return Finding(f"{self.name}:{self.lines.get(nearest(self.lines, key), 1)}", key, sentence)

    def get(self, key: str) -> Any:
        """Returns the value of a dotted key, or None."""
        return value_at(self.data, key)

    def texts(self, below: str = "") -> Iterator[tuple[str, str]]:
        """Yields (dotted key, text) of every text at or below a key."""
        return _texts(self.get(below) if below else self.data, below)


def read(environment: str, root: Path = ROOT) -> dict[str, Document]:
    """Reads all files of an environment: by their kind, optional ones by name. A `UserError` when one is missing or is
    not YAML.
    """
    documents = {}
    for pattern, kind in KINDS.items():
        name, optional = pattern.format(environment), "/prepare/" in pattern or kind == "autoscale"
        if (root / name).exists():
            made = read_document(root / name, kind, name)
            if kind == "job" and kind_of(made.data) == "finetuning_job":
                made = replace(made, kind="finetuning_job")
            documents[name if optional else kind] = made
        elif not optional:
            raise UserError(f"{name}: no such file; run {command('render', environment)}", MISSING)
    return documents


def read_document(path: Path, kind: str, name: str | None = None) -> Document:
    """Reads one file."""
    name = name or path.name
    data, lines = read_yaml(path, getattr(yaml, "CSafeLoader", yaml.SafeLoader), name)
    return Document(path, name, kind, data, lines)


def mapping(value: Any) -> dict[str, Any]:
    """Returns a mapping as it is, and an empty one for anything else that stands where a mapping belongs."""
    return value if isinstance(value, dict) else {}


def _texts(value: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict | list):
        for name, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _texts(each, f"{key}.{name}".lstrip("."))
