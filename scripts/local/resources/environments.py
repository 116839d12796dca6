"""Environments: versioned descriptions of images."""

from __future__ import annotations

from typing import Any

from scripts.azure import name_rules
from scripts.azure.curated_environments import PREFIX, curated_named
from scripts.local.core.arm import resource
from scripts.local.core.state import Workspace
from scripts.local.core.store import Document
from scripts.local.core.web import AzureError, Call
from scripts.local.resources.assets import Assets, stamped
from scripts.local.resources.forms import form
from scripts.local.resources.registry import curated_properties


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

    def find(self, call: Call, name: str, version: str) -> Document:
        """Finds a curated environment too, by the name AzureML-… that a workspace knows it by."""
        found = self._curated(call, name, version)
        return found or super().find(call, name, version)

    def container(self, call: Call, name: str, listed: bool = False) -> dict[str, Any]:
        """Shows a curated environment with version 1 as its latest, as the newest one is not known here."""
        found = self._curated(call, name, "1")
        if found is None:
            return super().container(call, name, listed)
        shown = {"latestVersion": "1", "nextVersion": "2"}
        return form("environment_container").complete(
            resource(call.ws, f"environments/{found.name}", found, properties=shown), call.api
        )

    def _curated(self, call: Call, name: str, version: str) -> Document | None:
        environment = curated_named(name) if name.lower().startswith(PREFIX) else None
        own = call.state.store.list(self.kind, call.ws.scope, name)
        if environment is None or own or name_rules.fault("model version", version):
            return None
        properties = curated_properties(environment, version)
        return Document(call.ws.scope, self.kind, name, version, {"properties": properties}, 0.0, 0.0, 0)


ENVIRONMENTS = Environments()
