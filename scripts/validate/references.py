"""What a document refers to: assets by an exact version; sizes, models and environments that can still be had."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator

from scripts.azure import chat_models, machine_sizes
from scripts.azure.chat_models import Model
from scripts.azure.curated_environments import curated_named
from scripts.azure.references import PLACE, REGISTRY, SHORT
from scripts.validate.documents import Document, Finding

RETIRING = datetime.timedelta(days=180)
# What has no versions, or is no reference: the last word of a key.
_UNVERSIONED = frozenset(
    "compute default_compute compute_target instance_pool datastore default_datastore connection target id job "
    "job_definition endpoint_deployment_id".split()
)
# A workspace knows the registry's environments under a prefix.
_AZURES_ENVIRONMENT = re.compile(
    r"azureml:(//registries/azureml/environments/|AzureML-)(?P<name>[\w.-]+)", re.IGNORECASE
)
_SIZES = ("size", "instance_type", "vm_size")


def unpinned(document: Document) -> Iterator[Finding]:
    """Yields references to assets by no exact version."""
    for key, text in document.texts():
        if text.startswith("azureml:") and "${{" not in text and not _is_unversioned(key):
            fault = _fault(text)
            if fault:
                yield document.finding(key, f"found {text}; {fault}")


def _is_unversioned(key: str) -> bool:
    last = key.rpartition(".")[2]
    return last in _UNVERSIONED or last.startswith("compute_")


def _fault(reference: str) -> str:
    if reference.endswith(("@latest", "/labels/latest")):
        return "latest is another thing tomorrow: write the exact version"
    if reference.startswith("azureml://registries/"):
        asset = REGISTRY.fullmatch(reference)
        if not asset or asset["by"] != "versions":
            return "it names no version: end it with /versions/<version>"
    elif reference.startswith("azureml://"):
        if not PLACE.match(reference):
            return "expected azureml://registries/…, azureml://jobs/… or azureml://datastores/…"
    elif not reference.startswith("azureml:/"):  # of an ARM id
        asset = SHORT.fullmatch(reference.removeprefix("azureml:"))
        if not asset or asset["by"] != ":":
            return "it names no version: write azureml:<name>:<version>"
    return ""


def retired_sizes(document: Document) -> Iterator[Finding]:
    """Yields machine sizes that are retired."""
    for key, name, series, day in _retirements(document):
        if day <= document.today:
            yield document.finding(key, f"found {name}: Azure retired the {series} series on {day}; take another size")


def retiring_sizes(document: Document) -> Iterator[Finding]:
    """Yields machine sizes that will be retired within half a year."""
    for key, name, series, day in _retirements(document):
        if document.today < day <= document.today + RETIRING:
            yield document.finding(key, f"found {name}: Azure retires the {series} series on {day}; plan another size")


def _retirements(document: Document) -> Iterator[tuple[str, str, str, datetime.date]]:
    for key, text in document.texts():
        last = key.rpartition(".")[2]
        if last in _SIZES or last.startswith("instance_type_"):
            found = machine_sizes.retirement(text)
            if found:
                yield key, text, *found


def retired_models(document: Document) -> Iterator[Finding]:
    """Yields models of the registry azureml that may not be used any more."""
    for key, model, day in _models(document):
        if day and day <= document.today:
            yield document.finding(key, f"found {model.name}, which was retired on {day}{_instead(model)}")


def archived_models(document: Document) -> Iterator[Finding]:
    """Yields models of the registry azureml that are archived, and not retired yet."""
    for key, model, day in _models(document):
        if model.archived and not (day and day <= document.today):
            found = f"found {model.name}, which the registry has archived: it gets no new versions{_instead(model)}"
            yield document.finding(key, found)


def _models(document: Document) -> Iterator[tuple[str, Model, datetime.date | None]]:
    """Yields (key, model, the day on which it is retired for what the document may do) of what the catalog knows."""
    roles = ("inference",) if "deployment" in document.kind else ("finetune", "inference")  # a job may do either
    for key, text in document.texts():
        asset = REGISTRY.fullmatch(text) if text.startswith("azureml://registries/azureml/models/") else None
        model = chat_models.catalog().get(asset["name"]) if asset else None
        if model:
            days = [model.retires(role) for role in roles]
            yield key, model, max((day for day in days if day), default=None) if all(days) else None


def _instead(model: chat_models.Model) -> str:
    other = model.maintained_alternative
    return f"; {other['name']} is maintained" if other else ""


def removed_environments(document: Document) -> Iterator[Finding]:
    """Yields curated environments that Microsoft makes no more."""
    for key, text in document.texts():
        asset = _AZURES_ENVIRONMENT.match(text)
        known = curated_named(asset["name"]) if asset else None
        if known and known.removed:
            yield document.finding(key, f"found {known.name}, which Microsoft has dropped: it gets no fixes any more")
