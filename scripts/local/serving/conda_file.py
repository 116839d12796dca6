"""Whether Azure's no-code server starts with a model: its image installs the model's conda.yaml before it imports.

The facts are in scripts/azure/catalog/serving.json; the model's packages are not installed here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import InvalidVersion, Version

from scripts.azure.serving_rules import MLFLOW_BELOW, MONITORING
from scripts.conversation import model_folder
from scripts.errors import UserError

BELOW = Version(str(MLFLOW_BELOW))
MLFLOW = ("mlflow", "mlflow-skinny")


def reason(model: Path) -> str | None:
    """Returns why the server would end at its start, None where nothing speaks against it (no conda.yaml, say)."""
    try:
        content = model_folder.parsed(model / "conda.yaml")
    except UserError:
        content = None
    if content is None:
        return None
    found = _requirements(content)
    if MONITORING not in found:
        return f"ModuleNotFoundError: No module named 'azureml.ai': the model's conda.yaml lacks {MONITORING}"
    for name in MLFLOW:
        if name in found and _takes_too_new(found[name]):
            return f"the model's conda.yaml takes {found[name]}, and MLflow {BELOW} ends the server at its start"
    return None


def _requirements(content: Any) -> dict[str, Requirement]:
    """Returns the packages of conda and pip by their names."""
    listed = content.get("dependencies") if isinstance(content, dict) else None
    texts: list[Any] = []
    for each in listed if isinstance(listed, list) else []:
        below = each.get("pip") if isinstance(each, dict) else [each]
        texts += below if isinstance(below, list) else []
    found = {}
    for text in texts:
        try:
            name, sign, version = str(text).partition("=")  # conda pins with one sign
            single = sign and not version.startswith("=") and name[-1:] not in "<>=!~"
            requirement = Requirement(f"{name}=={version}" if single else str(text))
        except InvalidRequirement:
            continue
        found[requirement.name.lower().replace("_", "-")] = requirement
    return found


def _takes_too_new(requirement: Requirement) -> bool:
    """Tells whether a requirement lets in a version that ends the server."""
    named = [each.version.removesuffix(".*") for each in requirement.specifier]
    for text in (*named, str(BELOW), f"{BELOW}.7.0", f"{BELOW}.999", "999"):
        try:
            if Version(text) >= BELOW and requirement.specifier.contains(text):
                return True
        except InvalidVersion:
            continue
    return False
