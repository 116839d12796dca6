"""What the SDK's own loaders say of the YAML, one sentence a fault instead of a dump of unions and a traceback."""

from __future__ import annotations

import importlib.util
import io
import logging
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

from scripts.azure import client, schema_faults, sdk_private
from scripts.errors import suggest
from scripts.validate.documents import Document, Finding

LOADERS = {"finetuning_job": "job", "autoscale": ""}  # kind -> azure.ai.ml.load_<word>, where it is another or none


def check(documents: list[Document]) -> Iterator[Finding]:
    """Loads each document with `azure.ai.ml.load_<kind>` and yields what it refuses."""
    logging.disable(logging.WARNING)  # notices of the SDK, on every load
    try:
        sdk = client.import_sdk()
        for document in documents:
            loads = LOADERS.get(document.kind, document.kind)
            if loads:
                yield from _load(document, getattr(sdk, f"load_{loads}"))
    finally:
        logging.disable(logging.NOTSET)


def _load(document: Document, loader: Any) -> Iterator[Finding]:
    try:
        with redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
            entity = loader(source=document.path)
            # fields inside a step are only looked at here
            refused = dict(sdk_private.refused(entity)) if document.kind == "job" else {}
    except Exception as error:  # the SDK raises its own, marshmallow's and plain Python errors alike
        faults = schema_faults.faults(error, document.kind, document.get)
        for key, fault in (faults or {"": schema_faults.sentence(str(error))}).items():
            yield document.finding(key, fault)
    else:
        for key, text in refused.items():
            yield document.finding(key, schema_faults.sentence(text))


def unknown_keys(document: Document) -> Iterator[Finding]:
    """Yields the keys that none of the SDK's schemas for the kind of document has; nothing where no SDK is installed.

    The schemas are only read: no entity is loaded, and no file that the document names.
    """
    if document.kind in sdk_private.KINDS and is_installed():
        client.import_sdk()
        yield from _unknown(document, "", document.data, sdk_private.schemas(document.kind))


def is_installed() -> bool:
    """Tells whether the SDK is there: a hook may do without its hundred megabytes."""
    try:
        return importlib.util.find_spec("azure.ai.ml") is not None
    except ModuleNotFoundError:
        return False


def _unknown(document: Document, key: str, data: Any, candidates: list[Any]) -> Iterator[Finding]:
    if isinstance(data, list):
        items = [item for each in candidates for item, _ in sdk_private.branches(each, {}) if item]
        inner = [value for item in items if (value := sdk_private.value_node(item)) is not None]
        for number, value in enumerate(data):
            yield from _unknown(document, f"{key}.{number}", value, inner)
    if not isinstance(data, dict):
        return
    fields: dict[str, list[Any]] = {}
    values: list[Any] = []
    ignored, is_free = False, False
    for each in candidates:
        for branch, ignores in sdk_private.branches(each, data):
            own = sdk_private.fields(branch)
            ignored |= ignores
            for name, below in own.items():
                fields.setdefault(name, []).append(below)
            value = sdk_private.value_node(branch)
            if own or value is None:
                continue
            values.append(value)
        is_free = is_free or sdk_private.takes_anything(each)
    if is_free or (not fields and not values):
        return
    for name, value in data.items():
        below = [*fields.get(name, []), *values]
        if below:
            yield from _unknown(document, f"{key}.{name}".lstrip("."), value, below)
        elif name != "$schema":
            effect = ", which Azure ML ignores" if ignored else ""
            hint = suggest(name, fields)
            yield document.finding(f"{key}.{name}".lstrip("."), f"unknown key{hint}{effect}{_allowed(fields, hint)}")


def _allowed(fields: dict[str, list[Any]], hint: str) -> str:
    words = sorted(name for name, found in fields.items() if name != "$schema" and not all(f.dump_only for f in found))
    return "" if hint or len(words) > 20 else f"; allowed: {', '.join(words)}"
