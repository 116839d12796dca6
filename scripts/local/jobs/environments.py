"""The environment of a command: whether there is one of that name, and what of it is used here (none of it)."""

from __future__ import annotations

import platform

from scripts.azure.curated_environments import PREFIX, curated, curated_named
from scripts.errors import suggest
from scripts.local.core.state import State, Workspace
from scripts.local.core.web import AzureError, bad_request, not_found
from scripts.local.resources import registry
from scripts.local.storage import uris


def check(state: State, workspace: Workspace, reference: str, what: str) -> str:
    """Returns a sentence for the job's log about an environment; refuses one that does not exist.

    The words of Azure's refusal are those of its answer to a client that asks for the environment, as recorded in 2023;
    at the submission of a job they are unverified.
    """
    if not reference:
        raise bad_request(f"{what} has no environment.", inner=("BadArgument", "ArgumentInvalid"))
    match = uris.REGISTRY.fullmatch(reference)
    if match is not None:
        name = match["name"]
        if match["registry"].lower() != registry.NAME or match["kind"].lower() != "environments":
            raise bad_request(f"{what} runs in {reference}; the local Azure ML has the registry {registry.NAME} only.")
        return _curated(name, what)
    match = uris.asset_reference(reference)
    if match is None:
        raise bad_request(f"{what} runs in {reference!r}, which names no environment.")
    name, version = match["name"], match["version"]
    if name.lower().startswith(PREFIX):
        return _curated(name, what)
    try:
        found = uris.asset_named(state, workspace, match, "environments").body["properties"]
    except AzureError as error:
        known = {document.name for document in state.store.list("environments", workspace.scope)}
        message = f"No environment exists for name: {name}, version: {version}, label: . {what} runs in it"
        raise not_found(f"{message}{suggest(name, known)}.", inner=("NotFoundError",)) from error
    parts = [f"image {found['image']}"] if found.get("image") else []
    parts += ["a conda file"] if found.get("condaFile") else []
    parts += ["an image to be built"] if found.get("build") else []
    return _told(what, f"environment {name} ({', '.join(parts) or 'without an image'})")


def _told(what: str, environment: str) -> str:
    return f"{what}: {environment} is not built here; the Python {platform.python_version()} of this project runs it."


def _curated(name: str, what: str) -> str:
    """Refuses a curated environment that the catalog does not have; which versions there are is not known here."""
    if curated_named(name) is None:
        hint = suggest(name.lower().removeprefix(PREFIX), curated())
        raise not_found(
            f"{what} runs in the curated environment {name}, which is not in this project's catalog{hint}.",
            inner=("NotFoundError",),
        )
    return _told(what, f"curated environment {name}")
