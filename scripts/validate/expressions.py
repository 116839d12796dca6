"""Expressions (`${{…}}`) that are bound to nothing: inputs, outputs, steps or search spaces that do not exist."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from scripts.errors import suggest
from scripts.validate import interfaces
from scripts.validate.documents import Document, Finding, mapping

_EXPRESSION = re.compile(r"\$\{\{\s*(?P<path>[\w.-]+)\s*\}\}")
_PARTS = ("inputs", "outputs", "search_space")
_PIPELINES = ("job", "pipeline_component")
_ALONE = ("command_job", "sweep_job", "spark_job", "component", "parallel_component", "spark_component")


def check(document: Document) -> Iterator[Finding]:
    """Yields the expressions of a job or component, and of every step of a pipeline, that are bound to nothing."""
    if document.kind in _PIPELINES:
        yield from _pipeline(document, "", document.data)
    elif document.kind in _ALONE:
        yield from _own(document, "", document.data)


def _pipeline(document: Document, key: str, node: Mapping[str, Any]) -> Iterator[Finding]:
    for name, step in mapping(node.get("jobs")).items():
        if not isinstance(step, dict):
            continue
        at = f"{key}.jobs.{name}".lstrip(".")
        for where, path in _paths(document, at, without=f"{at}.jobs."):
            if path.startswith("parent."):
                yield from _parent(document, where, path.removeprefix("parent."), node)
        if "jobs" in step:
            yield from _pipeline(document, at, step)
        else:
            yield from _own(document, at, step)


def _own(document: Document, key: str, node: Mapping[str, Any]) -> Iterator[Finding]:
    """Looks at what a job, component or step says of its own inputs and outputs."""
    name = interfaces.reference(node)
    interface = interfaces.find(document, name) if name else None
    if name and interface is None:
        return  # nobody knows what it has
    declared = {part: set(mapping(node.get(part))) for part in _PARTS}
    if interface:
        declared["inputs"] |= interface.inputs
        declared["outputs"] |= interface.outputs
    for trial in (mapping(node.get("trial")), mapping(node.get("component"))):
        for part in ("inputs", "outputs"):
            declared[part] |= set(mapping(trial.get(part)))
    if "search_space" in node:
        declared["inputs"] |= declared["search_space"]  # a trial has them as inputs
    for where, path in _paths(document, key):
        part, _, rest = path.partition(".")
        if part in _PARTS and rest and not _has(declared[part], rest):
            yield document.finding(where, _unbound(path, part, rest, declared[part], _owner(document, key)))


def _owner(document: Document, key: str) -> str:
    if key:
        return f"the step '{key.rpartition('.')[2]}'"
    return "the component" if "component" in document.kind else "the job"


def _parent(document: Document, where: str, path: str, node: Mapping[str, Any]) -> Iterator[Finding]:
    part, _, rest = path.partition(".")
    if part in ("inputs", "outputs") and rest:
        declared = mapping(node.get(part))
        if not _has(declared, rest):
            yield document.finding(where, _unbound(f"parent.{path}", part, rest, declared, "the pipeline"))
    elif part == "jobs":
        step, _, output = rest.partition(".outputs.")
        steps = mapping(node.get("jobs"))
        if step not in steps:
            hint = suggest(step, steps)
            yield document.finding(where, f"bound to the step '{step}', which the pipeline does not have{hint}")
        elif output:
            outputs = _outputs(document, mapping(steps[step]))
            if outputs is not None and not _has(outputs, output):
                hint = suggest(output, outputs)
                yield document.finding(
                    where, f"bound to the output '{output}', which the step '{step}' does not declare{hint}"
                )


def _outputs(document: Document, step: Mapping[str, Any]) -> set[str] | None:
    """Returns the outputs of a step, None where its component decides, of which nothing is known."""
    own, name = set(mapping(step.get("outputs"))), interfaces.reference(step)
    if not name:
        return own if step.get("type") != "automl" and not isinstance(step.get("component"), dict) else None
    interface = interfaces.find(document, name)
    return own | interface.outputs if interface else None


def _has(declared: Iterable[str], path: str) -> bool:
    """Tells whether something of this name is declared; a group's name has a part for each level."""
    return any(path == name or path.startswith(f"{name}.") or name.startswith(f"{path}.") for name in declared)


def _unbound(path: str, part: str, name: str, declared: Iterable[str], owner: str) -> str:
    word = part.removesuffix("s") if part != "search_space" else "search space"
    article = "search space" if part == "search_space" else word
    return f"${{{{{path}}}}} is bound to nothing: {owner} has no {article} '{name}'{suggest(name, declared)}"


def _paths(document: Document, key: str, without: str = "") -> Iterator[tuple[str, str]]:
    """Yields (key, path) of every expression at or below a key."""
    for where, text in document.texts(key):
        if "${{" in text and not (without and where.startswith(without)):
            for match in _EXPRESSION.finditer(text):
                yield where, match["path"]
