"""Components: versioned specifications of steps."""

from __future__ import annotations

from typing import Any

from scripts.local.core.state import Workspace
from scripts.local.core.store import Document
from scripts.local.core.web import Call, bad_request
from scripts.local.resources.assets import Assets, stamped

WORDS = ("display_name", "description", "tags", "is_deterministic", "$schema")  # what a later PUT may change
UNSEEN = ("_source", "sourceJobId", "id", "jobs")  # what the service does not send back


class Components(Assets):
    """Components: a version is any text."""

    kind, size = "components", 50

    def check(self, call: Call, name: str, version: str, properties: dict[str, Any]) -> dict[str, Any]:
        """Refuses a component without a specification."""
        if not properties.get("componentSpec"):
            raise bad_request(f"Component {name}:{version} has no componentSpec.")
        return properties

    def changed(self, workspace: Workspace, old: dict[str, Any], new: dict[str, Any]) -> str:
        """Compares specifications as they are shown, but for what only describes them."""
        before, after = (content(each.get("componentSpec") or {}) for each in (old, new))
        return next((key for key in sorted({*before, *after}) if before.get(key) != after.get(key)), "")

    def refuse_change(self, name: str, version: str, key: str) -> None:
        """Refuses other content in the service's words (SDK tests, 2023-04)."""
        message = f'Failed to update component {name} since field "{key}" is immutable, try specifying a new version.'
        raise bad_request(message, inner=("BadArgument", "ArgumentInvalid", "UpdateComponentFailed"))

    def shown(self, workspace: Workspace, properties: dict[str, Any]) -> dict[str, Any]:
        """Shows the specification as the service does; `description` stands in it alone."""
        spec = published(properties.get("componentSpec") or {})
        stage = "Logged" if properties.get("isAnonymous") else "Development"
        return {"stage": stage, **properties, "description": None, "componentSpec": spec}

    def next_version(self, documents: list[Document], listed: bool) -> str:
        """Proposes a time."""
        return stamped()

    def container(self, call: Call, name: str, listed: bool = False) -> dict[str, Any]:
        """Shows no latest version: clients ask for the newest of the list."""
        shown = super().container(call, name, listed)
        shown["properties"]["latestVersion"] = None
        return shown

    def container_system_data(self, document: Document, listed: bool) -> dict[str, str]:
        """Says who made a component in lists only."""
        about = document.system_data()
        return about if listed else {key: about[key] for key in ("createdAt", "lastModifiedAt")}


def published(spec: dict[str, Any]) -> dict[str, Any]:
    """Returns a specification as the service sends it back: each value a text, each input saying if it is optional."""
    shown = {key: texts(value) for key, value in spec.items() if key not in UNSEEN and value is not None}
    for each in shown.get("inputs", {}).values():
        if isinstance(each, dict):
            each.setdefault("optional", "False")
    shown.setdefault("is_deterministic", "True")
    if shown.get("type") == "command":
        shown.setdefault("resources", {"instance_count": "1"})
    return shown


def content(spec: dict[str, Any]) -> dict[str, Any]:
    """Returns what of a specification cannot change; an empty mapping is as none."""
    kept = {key: value for key, value in published(spec).items() if key not in WORDS and value not in ({}, [])}
    if spec.get("jobs"):
        kept["jobs"] = texts(spec["jobs"])
    return kept


def texts(value: Any) -> Any:
    """Returns JSON with every value as a text, as Python writes it (`True`), and without nulls."""
    if isinstance(value, dict):
        return {key: texts(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [texts(each) for each in value]
    return str(value)


COMPONENTS = Components()
