"""Settings of a pipeline: what else stands there the SDK lets through, and nothing comes of it."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.errors import suggest
from scripts.validate.documents import Document, Finding, mapping

ALLOWED = ("default_datastore", "default_compute", "continue_on_step_failure", "force_rerun")


def check(document: Document) -> Iterator[Finding]:
    """Yields the settings of a pipeline job that Azure ML does not know."""
    if document.kind != "job":
        return
    effect = f", which Azure ML would silently ignore; allowed: {', '.join(ALLOWED)}"
    for word in mapping(document.get("settings")):
        if word not in ALLOWED:
            yield document.finding(f"settings.{word}", f"unknown key{suggest(word, ALLOWED)}{effect}")
