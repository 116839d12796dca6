"""The parts of a job that refer to something: components, computes, assets, inputs and outputs, each checked as Azure
ML's service does, not the SDK: that it exists, and that it is what a component's specification takes.

Faults are collected rather than raised, so that a user sees all of them at once. Where Microsoft's tests recorded
the words of a refusal (2023), the sentence begins with them.
"""

from __future__ import annotations

import math
import re
from typing import Any

from scripts.errors import suggest
from scripts.local.core.state import State, Workspace
from scripts.local.core.store import Document
from scripts.local.core.web import AzureError, bad_request, not_found
from scripts.local.jobs.steps import CHAT, COMMAND, Value
from scripts.local.resources import registry
from scripts.local.storage import uris

LITERALS = ("string", "integer", "number", "boolean")
EXPRESSION = re.compile(r"\$\{\{\s*([^}]*?)\s*\}\}")
FOLDERS = ("uri_folder", "mltable")  # an mltable is a folder with a file MLTable
ELSEWHERE = re.compile(r"[a-z]+://.+", re.I)  # a URI, of whatever place
ARGUMENT = ("BadArgument", "ArgumentInvalid")
BAD_INPUT = (*ARGUMENT, "InvalidPipelineJob", "InvalidComponentJobInput")
BAD_EXPRESSION = (*ARGUMENT, "InvalidPipelineJob", "InvalidExpressionInJob")


