"""The log of a deployment, as Azure gives it: the state of its instance, events of its container, what that printed.

Sections as in users' logs of 2022 to 2025; the two sentences for what has none: field notes of 2026-08.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from scripts.local.core import clock, lookup, processes
from scripts.local.core.state import Key, State
from scripts.local.core.store import Document

CONTAINERS = ("InferenceServer", "StorageInitializer", "ModelDataCollector")
HIDDEN = "Deployment is in deleting or creating state so logs can't be retrieved."
NONE = "There are no logs for this deployment at the moment."


def folder(state: State, key: Key) -> Path:
    """Returns the folder with what a deployment wrote: log.txt and events.txt."""
    identifier = lookup.workspace_of_scope(state, key[0]).identifier
    return state.home.deployments / identifier / key[1].replace("/", ".")


def append(path: Path, line: str) -> None:
    """Adds a line to a log; where the disk is full it is lost, and the deployment serves on."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(f"{line}\n")


def event(state: State, key: Key, name: str, message: str, kind: str = "Normal") -> None:
    """Adds an event of the container, as Kubernetes names it."""
    time = clock.iso(clock.now()).replace("+00:00", "Z")
    line = f"Kind: Pod, Name: {name}, Type: {kind}, Time: {time}, Message: {message}"
    append(folder(state, key) / "events.txt", line)


def content(state: State, document: Document, container: str, lines: int) -> str:
    """Returns the log of a deployment's container."""
    status = document.body["properties"]["provisioningState"]
    if status in ("Creating", "Deleting"):
        return HIDDEN
    place = folder(state, (document.scope, document.name.lower()))
    printed, events = (processes.tail(place / name, lines) for name in ("log.txt", "events.txt"))
    if container == "StorageInitializer":
        printed = f"The model lies on this machine already: {document.body['properties']['model']}"
    elif container != CONTAINERS[0] or not (printed or events):
        return NONE
    started = "Succeeded" if status == "Succeeded" else "InProgress"
    instance = ("SystemSetup: Succeeded", "UserContainerImagePull: Succeeded", "ModelDownload: Succeeded")
    sections = {
        "Instance status": "\n".join((*instance, f"UserContainerStart: {started}")),
        "Container events": events,
        "Container logs": printed,
    }
    return "\n\n".join(f"{title}:\n{text}" for title, text in sections.items()) + "\n"
