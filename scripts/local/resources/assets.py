"""Versioned assets: what data, code, environments, components and models have in common.

Each has a subclass in a module of its own, with what only it refuses and shows.
"""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

from scripts.azure import name_rules
from scripts.local.core import clock, lookup
from scripts.local.core.arm import page, resource, view
from scripts.local.core.lookup import SINGULAR, active
from scripts.local.core.state import State, Workspace
from scripts.local.core.store import Document
from scripts.local.core.web import WORKSPACE, AzureError, Call, Routes, bad_request, reply
from scripts.local.resources.forms import form


class Assets:
    """One kind of versioned asset: how a version is checked and shown, and how its versions are counted.

    Status codes, page sizes, words and shapes are as recorded by Microsoft's tests of the SDK and the CLI, 2022-2026.
    """

    kind = ""  # in paths and in the store
    size = 100  # of a page of a listing
    again = 200  # answered to a PUT of what is there already
    content: tuple[str, ...] = ()  # what makes a version what it is: it can be sent again, but never changed
    kept: tuple[str, ...] = ()  # what stays as it is where a later PUT does not say it

    @property
    def singular(self) -> str:
        """The kind as one word of a sentence; its description in forms/ has this name too."""
        return SINGULAR[self.kind]

    def refuse_version(self, version: str, name: str) -> None:
        """Refuses a version that a new asset cannot have."""
        if name_rules.fault("version", version):
            allowed = name_rules.rule("version").allowed
            raise bad_request(f"The version {version!r} of {self.singular} {name} is not allowed: {allowed}.")

    def check(self, call: Call, name: str, version: str, properties: dict[str, Any]) -> dict[str, Any]:
        """Refuses what is wrong in a version, and returns what is kept of it."""
        return properties

    def changed(self, workspace: Workspace, old: dict[str, Any], new: dict[str, Any]) -> str:
        """Returns which part of the content of a version would change, an empty text where none would."""
        return next((key for key in self.content if old.get(key) != new.get(key)), "")

    def refuse_change(self, name: str, version: str, key: str) -> None:
        """Refuses other content under the same version."""
        message = f"{self.singular.capitalize()} {name}:{version} has another {key}; a version cannot change."
        raise AzureError(409, "UserError", f"{message} Create a new one.")

    def shown(self, workspace: Workspace, properties: dict[str, Any]) -> dict[str, Any]:
        """Returns what a reply shows of what is kept."""
        return properties

    def next_version(self, documents: list[Document], listed: bool) -> str:
        """Returns the version that follows those of an asset, of which some may be no numbers."""
        return counted(documents)

    def container_properties(self, newest: Document | None) -> dict[str, Any]:
        """Returns what only this kind shows of an asset without its version."""
        return {}

    def system_data(self, document: Document) -> dict[str, str]:
        """Returns the `systemData` of a version."""
        return document.system_data()

    def container_system_data(self, document: Document, listed: bool) -> dict[str, str]:
        """Returns the `systemData` of an asset without its version."""
        return self.system_data(document)

    def find(self, call: Call, name: str, version: str) -> Document:
        """Returns a version; raises Azure's 404."""
        return lookup.asset(call.state, call.ws, self.kind, name, version)

    # What follows is the same for most kinds.

    def version(self, call: Call, document: Document) -> dict[str, Any]:
        """Returns the ARM resource of a version."""
        path = f"{self.kind}/{document.name}/versions/{document.version}"
        properties = {key: value for key, value in document.body["properties"].items() if value is not None}
        content = resource(call.ws, path, document, properties=self.shown(call.ws, properties))
        return form(self.singular).complete({**content, "systemData": self.system_data(document)}, call.api)

    def container(self, call: Call, name: str, listed: bool = False) -> dict[str, Any]:
        """Returns the ARM resource of an asset without its version; raises Azure's 404."""
        state, workspace = call.state, call.ws
        documents = state.store.list(self.kind, workspace.scope, name)
        own = state.store.get(workspace.scope, f"container-{self.kind}", name)
        if not documents and own is None:
            raise lookup.missing_asset(self.kind, name)
        newest = (active(documents) or documents)[-1] if documents else None
        shown = self.container_properties(newest)
        if own is not None:
            shown |= own.body
        elif state.store.get(workspace.scope, f"archived-{self.kind}", name) is not None:  # of an older home
            shown["isArchived"] = True
        if documents:
            shown["isArchived"] = bool(shown.get("isArchived")) or not active(documents)
        if newest is not None:
            shown["latestVersion"] = newest.version
        shown["nextVersion"] = self.next_version(documents, listed)
        known = [*documents, *([own] if own else [])]
        about = dataclasses.replace(
            known[0],
            created=min(each.created for each in known),
            modified=own.modified if own else known[0].created,
        )
        content = resource(workspace, f"{self.kind}/{about.name}", about, properties=shown)
        content["systemData"] = self.container_system_data(about, listed)
        return form(f"{self.singular}_container").complete(content, call.api)

    def put(self, call: Call, name: str, version: str, properties: dict[str, Any]) -> tuple[Document, bool]:
        """Stores a version; returns it and whether it was there: then what makes its content cannot change."""
        old = call.state.store.get(call.ws.scope, self.kind, name, version)
        if old is None:  # an older home may have names and versions that are refused now
            refuse_name(self.singular, name)
            self.refuse_version(version, name)
        known = old.body["properties"] if old else {}
        left = {key: known[key] for key in self.kept if key in known}
        properties = {"tags": {}, "properties": {}, "isArchived": False, **left, **properties}
        properties = self.check(call, name, version, properties)
        if old is not None:
            key = self.changed(call.ws, known, properties)
            if key:
                self.refuse_change(name, version, key)
        return call.state.store.put(
            call.ws.scope, self.kind, name, {"properties": properties}, version
        ), old is not None

    def routes(self) -> Routes:
        """Returns the routes of the kind."""
        base = f"{WORKSPACE}/{self.kind}"
        table = Routes()

        @table("GET", f"{base}/{{name}}/versions/{{version}}")
        async def get(call: Call) -> Any:
            """Returns a version of an asset."""
            return self.version(call, self.find(call, call.words["name"], call.words["version"]))

        @table("PUT", f"{base}/{{name}}/versions/{{version}}")
        async def put(call: Call) -> Any:
            """Creates a version, or changes its tags, description and whether it is archived; never its content."""
            name, version = call.words["name"], call.words["version"]
            body = form(self.singular).read(call.json(), f"{self.singular.capitalize()} {name}:{version}")
            document, there = self.put(call, name, version, worded(body.get("properties", {})))
            status = self.again if there else 201
            return reply(self.version(call, document), status, location(call) if status == 201 else None)

        @table("GET", f"{base}/{{name}}/versions")
        async def versions(call: Call) -> Any:
            """Lists versions of an asset, newest first, of a `stage`; with `hash` those of any name with it."""
            store, name = call.state.store, call.words["name"]
            if call.query.get("hash"):  # the SDK asks under a name that it has just drawn: look at all of them
                documents = [
                    each
                    for each in store.list(self.kind, call.ws.scope)
                    if (each.body["properties"].get("properties") or {}).get("hash_sha256") == call.query["hash"]
                ]
            else:
                documents = store.list(self.kind, call.ws.scope, name)
                if not documents and self.kind == "models":  # recorded for models, in 2024 and 2026
                    self.container(call, name)
            shown = view(call, [self.version(call, each) for each in reversed(documents)])
            if stage := call.query.get("stage"):
                shown = [each for each in shown if str(each["properties"].get("stage")).lower() == stage.lower()]
            return page(call, shown, self.size)

        @table("GET", f"{base}/{{name}}")
        async def get_container(call: Call) -> Any:
            """Returns an asset without its version, with its latest and next one."""
            return self.container(call, call.words["name"])

        @table("PUT", f"{base}/{{name}}")
        async def put_container(call: Call) -> Any:
            """Makes an asset without a version; archives or restores one with all its versions, changes its tags."""
            name = call.words["name"]
            body = form(f"{self.singular}_container").read(call.json(), f"{self.singular.capitalize()} {name}")
            there = self.put_container(call.state, call.ws, name, worded(body.get("properties", {})))
            status = self.again if there else 201
            shown = self.container(call, name)
            return reply(shown, status, location(call) if status == 201 else None)

        @table("GET", base)
        async def list_containers(call: Call) -> Any:
            """Lists the assets of a kind, without their versions."""
            shown = [self.container(call, name, listed=True) for name in self.names(call)]
            return page(call, view(call, shown), self.size)

        return table

    def names(self, call: Call) -> list[str]:
        """Returns the names of the assets of the call's workspace, in the order in which they were made."""
        kinds = (self.kind, f"container-{self.kind}")
        documents = [each for kind in kinds for each in call.state.store.list(kind, call.ws.scope)]
        names = {each.name.lower(): each.name for each in sorted(documents, key=lambda each: each.serial, reverse=True)}
        return list(reversed(names.values()))

    def put_container(self, state: State, workspace: Workspace, name: str, properties: dict[str, Any]) -> bool:
        """Stores what is said of an asset without its version; returns whether there was one."""
        documents = state.store.list(self.kind, workspace.scope, name)
        own = state.store.get(workspace.scope, f"container-{self.kind}", name)
        if not documents and own is None:
            refuse_name(self.singular, name)
        known = own.body if own else {}
        state.store.put(workspace.scope, f"container-{self.kind}", name, {**known, "isArchived": False, **properties})
        state.store.delete(workspace.scope, f"archived-{self.kind}", name)
        return bool(documents) or own is not None