class Binder:
    """Resolves the references of one job of a workspace.

    `faults` are the refusals of those that lead nowhere, `notes` sentences for the job's log about what is not used.
    """

    def __init__(self, state: State, workspace: Workspace, job: str, properties: dict[str, Any]) -> None:
        self.state, self.workspace, self.job, self.properties = state, workspace, job, properties
        self.faults: list[AzureError] = []
        self.notes: list[str] = []
        self.bound: set[str] = set()
        self.inputs = {name: self._top_input(name, each) for name, each in (properties.get("inputs") or {}).items()}
        self.outputs = properties.get("outputs") or {}

    def refuse(self, message: str, inner: tuple[str, ...] = ()) -> None:
        """Notes a fault."""
        self.faults.append(bad_request(message, inner=inner))

    def compute(self, value: Any, what: str) -> str | None:
        """Returns the name of a compute that exists, or None where none is named; notes a fault for another."""
        if not value:
            return None
        name = str(value).rpartition("/")[2]
        if name.removeprefix("azureml:").lower() == "serverless":
            self.refuse(
                f"{what} is serverless: Azure ML would choose a machine itself, the local Azure ML has clusters only. "
                "Name a cluster."
            )
        elif self.state.store.get(self.workspace.scope, "computes", name) is None:
            names = [document.name for document in self.state.store.list("computes", self.workspace.scope)]
            self.refuse(
                f"{what} is {name!r}, which workspace {self.workspace.name} does not have{suggest(name, names)}; "
                f"its computes are: {', '.join(names) or 'none'}."
            )
        return name

    def component(self, identifier: str, what: str) -> tuple[str, dict[str, Any]]:
        """Returns the kind and the specification of a step's component; refuses one that does not exist."""
        from_registry = uris.REGISTRY.fullmatch(identifier)
        if from_registry:
            return CHAT, normal(registry.component_named(from_registry, what))
        match = uris.asset_reference(identifier)
        if not match:
            raise bad_request(f"{what} has no component that the local Azure ML can run: {identifier!r}.")
        try:
            document = uris.asset_named(self.state, self.workspace, match, "components")
        except AzureError as error:
            words = f"Not found component {match['name']} (version: {match['version']})."
            raise not_found(f"key: {identifier}, Message: {words}", "NotFound") from error
        spec = document.body["properties"].get("componentSpec") or {}
        if spec.get("type") != "command":
            raise refusal_of_step(f"{what} runs component {match['name']}, which", spec.get("type"))
        return COMMAND, normal(spec)

    def _top_input(self, name: str, wire: dict[str, Any]) -> Value | None:
        kind = wire.get("jobInputType", "literal")
        if kind == "literal":
            return Value(literal=str(wire.get("value", "")))
        return self._uri(f"Input {name} of the job", wire.get("uri"), kind, "data")

    def _uri(self, what: str, uri: Any, kind: str, short: str) -> Value | None:
        """Returns a value with a path, after checking that the asset which it names exists."""
        if not uri:
            self.refuse(f"{what} has no path.")
            return None
        try:
            match = uris.REGISTRY.fullmatch(str(uri))
            if match:
                model = registry.model_named(match, what)
                uri = f"azureml://registries/{registry.NAME}/models/{model['name']}/versions/{model['version']}"
            elif match := uris.asset_reference(str(uri)):
                short = "models" if kind in ("mlflow_model", "custom_model", "triton_model") else short
                short = "data" if kind.startswith("uri") or kind == "mltable" else short
                self._asset_type(what, uris.asset_named(self.state, self.workspace, match, short), kind)
            elif uris.JOB_OUTPUT.fullmatch(str(uri)) or not ELSEWHERE.fullmatch(str(uri)):
                uris.resolve(self.state, self.workspace, str(uri))
            # Any other URI is taken, as by Azure, and the job fails where nothing is there: recorded, 2023.
        except AzureError as error:
            message = f"{what}: {error.message}"
            if short == "data" and uris.asset_reference(str(uri)):
                message = f"Could not resolve uris of type data for assets {uri}. {message}"  # users' logs, 2026
            self.refuse(message, error.inner)
            return None
        return Value(uri=str(uri), kind=kind)

    def _asset_type(self, what: str, document: Document, kind: str) -> None:
        properties = document.body["properties"]
        actual = properties.get("dataType") or properties.get("modelType")
        if actual and actual != kind and not (actual in FOLDERS and kind in FOLDERS):
            self.refuse(f"{what} is of type {kind}, but {document.name}:{document.version} is of type {actual}.")

    def _value(self, what: str, wire: Any, nodes: dict[str, Any]) -> Value | None:
        if not isinstance(wire, dict):
            wire = {"job_input_type": "literal", "value": wire}
        kind = str(wire.get("job_input_type", "literal")).lower()
        if kind != "literal":
            return self._uri(what, wire.get("uri"), kind, "data")
        text = str(wire.get("value", ""))
        match = EXPRESSION.fullmatch(text)
        if match is None:
            if "${{" in text:
                self.refuse(f"{what} is {text!r}, which is not one expression that can be resolved.", BAD_EXPRESSION)
                return None
            return Value(literal=text)
        return self._expression(what, match[0], match[1].split("."), nodes)

    def _expression(self, what: str, text: str, words: list[str], nodes: dict[str, Any]) -> Value | None:
        if words[:2] == ["parent", "inputs"] and len(words) == 3:
            if words[2] in self.inputs:
                return self.inputs[words[2]]
            fault = f"the job has no input {words[2]!r}{suggest(words[2], self.inputs)}"
        elif words[:2] == ["parent", "jobs"] and len(words) == 5 and words[3] == "outputs":
            _, _, step, _, output = words
            if step in nodes:
                try:
                    spec = self.component(str(nodes[step].get("componentId", "")), f"Step {step}")[1]
                except AzureError:
                    return None  # the step itself is reported
                if output in spec["outputs"]:
                    return Value(step=step, output=output, kind=spec["outputs"][output]["type"])
                fault = f"step {step} has no output {output!r}{suggest(output, spec['outputs'])}"
            else:
                fault = f"the job has no step {step!r}{suggest(step, nodes)}"
        else:
            allowed = "parent.inputs, parent.jobs.[source_job_name].outputs or parent.outputs can be used for binding"
            self.refuse(f"Invalid expression {'.'.join(words)}. Only {allowed}. It stands in {what}.", BAD_EXPRESSION)
            return None
        self.refuse(f"{what} is bound to {text}, but {fault}.", BAD_EXPRESSION)
        return None

    def _knows(self, step: str, key: str, spec: dict[str, Any], group: str) -> bool:
        """Tells whether a component's specification has an input or output; notes a fault where it does not."""
        word = group.removesuffix("s")
        if key not in spec[group]:
            self.refuse(
                f"Invalid component job since {word} {key} for component job {step} does not exist. {spec['name']} has "
                f"no {word} {key!r}{suggest(key, spec[group])}.",
                BAD_INPUT,
            )
        return key in spec[group]

    def _check(self, step: str, key: str, spec: dict[str, Any], value: Value, kind: str) -> None:
        """Checks a value of an input; a command takes data of any type, as official samples give it."""
        text = value.literal
        if text is not None:
            fault = literal_fault(key, spec, text)
        elif kind == COMMAND and {value.kind, spec["type"]} <= {*FOLDERS, "uri_file"}:
            fault = None
        else:
            fault = type_fault(spec, value.kind)
        if fault:
            self.refuse(f"Step {step}: input {key} {fault}.", BAD_INPUT)

    def _required(self, step: str, spec: dict[str, Any], inputs: dict[str, Any]) -> None:
        for key, each in spec["inputs"].items():
            if key not in inputs and not is_optional(each):
                self.refuse(f"Step {step}: input {key} is missing, and {spec['name']} requires it.", BAD_INPUT)

    def _target(self, step: str, key: str, spec: dict[str, Any], wire: dict[str, Any], default: str) -> str:
        text = str(wire.get("value", ""))
        match = EXPRESSION.fullmatch(text)
        if match is None:
            if text:
                allowed = "an expression such as ${{parent.outputs.x}}"
                self.refuse(f"Step {step}: output {key} is bound to {text!r}; allowed is {allowed}.", BAD_EXPRESSION)
            return str(wire.get("uri") or default)
        words = match[1].split(".")
        if words[:2] != ["parent", "outputs"] or len(words) != 3 or words[2] not in self.outputs:
            hint = suggest(words[-1], self.outputs)
            fault = f"Step {step}: output {key} is bound to {text}, but the job has no such output{hint}."
            self.refuse(fault, BAD_EXPRESSION)
            return default
        target = self.outputs[words[2]]
        if words[2] in self.bound:
            self.refuse(f"Output {words[2]!r} of the job is bound to two outputs of steps.")
        self.bound.add(words[2])
        mistaken = type_fault({"type": target["jobOutputType"]}, spec["type"])
        if mistaken:
            self.refuse(f"Step {step}: output {key} {mistaken} for output {words[2]} of the job.")
        return str(target["uri"])


