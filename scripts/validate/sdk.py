"""What the SDK's own loaders say of the YAML, one sentence a fault instead of a dump of unions and a traceback."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

from scripts.azure import client, schema_faults, sdk_private
from scripts.validate.documents import Document, Finding


def check(documents: list[Document]) -> Iterator[Finding]:
    """Loads each document with `azure.ai.ml.load_<kind>` and yields what it refuses."""
    logging.disable(logging.WARNING)  # notices of the SDK, on every load
    try:
        sdk = client.import_sdk()
        for document in documents:
            yield from _load(document, getattr(sdk, f"load_{document.kind}"))
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