def worded(properties: dict[str, Any]) -> dict[str, Any]:
    """Returns properties of an asset with each of its tags and properties as a text: the SDK sends some as numbers."""
    maps = {key: properties[key] for key in ("tags", "properties") if key in properties}
    return properties | {key: {word: str(each) for word, each in value.items()} for key, value in maps.items()}


def location(call: Call) -> dict[str, str]:
    """Returns the header that says where what a PUT made is."""
    query = f"?api-version={call.api}" if call.api else ""
    return {"Location": f"https://{call.host}{call.request.url.path}{query}"}


def refuse_name(singular: str, name: str) -> None:
    """Refuses the name of an asset of a workspace, in the words of the service (field notes, 2026-08-24)."""
    fault = name_rules.fault(singular, name)
    if fault:
        message = (
            "Resource name is invalid. It can only contain alphanumeric characters, dashes, and underscores, "
            f"with a limit of 255 characters: {fault}."
        )
        raise bad_request(message, "RequestInvalid")


def counted(documents: list[Document]) -> str:
    """Returns the whole number that follows the versions of an asset; those that are words do not count."""
    numbers = [int(each.version) for each in documents if each.version.isascii() and each.version.isdecimal()]
    return str(max(numbers, default=0) + 1)


def stamped() -> str:
    """Returns the version that Azure proposes where it does not count, such as `2023-05-30-10-10-15-0371765`."""
    now = clock.now()
    moment = datetime.datetime.fromtimestamp(now, datetime.UTC)
    return f"{moment:%Y-%m-%d-%H-%M-%S}-{int(now % 1 * 10**7):07d}"