def refusal_of_step(what: str, kind: Any) -> AzureError:
    """Returns the refusal of a step of a type that Azure ML has and the local one has not."""
    return bad_request(
        f"{what} is of type {kind!r}; the steps that the local Azure ML runs are commands and the fine-tuning "
        "component of the registry. Run this job on Azure ML, or leave the step out here.",
        inner=(*ARGUMENT, "InvalidPipelineJob"),
    )


def is_optional(spec: dict[str, Any]) -> bool:
    """Says whether an input may be left out."""
    return str(spec.get("optional", "")).lower() == "true" or "default" in spec


def literal_fault(name: str, spec: dict[str, Any], value: str) -> str | None:
    """Returns what is wrong with a literal (text on the wire) for an input, as the end of a sentence, or None."""
    kind = spec["type"]
    if kind not in LITERALS:
        instead = f"bind an input with `path` and `type: {kind}`"
        return f"is the text {value!r}, and input {name} takes a path of type {kind}: {instead}"
    number = None
    if kind in ("integer", "number"):
        try:
            number = int(value) if kind == "integer" else float(value)
        except ValueError:
            return f"is {value!r}, which is not {'an integer' if kind == 'integer' else 'a number'}"
        if not math.isfinite(number):
            return f"is {value!r}, which is not a finite number"
    if kind == "boolean" and value.lower() not in ("true", "false"):
        return f"is {value!r}, which is not a boolean"
    allowed = [str(each) for each in spec.get("enum") or []]
    if allowed and value not in allowed:
        return f"is {value!r}; allowed are {', '.join(allowed)}{suggest(value, allowed)}"
    for bound, wrong, word in (("min", lambda a, b: a < b, "least"), ("max", lambda a, b: a > b, "most")):
        if number is not None and spec.get(bound) is not None and wrong(number, float(spec[bound])):
            return f"is {value}; allowed is at {word} {spec[bound]}"
    return None


def type_fault(spec: dict[str, Any], kind: str) -> str | None:
    """Returns what is wrong with binding a value of type `kind` to an input or from an output, or None."""
    wanted = spec["type"]
    if kind == wanted or any(kind in group and wanted in group for group in (LITERALS, FOLDERS)) or wanted == "path":
        return None
    return f"is of type {kind}, and {wanted} is needed"


def normal(spec: dict[str, Any]) -> dict[str, Any]:
    """Returns a component's specification with its `name`, `inputs` and `outputs` always there."""
    return {
        **spec,
        "name": spec.get("component") or spec.get("name"),
        "inputs": spec.get("inputs") or {},
        "outputs": spec.get("outputs") or {},
    }
