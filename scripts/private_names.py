"""Names that a package keeps to itself and this project needs all the same: what an update drops is told by name."""

from __future__ import annotations

import importlib
from importlib import metadata
from typing import Any

from scripts.errors import FAILED, UserError


def look_up(package: str, path: str) -> Any:
    """Returns what `module:attribute.attribute` names; a UserError names what the installed version has no more."""
    module, _, attributes = path.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for attribute in filter(None, attributes.split(".")):
            found = getattr(found, attribute)
    except (ImportError, AttributeError) as error:
        raise missing(package, path, error) from error
    return found


def missing(package: str, path: str, why: object) -> UserError:
    """The error for a name that is not there, to be raised."""
    try:
        version = metadata.version(package)
    except metadata.PackageNotFoundError:
        version = "(which is not installed)"
    return UserError(
        f"{package} {version} has no {path} ({why}), which this project uses although it is private; "
        "install the version that pyproject.toml pins, or find what took its place",
        FAILED,
    )
