"""What the SDK's own loaders say of the YAML, one sentence a fault instead of a dump of unions and a traceback."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

from scripts.errors import suggest
from scripts.validate.documents import Document, Finding


def check(documents: list[Document]) -> Iterator[Finding]:
    """Loads each document with `azure.ai.ml.load_<kind>` and yields what it refuses."""
    logging.disable(logging.WARNING)  # "This is an experimental class" on every load
    try:
        from azure.ai.ml.entities import _load_functions as loaders

        for document in documents:
            yield from _load(document, getattr(loaders, f"load_{document.kind}"))
    finally:
        logging.disable(logging.NOTSET)


def _load(document: Document, loader: Any) -> Iterator[Finding]:
    try:
        with redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
            entity = loader(source=document.path)
            refused = {}
            if document.kind == "job":  # fields inside a step are only looked at here
                refused = {error.yaml_path: error.descriptor for error in entity._validate()._errors}
    except Exception as error:  # the SDK raises its own, marshmallow's and plain Python errors alike
        messages = _field_messages(error)
        if not messages:
            yield document.finding("", _sentence(str(error)))
        for key, text in messages.items():
            yield document.finding(key, _fault(document, key, text))
    else:
        for key, text in refused.items():
            yield document.finding(key, _sentence(str(text)))


def _field_messages(error: BaseException | None) -> dict[str, str]:
    """Returns dotted key -> message from marshmallow's error, which the SDK wraps in one of long texts."""
    found: dict[str, str] = {}
    while error is not None:
        messages = getattr(error, "messages", None)
        if isinstance(messages, dict):
            found = dict(_flatten(messages, ""))
        error = error.__cause__ or error.__context__
    return found


def _flatten(messages: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(messages, dict):
        for name, inner in messages.items():
            # "value" and "_schema" are marshmallow's own words for "the value of this entry"
            yield from _flatten(inner, key if name in ("value", "_schema") else f"{key}.{name}".lstrip("."))
    elif isinstance(messages, list) and len(messages) > 1:  # a union: the branches, shortest first
        branches = dict(pair for branch in reversed(messages) for pair in _flatten(branch, key))
        yield from branches.items()
    elif isinstance(messages, list):
        yield from _flatten(messages[0], key) if messages else ()
    else:
        yield key, str(messages)


def _fault(document: Document, key: str, text: str) -> str:
    value = document.get(key)
    if text.startswith("Unknown field"):
        allowed = _allowed(document.kind, key.rpartition(".")[0])
        names = f"; allowed: {', '.join(allowed)}" if allowed else ""
        return f"unknown key{suggest(key.rpartition('.')[2], allowed)}{names}"
    if text.startswith("Missing data"):
        return "missing; add it"
    choice = re.search(r"not in set \[(.*)\]|Must be one of: (.*)\.", text)
    if choice:
        allowed = [word.strip(" '\"") for word in (choice[1] or choice[2]).split(",")]
        return f"found {value!r}, allowed: {', '.join(allowed)}{suggest(value, allowed)}"
    wanted = re.match(r"Not a valid (\w+)", text)
    if wanted:
        return f"found {value!r}, expected {wanted[1]}" + (", so put it in quotes" if wanted[1] == "string" else "")
    return _sentence(text)


def _allowed(kind: str, parent: str) -> list[str]:
    """Returns the keys that the SDK's schema knows at a place, in so far as it can be asked."""
    from azure.ai.ml._schema._deployment.online.online_deployment import ManagedOnlineDeploymentSchema
    from azure.ai.ml._schema._endpoint.online.online_endpoint import ManagedOnlineEndpointSchema
    from azure.ai.ml._schema.assets.data import DataSchema
    from azure.ai.ml._schema.assets.model import ModelSchema
    from azure.ai.ml._schema.component.command_component import CommandComponentSchema
    from azure.ai.ml._schema.compute.aml_compute import AmlComputeSchema
    from azure.ai.ml._schema.pipeline.pipeline_job import PipelineJobSchema

    schemas = {
        "component": CommandComponentSchema, "compute": AmlComputeSchema, "data": DataSchema, "job": PipelineJobSchema, "model": ModelSchema,
        "online_endpoint": ManagedOnlineEndpointSchema, "online_deployment": ManagedOnlineDeploymentSchema,
    }  # fmt: skip
    fields = schemas[kind]._declared_fields
    for part in filter(None, parent.split(".")):
        nested = getattr(fields.get(part), "nested", None)
        if not isinstance(nested, type):
            return []
        fields = nested._declared_fields
    return sorted(field.data_key or name for name, field in fields.items() if not field.dump_only)


def _sentence(text: str) -> str:
    """Returns the first sentence of an SDK message, without colour codes and links."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text).strip()
    return re.split(r"\n|\. |Visit this link", plain)[0].strip().rstrip(".") or "the SDK refuses this file"
