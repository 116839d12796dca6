"""The job against the component's interface, which neither the SDK nor the CLI looks at before the job is submitted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from scripts.azure.component import FILE_TYPES, Component, Input
from scripts.azure.component_rules import FORBIDDEN, MODEL_SOURCES, TRAINING_SOURCES
from scripts.azure.references import REGISTRY
from scripts.errors import suggest
from scripts.targets import command
from scripts.validate.bounds import bound
from scripts.validate.documents import Document, Finding, mapping

_BINDING = re.compile(r"\$\{\{\s*parent\.(inputs|outputs|jobs)\.([^}]+?)\s*\}\}")
_ANY_EXPRESSION = re.compile(r"\$\{\{.*?\}\}")
_PYTHON_KIND: dict[str, Any] = {"integer": int, "number": (int, float), "string": str}
_INPUT_KEYS = ("type", "path", "mode", "default", "optional", "description", "enum", "min", "max")


def check(job: Document, component: Component) -> Iterator[Finding]:
    """Yields every fault of the job's inputs, bindings and settings against the component's inputs and outputs."""
    yield from _mappings(job, "", job.data, ("inputs", "outputs", "settings", "jobs"))
    yield from _top_inputs(job)
    steps = mapping(job.get("jobs"))
    for step, node in steps.items():
        if not isinstance(node, dict):
            yield job.finding(f"jobs.{step}", "expected a mapping with type, component, inputs and outputs")
            continue
        key = f"jobs.{step}"
        yield from _mappings(job, f"{key}.", node, ("inputs", "outputs"))
        yield from _node_keys(job, key, node)
        yield from _version(job, f"{key}.component", node, component)
        if component.name in str(node.get("component", "")):
            yield from _inputs(job, key, node, component)
            yield from _outputs(job, key, node, component)
    if not any(_registry_component(mapping(node)) for node in steps.values()):
        yield job.finding("jobs", f"no step runs {component.name}; run {command('render')}")


def _registry_component(node: dict[str, Any]) -> re.Match[str] | None:
    match = REGISTRY.match(str(node.get("component", "")))
    return match if match and match["kind"] == "components" else None


def _mappings(job: Document, prefix: str, data: dict[str, Any], keys: tuple[str, ...]) -> Iterator[Finding]:
    for key in keys:
        if not isinstance(data.get(key), dict | None):
            yield job.finding(f"{prefix}{key}", f"found {data[key]!r}, expected a mapping")


def _version(job: Document, key: str, node: dict[str, Any], component: Component) -> Iterator[Finding]:
    match, known = _registry_component(node), component.name
    if match and match["name"] != known:
        name = match["name"]
        yield job.finding(key, f"nothing is known about '{name}'{suggest(name, [known])}; expected {known}")
    elif match and match["by"] == "versions" and match["version"] != component.version:
        yield job.finding(
            key,
            f"found version {match['version']}, but the interface known is that of {component.version}; "
            f"{command('lock')} asks anew",
        )


def _top_inputs(job: Document) -> Iterator[Finding]:
    for name, spec in mapping(job.get("inputs")).items():
        if not isinstance(spec, dict):
            continue
        yield from _unknown(job, f"inputs.{name}", spec, _INPUT_KEYS, f"; allowed: {', '.join(_INPUT_KEYS)}")
        kind = spec.get("type")
        if "path" in spec and kind not in FILE_TYPES:
            yield job.finding(
                f"inputs.{name}.type", f"found {kind!r}, allowed: {', '.join(FILE_TYPES)}{suggest(kind, FILE_TYPES)}"
            )
        elif kind in FILE_TYPES and not spec.get("path"):
            yield job.finding(f"inputs.{name}.path", "missing; add it")


def _unknown(job: Document, key: str, found: dict[str, Any], allowed: Sequence[str], effect: str) -> Iterator[Finding]:
    for word in found:
        if word not in allowed:
            yield job.finding(f"{key}.{word}", f"unknown key{suggest(word, allowed)}{effect}")


def _node_keys(job: Document, key: str, node: dict[str, Any]) -> Iterator[Finding]:
    if node.get("type") != "pipeline" and "registries" in str(node.get("component", "")):
        yield job.finding(
            f"{key}.type", f"found {node.get('type')!r}; a registry's pipeline component wants type: pipeline"
        )
    allowed = ["type", "component", "inputs", "outputs", "display_name", "description", "tags", "properties", "comment",
               "identity", "services", "settings", "jobs"]  # fmt: skip
    if node.get("type") != "pipeline":  # which hands these to its own steps by its inputs, such as compute_finetune
        allowed += ["compute", "environment", "code", "command", "environment_variables", "resources", "distribution",
                    "limits"]  # fmt: skip
    yield from _unknown(job, key, node, allowed, ", which Azure ML would ignore")


def _inputs(job: Document, key: str, node: dict[str, Any], component: Component) -> Iterator[Finding]:
    interface, given = component.inputs, mapping(node.get("inputs"))
    for name, value in given.items():
        at = f"{key}.inputs.{name}"
        spec = interface.get(name)
        if spec is None:
            yield job.finding(at, f"{component.name} {component.version} has no such input{suggest(name, interface)}")
        elif isinstance(value, dict):
            if not spec.takes_files:
                yield job.finding(at, f"found a mapping, expected {spec.type}")
            elif value.get("type") != spec.type or not value.get("path"):
                yield job.finding(at, f"found {value!r}, expected a binding, or type: {spec.type} and path")
        elif isinstance(value, str) and _ANY_EXPRESSION.search(value):
            yield from _bound_input(job, at, value, spec)
        else:
            yield from literal(job, at, value, spec)
    for name, spec in interface.items():
        if not spec.optional and name not in given:
            default = "..." if spec.default is None else spec.default
            yield job.finding(f"{key}.inputs", f"{name} is required; add {name}: {default}")
    for part in ("model_import", "preprocess", "finetune"):
        if f"compute_{part}" not in given and f"instance_type_{part}" not in given:
            kind = interface.get(f"instance_type_{part}")
            serverless = f"a serverless {kind.default}" if kind else "a serverless compute"
            yield job.finding(f"{key}.inputs", f"compute_{part} is missing, so it would run on {serverless}; add it")
    if not any(name in given for name in TRAINING_SOURCES):
        yield job.finding(f"{key}.inputs", "there is nothing to train on; add train_file_path")
    sources = [name for name in MODEL_SOURCES if name in given]
    if len(sources) != 1:
        found = " and ".join(sources) or "none"
        yield job.finding(f"{key}.inputs", f"found {found}; give exactly one of {', '.join(MODEL_SOURCES)}")


def literal(job: Document, at: str, value: Any, spec: Input) -> Iterator[Finding]:
    """Yields what is wrong with a value that is written down for an input of the component."""
    kind = spec.type
    if spec.takes_files:
        yield job.finding(
            at, f"found {value!r}, expected a binding to an input of type {kind}: ${{{{parent.inputs.NAME}}}}"
        )
        return
    if spec.enum:
        shown = ", ".join(f'"{each}"' for each in spec.enum)
        unquoted = spec.typed(value)
        if not isinstance(value, str) and not spec.fault(unquoted):
            yield job.finding(at, f'found {unquoted} without quotes, expected the text "{unquoted}"; put it in quotes')
        elif value not in spec.enum:
            yield job.finding(at, f"found {value!r}, allowed: {shown}{suggest(value, spec.enum)}")
        return
    if isinstance(value, bool) or not isinstance(value, _PYTHON_KIND[kind]):
        hint = ""
        if isinstance(value, str) and re.fullmatch(r"[-+]?\d+[eE][-+]?\d+", value):
            hint = f"; YAML reads {value} as text, write {re.sub('[eE]', '.0e', value)}"
        yield job.finding(at, f"found {value!r}, expected {'text' if kind == 'string' else kind}{hint}")
        return
    if spec.limit and spec.fault(value):
        yield job.finding(at, f"found {value}, expected {bound(spec.limit)}")
    if kind == "string" and any(sign in value for sign in FORBIDDEN):
        yield job.finding(at, f"found {value!r}; the component refuses backslashes and single quotes")


def _bound_input(job: Document, at: str, value: str, spec: Input) -> Iterator[Finding]:
    match = _BINDING.fullmatch(value.strip())
    if not match:
        yield job.finding(
            at, f"found {value!r}, expected ${{{{parent.inputs.NAME}}}} or ${{{{parent.jobs.STEP.outputs.NAME}}}}"
        )
        return
    where, name = match.groups()
    if where == "jobs":
        yield from _bound_to_step(job, at, name)
        return
    declared = mapping(job.get(where))
    if name not in declared:
        yield job.finding(
            at, f"{value} is bound to nothing: the job has no {where[:-1]} '{name}'{suggest(name, declared)}"
        )
        return
    if not spec.takes_files:
        return
    if not isinstance(declared[name], dict):
        yield job.finding(f"inputs.{name}", f"found {declared[name]!r}, expected type: {spec.type} and path")
    elif declared[name].get("type") != spec.type:
        yield job.finding(at, f"bound to an input of type {declared[name].get('type')}, expected {spec.type}")


def _bound_to_step(job: Document, at: str, path: str) -> Iterator[Finding]:
    step, _, rest = path.partition(".outputs.")
    steps = mapping(job.get("jobs"))
    if step not in steps:
        yield job.finding(at, f"bound to the step '{step}', which the job does not have{suggest(step, steps)}")
    elif not rest or rest not in (mapping(mapping(steps[step]).get("outputs")) or {rest: None}):
        yield job.finding(at, f"bound to the output '{rest}', which the step '{step}' does not declare")


def _outputs(job: Document, key: str, node: dict[str, Any], component: Component) -> Iterator[Finding]:
    declared = mapping(job.get("outputs"))
    for name, value in mapping(node.get("outputs")).items():
        at = f"{key}.outputs.{name}"
        spec = component.outputs.get(name)
        if spec is None:
            yield job.finding(
                at,
                f"{component.name} has no such output{suggest(name, component.outputs)}; "
                f"it has {', '.join(component.outputs)}",
            )
            continue
        match = _BINDING.fullmatch(str(value).strip())
        if not match or match[1] != "outputs":
            yield job.finding(at, f"found {value!r}, expected ${{{{parent.outputs.NAME}}}}")
        elif match[2] not in declared:
            yield job.finding(
                at, f"{value} is bound to nothing: the job has no output '{match[2]}'{suggest(match[2], declared)}"
            )
        else:
            found = mapping(declared[match[2]]).get("type")
            if (found or "uri_folder") != spec.type:  # the SDK's default
                yield job.finding(f"outputs.{match[2]}.type", f"found {found!r}, expected {spec.type}")
    written = {match[1] for match in re.finditer(r"\$\{\{\s*parent\.outputs\.([^}\s]+)", str(job.get("jobs")))}
    for name in declared:
        if name not in written:
            yield job.finding(f"outputs.{name}", "no step writes it; bind it under jobs.<step>.outputs")
