"""Data: versioned assets that name a file or a folder."""

from __future__ import annotations

from typing import Any

from scripts.local.core.state import Workspace
from scripts.local.core.store import Document
from scripts.local.core.web import AzureError, Call, bad_request
from scripts.local.resources.assets import Assets, counted, stamped
from scripts.local.storage import uris


class DataAssets(Assets):
    """Data: a version is any text."""

    kind, size, content = "data", 50, ("dataUri", "dataType")

    def check(self, call: Call, name: str, version: str, properties: dict[str, Any]) -> dict[str, Any]:
        """Refuses data without a type or a place."""
        if "dataType" not in properties:
            raise bad_request(f"Data {name} has no dataType; allowed are uri_file, uri_folder, mltable.")
        uri = properties.get("dataUri")
        if not uri:
            raise bad_request(f"Data {name} has no dataUri.")
        return {**properties, "dataUri": uris.long_form(call.state, call.ws, uri)}

    def changed(self, workspace: Workspace, old: dict[str, Any], new: dict[str, Any]) -> str:
        """Compares places in their long form, as an older home may have short ones."""
        return super().changed(workspace, {**old, "dataUri": uris.lengthen(workspace, old["dataUri"])}, new)

    def refuse_change(self, name: str, version: str, key: str) -> None:
        """Refuses another place in the words that the SDK waits for."""
        if key == "dataUri":
            raise asset_path_error()
        super().refuse_change(name, version, key)

    def shown(self, workspace: Workspace, properties: dict[str, Any]) -> dict[str, Any]:
        """Shows the place in its long form."""
        return {**properties, "dataUri": uris.lengthen(workspace, properties["dataUri"])}

    def next_version(self, documents: list[Document], listed: bool) -> str:
        """Counts; lists show a time, as recorded in 2022 and 2024."""
        return stamped() if listed else counted(documents)

    def container_properties(self, newest: Document | None) -> dict[str, Any]:
        """Shows the type of the newest version."""
        return {"dataType": newest.body["properties"]["dataType"]} if newest else {}

    def container(self, call: Call, name: str, listed: bool = False) -> dict[str, Any]:
        """Shows neither tags nor properties of data without its version."""
        shown = super().container(call, name, listed)
        shown["properties"] |= {"tags": None, "properties": None}
        return shown

    def system_data(self, document: Document) -> dict[str, str]:
        """Says who changed data only once somebody did."""
        about = document.system_data()
        if document.modified == document.created:
            del about["lastModifiedBy"], about["lastModifiedByType"]
        return about


def asset_path_error() -> AzureError:
    """Returns the refusal of another place under the same version, by which azure-ai-ml knows it (ASSET_PATH_ERROR)."""
    return AzureError(409, "UserError", "Asset paths cannot be updated.")


DATA = DataAssets()
