"""The job of `type: finetuning`: what Azure's SDK lets through, and what of the values the job has no place for."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.azure.component import Component, Input
from scripts.azure.job_kinds import FINETUNING
from scripts.errors import suggest
from scripts.targets import command
from scripts.validate.bounds import bound
from scripts.validate.documents import Document, Finding, mapping
from scripts.values import unplaced
from scripts.values.parameters import NOT_PARAMETERS
from scripts.values.read import Values


def check(job: Document, component: Component) -> Iterator[Finding]:
    """Yields what is missing, and hyperparameters that the component does not have or does not take."""
    for key in (*FINETUNING.files.values(), "model.path", f"outputs.{FINETUNING.output}.name"):
        if not job.get(key):
            yield job.finding(key, f"missing; run {command('render')}")
    for key, word in (("task", "chat_completion"), ("model_provider", "custom")):
        if job.get(key) != word:
            yield job.finding(key, f"found {job.get(key)!r}, expected {word}, which is what this project trains")
    if not job.get("compute") and not job.get("resources.instance_types"):
        yield job.finding("compute", "missing, as is resources.instance_types: the job has no machine; add one of them")
    elif job.get("compute") and job.get("resources.instance_types"):
        yield job.finding("resources.instance_types", "stands beside compute; keep one of them")
    interface = {name: spec for name, spec in component.inputs.items() if name not in NOT_PARAMETERS}
    for name, value in mapping(job.get(FINETUNING.parameters)).items():
        at, spec = f"{FINETUNING.parameters}.{name}", interface.get(name)
        if spec is None:
            yield job.finding(at, f"{component.name} {component.version} has no such input{suggest(name, interface)}")
        elif isinstance(value, str) and (fault := _fault(value, spec)):
            yield job.finding(at, fault)


def _fault(text: str, spec: Input) -> str:
    try:
        value = spec.typed(text)
    except ValueError:
        return f"found {text!r}, expected {'a whole number' if spec.type == 'integer' else 'a number'}, as text"
    if not spec.fault(value):
        return ""
    allowed = ", ".join(spec.enum) if spec.enum else bound(spec.limit) if spec.limit else ""
    return f"found {text!r}, {'allowed' if spec.enum else 'expected'}: {allowed}{suggest(text, spec.enum)}"


def values(given: Values) -> Iterator[Finding]:
    """Yields what of the values would be given and not used."""
    for key, sentence in unplaced.found(given):
        yield Finding(given.where(key), key, sentence)
