"""What the resources share: their shapes in Azure Resource Manager, finding one, checking a name, how one ended."""

from __future__ import annotations

import base64
from typing import Any

from scripts.azure import name_rules
from scripts.local.core.state import State, Workspace
from scripts.local.core.store import Document
from scripts.local.core.web import Call, bad_request, unknown_resource


def stored(call: Call, kind: str, name: str, path: str) -> Document:
    """Returns a stored resource of a workspace; raises Azure's 404. `path`: the end of its id, as `computes/gpu`."""
    document = call.state.store.get(call.ws.scope, kind, name)
    if document is None:
        raise unknown_resource(f"workspaces/{call.ws.name}/{path}", call.ws.group)
    return document


def refuse_name(resource: str, name: str, what: str, code: str = "UserError") -> None:
    """Refuses a name that Azure would not take for a resource; `what` is the resource at the start of a sentence."""
    if name_rules.fault(resource, name):
        raise bad_request(f"{what} name {name!r} is not allowed: {name_rules.rule(resource).allowed}.", code)


def provisioned(state: State, kind: str, words: dict[str, Any], outcome: str, **content: Any) -> None:
    """Stores how an operation on a resource ended; one that is gone, or is being deleted, stays as it is."""
    document = state.store.get(words["scope"], kind, words["name"])
    if document is not None and document.body["properties"]["provisioningState"] != "Deleting":
        document.body["properties"] |= {"provisioningState": outcome, **content}
        state.store.change(document)


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
    """Returns a page of a listing as Azure does: `value`, and `nextLink` (with the query kept) while there are more.

    `$top` is the length of a page, not of the listing: with one item asked for and two there, there is a `nextLink`.
    """
    size = call.number("$top") or call.number("count") or size
    start = _start(call)
    body: dict[str, Any] = {"value": items[start : start + size]}
    if start + size < len(items):
        token = base64.urlsafe_b64encode(f"{start + size}".encode()).decode()
        url = call.request.url.remove_query_params("$skip").include_query_params(**{"$skipToken": token})
        body["nextLink"] = f"https://{call.host}{url.path}?{url.query}"
    return body


def _start(call: Call) -> int:
    token = call.query.get("$skiptoken")
    if token is None:
        return call.number("$skip")
    try:
        text = base64.urlsafe_b64decode(token).decode()
    except ValueError:
        text = ""
    if not text.isdecimal() or len(text) > 9:
        raise bad_request(f"The query parameter $skipToken is {token!r}; allowed is one of a nextLink.")
    return int(text)


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
