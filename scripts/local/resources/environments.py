"""Environments: versioned descriptions of images."""

from __future__ import annotations

from typing import Any

from scripts.local.core.state import Workspace
from scripts.local.core.store import Document
from scripts.local.core.web import AzureError, Call
from scripts.local.resources.assets import Assets, stamped


class Environments(Assets):
    """Environments: a version is any text."""

    kind, again, content = "environments", 201, ("image", "condaFile", "build")

    def check(self, call: Call, name: str, version: str, properties: dict[str, Any]) -> dict[str, Any]:
        """Writes the system as the service does."""
        return {**properties, "osType": str(properties.get("osType", "Linux")).capitalize()}

    def refuse_change(self, name: str, version: str, key: str) -> None:
        """Refuses other content, which Azure ML takes with 201 and does not use: the old image stays."""
        message = (
            f"Environment {name}:{version} has another {key}. Azure ML would take this and keep the old image without "
            "a word; the local Azure ML refuses it: create a new version."
        )
        raise AzureError(409, "UserError", message)

    def shown(self, workspace: Workspace, properties: dict[str, Any]) -> dict[str, Any]:
        """Shows how far an environment is, and the labels that it has: none."""
        shown = {"azureml.labels": "", **properties.get("properties", {})}
        stage = "Logged" if properties.get("isAnonymous") else "Development"
        return {"stage": stage, **properties, "properties": shown}

    def next_version(self, documents: list[Document], listed: bool) -> str:
        """Proposes a time."""
        return stamped()


ENVIRONMENTS = Environments()
