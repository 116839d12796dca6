"""The shapes of Azure Resource Manager: a resource, a page of a listing, and the refusal of what does not exist."""

from __future__ import annotations

from typing import Any

from scripts.local.core.store import Document
from scripts.local.core.web import AzureError, Call, not_found
from scripts.local.core.workspace_record import Workspace


def no_resource(workspace: Workspace, path: str) -> AzureError:
    """Returns Azure's 404 for a resource of a workspace; `path` is the end of its id, such as `computes/gpu`."""
    return not_found(
        f"The Resource 'Microsoft.MachineLearningServices/workspaces/{workspace.name}/{path}' under resource group "
        f"'{workspace.group}' was not found.",
        "ResourceNotFound",
    )


def resource(workspace: Workspace, path: str, document: Document, **content: Any) -> dict[str, Any]:
    """Returns the ARM resource of a document; `path` is the end of its id, such as `models/chat/versions/1`."""
    words = path.split("/")
    return {
        "id": f"{workspace.path}/{path}",
        "name": words[-1],
        "type": "/".join(("Microsoft.MachineLearningServices/workspaces", *words[::2])),
        "systemData": document.system_data(),
        **content,
    }


def page(call: Call, items: list[Any], size: int = 100) -> dict[str, Any]:
    """Returns a page of a listing as Azure does: `value`, and `nextLink` (with the query kept) while there are more."""
    top = call.number("$top") or call.number("count")
    items = items[:top] if top else items
    start = call.number("$skip")
    body: dict[str, Any] = {"value": items[start : start + size]}
    if start + size < len(items):
        url = call.request.url.include_query_params(**{"$skip": start + size})
        body["nextLink"] = f"https://{call.host}{url.path}?{url.query}"
    return body


def view(call: Call, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the items that `listViewType` asks for: active ones, archived ones or all."""
    wanted = call.query.get("listviewtype", "ActiveOnly").lower()
    if wanted == "all":
        return items
    return [item for item in items if bool(item["properties"].get("isArchived")) == (wanted == "archivedonly")]


def without_nulls(value: Any) -> Any:
    """Returns JSON without its nulls, which Azure does not send back and the SDK cannot always read."""
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value
