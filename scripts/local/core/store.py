"""The state of the emulator: documents in SQLite, committed before a reply is sent, so that a kill loses nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.errors import FILE, one_line
from scripts.files import refuse
from scripts.local.core import clock
from scripts.local.core.home import ANEW

# ARM names are case-insensitive, hence NOCASE. `serial` is the order of creation, which "latest" means in Azure.
SCHEMA = """
create table if not exists documents (
    serial integer primary key autoincrement,
    scope text not null collate nocase,
    kind text not null,
    name text not null collate nocase,
    version text not null collate nocase,
    body text not null,
    created real not null,
    modified real not null,
    unique (scope, kind, name, version)
);
"""
COLUMNS = "scope, kind, name, version, body, created, modified, serial"
RELEASE = 1  # of the schema, kept as the database's user_version; the first releases left it at 0


@dataclasses.dataclass
class Document:
    """One stored resource. `body` is what the resource's own module keeps; times are seconds since the epoch."""

    scope: str
    kind: str
    name: str
    version: str
    body: dict[str, Any]
    created: float
    modified: float
    serial: int
    read: str = ""  # the body as it stands in the store

    def system_data(self) -> dict[str, str]:
        """Returns Azure's `systemData` of the resource."""
        return {
            "createdAt": clock.iso(self.created),
            "createdBy": "local user",
            "createdByType": "Application",
            "lastModifiedAt": clock.iso(self.modified),
            "lastModifiedBy": "local user",
            "lastModifiedByType": "Application",
        }


def check_database(path: Path) -> None:
    """Raises a `UserError` for what is no SQLite database, or a damaged one."""
    fault = "is no file"
    try:
        if path.is_file():  # nobody waits for a pipe
            with contextlib.closing(sqlite3.connect(path)) as connection:
                fault = _damage(connection)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        fault = one_line(error)
    if fault:
        refuse(path, fault, f"put that right, or {ANEW}", FILE)


def _damage(connection: sqlite3.Connection) -> str:
    """Returns what is wrong with a database as such, an empty text where nothing is."""
    (found,) = connection.execute("pragma quick_check(1)").fetchone()
    return "" if found == "ok" else f"is damaged ({one_line(found)})"


class Overtaken(Exception):
    """A document was changed or deleted between its reading and its writing: what was read is no longer true."""


Documents = list[Document]  # by a name of its own, as the store has a method `list`


class Store:
    """Documents by (scope, kind, name, version). To be used from the event loop's thread only."""

    def __init__(self, path: Path) -> None:
        try:
            self.connection = sqlite3.connect(path, isolation_level=None)
            # WAL and NORMAL: a commit survives a killed process (not a power cut), and costs no fsync.
            self.connection.execute("pragma journal_mode=wal")
            self.connection.execute("pragma synchronous=normal")
            self.connection.executescript(SCHEMA)
            fault = self._fault()
        except (sqlite3.Error, UnicodeDecodeError) as error:
            fault = one_line(error)
        if fault:
            with contextlib.suppress(AttributeError):  # where it could not even be opened
                self.close()
            refuse(path, fault, f"put that right, or {ANEW}", FILE)

    def _fault(self) -> str:
        """Returns what is wrong with the database, an empty text where nothing is."""
        (release,) = self.connection.execute("pragma user_version").fetchone()
        if release == 0:
            self.connection.execute(f"pragma user_version={RELEASE}")
        if release > RELEASE:
            return f"a newer version of this project wrote it (release {release}, here is {RELEASE})"
        if damage := _damage(self.connection):
            return damage
        for scope, kind, name, version, body, created, modified, _ in self.connection.execute(
            f"select {COLUMNS} from documents"
        ):
            texts = all(isinstance(each, str) for each in (scope, kind, name, version))
            try:
                whole = texts and isinstance(created + modified, float) and isinstance(json.loads(body), dict)
            except (ValueError, TypeError, RecursionError):
                whole = False
            if not whole:
                return f"is damaged ({kind} {name!r:.60} is no document)"
        return ""

    def close(self) -> None:
        """Closes the database; what was written is already committed."""
        self.connection.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Makes the writes in its block one: all or none."""
        self.connection.execute("begin immediate")
        try:
            yield
        except BaseException:
            self.connection.execute("rollback")
            raise
        self.connection.execute("commit")

    def put(self, scope: str, kind: str, name: str, body: dict[str, Any], version: str = "") -> Document:
        """Creates or replaces a document, and returns it."""
        now = clock.now()
        self.connection.execute(
            "insert into documents (scope, kind, name, version, body, created, modified) values (?, ?, ?, ?, ?, ?, ?) "
            "on conflict do update set body = excluded.body, modified = excluded.modified",
            (scope, kind, name, version, json.dumps(body), now, now),
        )
        document = self.get(scope, kind, name, version)
        assert document is not None
        return document

    def change(self, document: Document, **parts: Any) -> Document:
        """Writes a document that was read, its body with these parts in place of its own, and returns it.

        Raises Overtaken where the store no longer holds what was read: whoever waits in between reads again.
        """
        body = json.dumps(document.body | parts)
        changed = self.connection.execute(
            "update documents set body = ?, modified = ? where serial = ? and body = ?",
            (body, clock.now(), document.serial, document.read),
        )
        if changed.rowcount != 1:
            raise Overtaken(f"{document.kind} {document.name} was changed by somebody else in the meantime")
        return self._select("serial = ?", (document.serial,))[0]

    def get(self, scope: str, kind: str, name: str, version: str = "") -> Document | None:
        """Returns a document, or None."""
        found = self._select("scope = ? and kind = ? and name = ? and version = ?", (scope, kind, name, version))
        return found[0] if found else None

    def list(self, kind: str, scope: str | None = None, name: str | None = None) -> Documents:
        """Returns the documents of a kind, oldest first; of all scopes without `scope`, of all names without `name`."""
        condition, values = "kind = ?", [kind]
        for column, value in (("scope", scope), ("name", name)):
            if value is not None:
                condition += f" and {column} = ?"
                values.append(value)
        return self._select(condition, tuple(values))

    def delete(self, scope: str, kind: str, name: str, version: str = "") -> None:
        """Forgets a document, if there is one."""
        self.connection.execute(
            "delete from documents where scope = ? and kind = ? and name = ? and version = ?",
            (scope, kind, name, version),
        )

    def _select(self, condition: str, values: tuple[Any, ...]) -> Documents:
        rows = self.connection.execute(
            f"select {COLUMNS} from documents where {condition} order by serial",
            values,
        )
        return [
            Document(scope, kind, name, version, json.loads(body), created, modified, serial, body)
            for scope, kind, name, version, body, created, modified, serial in rows
        ]
