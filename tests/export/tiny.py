"""A tiny model, registered as the training step writes it, and its export."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from scripts.evaluate.model_version import ModelVersion
from scripts.export import bundle
from scripts.values.read import load
from tests.tiny_models import make_model

FEW = 110  # conversations: 1,000 take seconds, and one test has them
MEANT = ModelVersion("Tiny-mine", "3", "job")


def model(folder: Path, **changes: Any) -> Path:
    """Writes a registered model's folder as the training step does."""
    make_model(folder / "model", **changes)
    (folder / "MLmodel").write_text(json.dumps({"flavors": {"transformers": {}}, "metadata": {}}))
    return folder


def export(folder: Path, result: Path, **more: Any) -> None:
    bundle.export(load("demo"), MEANT, folder, result, root=folder, **more)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def parsed(text: str) -> dict[str, list[str]]:
    """Reads a Modelfile as Ollama's manual describes it."""
    found: dict[str, list[str]] = {}
    pattern = r'^(FROM|TEMPLATE|PARAMETER \w+) (?:"""((?:.|\n)*?)"""|"([^"\n]*)"|([^"\n]+))\n|^#.*\n'
    end = 0
    for match in re.finditer(pattern, text, re.M):
        assert match.start() == end, text[end : match.start()]
        end = match.end()
        if match[1]:
            found.setdefault(match[1], []).append(next(each for each in match.groups()[1:] if each is not None))
    assert end == len(text)
    return found
