"""The limits of the house: what a run may cost, take and be, set by the project itself and by a file that it shares.

`limits` in the values are merged as all values are. `limits_from` names a file that a platform team keeps for many
projects; both hold, so that the strictest wins and a project can only tighten what the file sets.

A path is read where it is: it lies in the clone, or beside it. An address is never asked by a check: `make render`
copies what it holds to environments/<env>.limits.lock.yaml, once for each pin (#sha256=…), and the copy is committed.
So a change of the shared file changes nothing here before a pull request moves the pin, and that request shows the
limits before and after. The copy binds as long as it is there: whoever owns it (CODEOWNERS) sees when a limit goes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts import files
from scripts.errors import INVALID, MISSING, CouldNotAskError, UserError
from scripts.files import ROOT
from scripts.strict_yaml import nearest, parse_yaml
from scripts.targets import command
from scripts.values import schema
from scripts.values.read import Values

KEY = "limits_from"
SECONDS = 20
_LARGEST = 2**20  # bytes
_ADDRESS = re.compile(r"(?P<url>https://[^#\s]+)#sha256=(?P<pin>[0-9a-f]{64})")
_HEAD = "# Copied by make render from what limits_from names; do not edit.\n# {address}\n"


@dataclass(frozen=True)
class Limits:
    """What one place sets; `where` says for each key who did."""

    data: Mapping[str, Any]
    places: Mapping[str, str] = field(default_factory=dict)
    name: str = ""

    def where(self, key: str) -> str:
        """Returns file and line of a limit."""
        return self.places.get(nearest(self.places, f"limits.{key}"), self.name)


def copy_path(environment: str, root: Path = ROOT) -> Path:
    """Returns where the copy of a shared file is kept, beside the lock."""
    return root / "environments" / f"{environment}.limits.lock.yaml"


def read(values: Values, root: Path = ROOT) -> list[Limits]:
    """Returns the project's own limits and the shared ones, those that set anything; no network.

    A `UserError` where the shared file, or its copy, is not there or is not what was pinned.
    """
    own = Limits(values.data.get("limits") or {}, values.places, "values.yaml")
    return [each for each in (_checked(own), _shared(values, root)) if each.data]


def take(values: Values, root: Path = ROOT) -> bool:
    """Copies the shared file if it is an address and the copy is not what was pinned; tells whether it did."""
    address = _ADDRESS.fullmatch(values.data.get(KEY) or "")
    if not address or _is_pinned(values, address, root):
        return False
    content = _fetched(values, address["url"])
    found = hashlib.sha256(content).hexdigest()
    if found != address["pin"]:
        raise UserError(
            f"{_at(values)}: {address['url']} holds another content than the pinned one (its sha256 is {found}); look "
            "at what changed there, and write that pin if you agree"
        )
    _parsed(content, address["url"], root)
    files.write(copy_path(values.environment, root), _head(address) + content)
    return True


def _at(values: Values) -> str:
    return f"{values.where(KEY)}: {KEY}"


def _head(address: re.Match[str]) -> bytes:
    return _HEAD.format(address=address[0]).encode()


def _name(values: Values, root: Path) -> str:
    return copy_path(values.environment, root).relative_to(root).as_posix()


def _shared(values: Values, root: Path) -> Limits:
    found, name = values.data.get(KEY) or "", _name(values, root)
    address, copied = _ADDRESS.fullmatch(found), copy_path(values.environment, root).exists()
    if address:
        if not _is_pinned(values, address, root):
            what = "is not a copy of what limits_from pins" if copied else "not there yet, and limits_from names it"
            raise UserError(
                f"{name}: {what} ({values.where(KEY)}); run {command('render', values.environment)} and commit it",
                INVALID if copied else MISSING,
            )
        content = files.read(copy_path(values.environment, root), "restore it", name, _LARGEST) or b""
        return _parsed(content, name, root, f", copied from {address['url']}")
    if copied:
        raise UserError(
            f"{name}: holds limits that the values of {values.environment} do not name any more; put {KEY} back, or "
            "delete the file: whoever owns it sees that in the pull request"
        )
    if not found:
        return Limits({})
    path = root / found
    if not path.is_file():
        raise UserError(f"{_at(values)}: there is no file {found}; correct it, or check out what it names", MISSING)
    return _parsed(files.read(path, "restore it", found, _LARGEST) or b"", found, root)


def _is_pinned(values: Values, address: re.Match[str], root: Path) -> bool:
    content = files.read(copy_path(values.environment, root), "delete it", _name(values, root), _LARGEST)
    head = _head(address)
    return (
        content is not None
        and content.startswith(head)
        and hashlib.sha256(content[len(head) :]).hexdigest() == address["pin"]
    )


def _parsed(content: bytes, name: str, root: Path, more: str = "") -> Limits:
    """Returns a shared file's limits; a `UserError` for what the schema of the values does not allow there."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise UserError(f"{name}: not UTF-8 text (byte {error.start}); correct the shared file") from None
    data, lines = parse_yaml(text, name)
    places = {key: f"{name}:{line}{more}" for key, line in lines.items()}
    made = Limits(data.get("limits") or {}, places, name + more)
    part = {
        "type": "object",
        "additionalProperties": False,
        "required": ["limits"],
        "properties": {"limits": schema.read(root)["properties"]["limits"]},
    }
    faults = schema.faults(data, lambda key: f"{name}:{lines.get(nearest(lines, key), 1)}", root, part)
    if faults:
        raise UserError("\n".join(faults))
    return _checked(made)


def _checked(limits: Limits) -> Limits:
    """Returns limits whose patterns of tags are some; the schema says the rest."""
    for name, pattern in (limits.data.get("required_tags") or {}).items():
        try:
            re.compile(pattern)
        except re.error as error:
            key = f"required_tags.{name}"
            raise UserError(
                f"{limits.where(key)}: limits.{key}: found {pattern!r}, no regular expression ({error}); correct "
                "it, or write .+ for any text"
            ) from None
    return limits


def _fetched(values: Values, url: str) -> bytes:
    import requests

    content = b""
    try:
        with requests.get(url, timeout=SECONDS, stream=True) as answer:
            answer.raise_for_status()
            for part in answer.iter_content(2**16):
                content += part
                if len(content) > _LARGEST:
                    raise UserError(f"{_at(values)}: {url} is larger than 1 MiB, so it is no file of limits")
    except requests.RequestException as error:
        response = getattr(error, "response", None)
        reason = f"answered {response.status_code}" if response is not None else "not reachable"
        raise CouldNotAskError(f"{_at(values)}: {url}: {reason}; look at the address and the network") from None
    return content
