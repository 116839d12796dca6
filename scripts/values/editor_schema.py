"""`python -m scripts.values.editor_schema`: environments/editor.schema.json, which editors complete from.

It is values.schema.json as a file of overrides needs it (nothing is required, and null takes a key away), with the
words of the catalog as suggestions: sizes, models and regions. What may stand there is the same, and other words too.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from scripts import files
from scripts.azure import chat_models, machine_sizes, regions
from scripts.errors import main
from scripts.files import ROOT
from scripts.values import schema
from scripts.values.schema import Schema

FILE = Path("environments", "editor.schema.json")
_WHOLE = ("required", "if", "then", "else")  # what holds for the merged values, and not for one file of them


def build(root: Path = ROOT) -> Schema:
    """Returns the schema for editors."""
    made = _overrides(schema.read(root))
    for key, words in suggestions().items():
        part = made
        for name in key.split("."):
            part = part["properties"][name]
        part["examples"] = words
    return made | {
        "title": "A file of values for a fine-tuning run on Azure ML",
        "description": "Made by make docs from values.schema.json and the catalog of scripts/azure: edit those.",
    }


def text(root: Path = ROOT) -> str:
    """Returns what the file holds."""
    return json.dumps(build(root), indent=1, ensure_ascii=False) + "\n"


def suggestions() -> dict[str, list[str]]:
    """Returns the words of the catalog by the key that takes them: no retired size, archived models last."""
    models = sorted(chat_models.catalog().values(), key=lambda model: model.archived)
    sizes = [size for size in machine_sizes.catalog().values() if size.status == machine_sizes.AVAILABLE]
    with_gpu = [size.name for size in sizes if size.gpus_per_node]
    return {
        "azure.region": list(regions.REGIONS),
        "model.name": [model.name for model in models],
        "compute.size": with_gpu,
        "compute.preparation.size": [size.name for size in sizes if not size.gpus_per_node],
        "deployment.instance_type": [
            name for name in with_gpu if machine_sizes.catalog()[name.lower()].online_endpoint
        ],
    }


def _overrides(spec: Schema) -> Schema:
    """Returns what a file may hold at a key: a part of the mapping where it is one, else a whole value, or null."""
    if "properties" not in spec and not isinstance(spec.get("additionalProperties"), dict):
        return spec
    made = {word: rule for word, rule in spec.items() if word not in _WHOLE}
    if "properties" in spec:
        made["properties"] = {name: _or_null(_overrides(each)) for name, each in spec["properties"].items()}
    if isinstance(spec.get("additionalProperties"), dict):
        made["additionalProperties"] = _or_null(_overrides(spec["additionalProperties"]))
    return made


def _or_null(spec: Schema) -> Schema:
    if schema.takes_null(spec):
        return spec
    also: dict[str, Any] = {}
    if "type" in spec:
        kinds = spec["type"] if isinstance(spec["type"], list) else [spec["type"]]
        also["type"] = [*kinds, "null"]
    if "enum" in spec:
        also["enum"] = [*spec["enum"], None]
    if "anyOf" in spec:
        also["anyOf"] = [*spec["anyOf"], {"type": "null"}]
    return {**spec, **also}


def run(arguments: list[str] | None = None) -> int:
    """The command: writes the file."""
    argparse.ArgumentParser(prog="python -m scripts.values.editor_schema", description=__doc__).parse_args(arguments)
    files.write(ROOT / FILE, text())
    return 0


if __name__ == "__main__":
    main(run)
