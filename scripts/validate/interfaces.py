"""The interface of a component that a document names: of the catalog, or of a file beside the document."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.azure import component as azure_component
from scripts.azure.component import Input
from scripts.azure.references import REGISTRY
from scripts.errors import suggest
from scripts.validate import foreign
from scripts.validate.documents import Document, Finding, mapping
from scripts.validate.job import literal


@dataclass(frozen=True)
class Interface:
    """The inputs and outputs of a component; `needed` have to be given, `specs` say what they take."""

    name: str
    inputs: frozenset[str]
    outputs: frozenset[str]
    needed: frozenset[str] = frozenset()
    specs: Mapping[str, Input] = field(default_factory=dict)


def reference(node: Mapping[str, Any]) -> str:
    """Returns which component a step, a job or a sweep's trial names, an empty text where it is written in place."""
    found = node.get("component") or node.get("trial")
    return found if isinstance(found, str) else ""


def is_file(name: str) -> bool:
    """Tells whether a reference is a path."""
    return bool(name) and not name.startswith(("azureml:", "git", "http")) and "${{" not in name


def find(document: Document, name: str) -> Interface | None:
    """Returns the interface of a component, None where nothing is known of it."""
    match, known = REGISTRY.match(name), azure_component.catalog()
    if match and (match["kind"], match["name"], match["version"]) == ("components", known.name, known.version):
        needed = frozenset(each.name for each in known.inputs.values() if not each.optional and each.default is None)
        return Interface(known.name, frozenset(known.inputs), frozenset(known.outputs), needed, known.inputs)
    path = file(document, name)
    return _of_file(path) if path and path.is_file() else None


def file(document: Document, name: str) -> Path | None:
    """Returns where a component's file has to be, None for a reference that is no path."""
    return document.path.parent / name.removeprefix("file:") if is_file(name) else None


@functools.cache
def _of_file(path: Path) -> Interface | None:
    made = foreign.read(path)
    if not isinstance(made, Document) or "component" not in made.kind:  # a flow, say, or a job
        return None
    inputs, outputs = mapping(made.get("inputs")), mapping(made.get("outputs"))
    needed = {name for name, spec in inputs.items() if isinstance(spec, dict) and not _may_lack(spec)}
    return Interface(path.name, frozenset(inputs), frozenset(outputs), frozenset(needed))


def _may_lack(spec: Mapping[str, Any]) -> bool:
    return "default" in spec or str(spec.get("optional", False)).lower() == "true"


def check(document: Document) -> Iterator[Finding]:
    """Yields inputs that a component does not have, those that it needs and lacks, and files that are not there."""
    for key, node in nodes(document):
        name = reference(node)
        word = "component" if node.get("component") else "trial"
        path = file(document, name)
        if path and not path.exists():
            yield document.finding(f"{key}.{word}".lstrip("."), f"found {name}, and there is no such file")
        interface = find(document, name) if name else None
        if interface:
            yield from _inputs(document, key, node, interface)


def _inputs(document: Document, key: str, node: Mapping[str, Any], interface: Interface) -> Iterator[Finding]:
    given = [
        (part, name) for part in ("inputs", "search_space") for name in mapping(node.get(part))
    ]  # of a sweep both are inputs
    for part, name in given:
        if name.partition(".")[0] not in {each.partition(".")[0] for each in interface.inputs}:
            at = f"{key}.{part}.{name}".lstrip(".")
            hint = suggest(name, interface.inputs) or f"; it has {', '.join(sorted(interface.inputs)) or 'none'}"
            yield document.finding(at, f"{interface.name} has no such input{hint}")
    for name, value in mapping(node.get("inputs")).items():
        if name in interface.specs and not isinstance(value, dict) and "${{" not in str(value):
            yield from literal(document, f"{key}.inputs.{name}".lstrip("."), value, interface.specs[name])
    for name in sorted(interface.needed - {name for _, name in given}):
        if not any(other.startswith(f"{name}.") for _, other in given):
            yield document.finding(
                f"{key}.inputs".lstrip("."), f"{interface.name} needs the input {name}; add it under inputs"
            )


def nodes(document: Document) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields (key, node) of all that may name a component: the steps at every depth, a sweep."""
    if document.kind == "sweep_job" or document.kind == "job":
        yield "", document.data
    if document.kind in ("job", "pipeline_component"):
        yield from _steps(document.data, "")


def _steps(node: Mapping[str, Any], key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, step in mapping(node.get("jobs")).items():
        if isinstance(step, dict):
            at = f"{key}.jobs.{name}".lstrip(".")
            yield at, step
            yield from _steps(step, at)
