"""A job as the client sent it, read into steps and checked as Azure ML's service checks it.

The SDK lets through what is wrong in a job (unknown inputs, bindings to nothing, missing assets); the service refuses
it with a 400 when the job is submitted, and so does this module.
"""

from __future__ import annotations

from typing import Any

from scripts.errors import suggest
from scripts.local.core.web import AzureError, bad_request
from scripts.local.jobs import environments
from scripts.local.jobs.references import ARGUMENT, Binder, normal, refusal_of_step
from scripts.local.jobs.steps import CHAT, COMMAND, Step, Value
from scripts.local.resources import models, registry, sizes
from scripts.local.storage import uris
from scripts.values.parameters import NOT_PARAMETERS


class JobReader(Binder):
    """Reads one job: pipelines, fine-tuning jobs and command jobs."""

    def steps(self) -> list[Step]:
        """Returns the steps in an order in which they can run; raises AzureError (400) for what is wrong."""
        readers = {"Pipeline": self._pipeline, "FineTuning": self._finetuning, "Command": self._command}
        self._refuse_parts()
        steps = readers[self.properties["jobType"]]()
        ordered = self._order(steps)
        if self.faults:
            first, *others = self.faults
            details = [{"code": fault.code, "message": fault.message, "target": self.job} for fault in (first, *others)]
            raise AzureError(first.status, first.code, first.message, details if others else [], first.inner)
        return ordered

    def _refuse_parts(self) -> None:
        """Refuses what the local Azure ML has none of, and notes what it does not use."""
        if self.properties.get("secretsConfiguration"):
            self.refuse(
                f"Job {self.job} has secretsConfiguration, for secrets of a key vault; the local Azure ML has no key "
                "vault: leave it out here."
            )
        for name, output in self.outputs.items():
            if output["uri"].lower().startswith("https:"):
                message = f"Output {name} of the job is written to {output['uri']}; allowed is a path on a datastore."
                self.refuse(message, (*ARGUMENT, "NotSupportedAssetOutputUri"))
        try:
            models.refuse_outputs(self.outputs)
        except AzureError as error:
            self.faults.append(error)
        for key, why in (
            ("identity", "jobs run as you, on this machine"),
            ("notificationSetting", "no mail is sent"),
            ("queueSettings", "jobs run one after another, whatever their tier"),
            ("limits", "no time ends a job"),
        ):
            if self.properties.get(key):
                self.notes.append(f"{key} is not used here: {why}.")

    def _pipeline(self) -> list[Step]:
        settings = self.properties.get("settings") or {}
        self.compute(self.properties.get("computeId"), "The job's compute")
        self.compute(settings.get("default_compute"), "settings.default_compute")
        wanted = self.properties.get("jobs") or {}
        if not wanted:
            raise bad_request(f"Pipeline job {self.job} has no steps.", inner=(*ARGUMENT, "InvalidPipelineJob"))
        steps = [self._step(name, node, wanted) for name, node in wanted.items()]
        for name in self.outputs.keys() - self.bound:
            self.refuse(f"Output {name!r} of the job is bound to no output of a step.")
        return [step for step in steps if step is not None]

    def _step(self, name: str, node: dict[str, Any], nodes: dict[str, Any]) -> Step | None:
        try:
            if node.get("type", "command") not in ("command", "pipeline"):
                raise refusal_of_step(f"Step {name}", node["type"])
            kind, spec = self.component(str(node.get("componentId", "")), f"Step {name}")
        except AzureError as error:
            self.faults.append(error)
            return None
        inputs = {}
        for key, wire in (node.get("inputs") or {}).items():
            if not self._knows(name, key, spec, "inputs"):
                continue
            value = self._value(f"Step {name}: input {key}", wire, nodes)
            if value is not None:
                self._check(name, key, spec["inputs"][key], value, kind)
                inputs[key] = value
        self._required(name, spec, node.get("inputs") or {})
        outputs = {
            key: uris.default_output(f"{self.job}.{name}", key, each["type"]) for key, each in spec["outputs"].items()
        }
        if kind == COMMAND and "artifacts" in outputs:  # where the command's ./outputs and its log are kept
            outputs["artifacts"] = uris.artifacts_uri(f"{self.job}.{name}")
        for key, wire in (node.get("outputs") or {}).items():
            if self._knows(name, key, spec, "outputs"):
                outputs[key] = self._target(name, key, spec["outputs"][key], wire, outputs[key])
        if kind == CHAT:  # its compute is an input; `compute` on the step is ignored, as in Azure
            where = self._chat_computes(name, spec, inputs)
            nodes_wanted = inputs.get("num_nodes_finetune")
            return Step(name, kind, spec, inputs, outputs, where, _count(nodes_wanted and nodes_wanted.literal))
        settings = self.properties.get("settings") or {}
        inherited = self.properties.get("computeId") or settings.get("default_compute")
        own = self.compute(node.get("computeId"), f"Step {name}: compute")
        spec = {
            **spec,
            **{key: node[key] for key in ("distribution", "resources") if node.get(key)},
            "environment_variables": (spec.get("environment_variables") or {}) | node.get("environment_variables", {}),
        }
        count = self._check_command(f"Step {name}", spec)
        where = own or (str(inherited).rpartition("/")[2] if inherited else None)
        return Step(name, kind, spec, inputs, outputs, where, count)

    def _check_command(self, what: str, spec: dict[str, Any]) -> int:
        """Checks what a command runs, and where; returns the nodes that it asks for."""
        if not str(spec.get("command") or "").strip():
            self.refuse(f"{what} has no command.", (*ARGUMENT, "ArgumentBlankOrEmpty"))
        try:
            note = environments.check(self.state, self.workspace, str(spec.get("environment") or ""), what)
            self.notes.append(note)
        except AzureError as error:
            self.faults.append(error)
        resources = spec.get("resources") or {}
        count = _count(resources.get("instanceCount", resources.get("instance_count")))
        spread = spec.get("distribution") or {}
        each = _count(spread.get("processCountPerInstance", spread.get("process_count_per_instance")))
        if spread and count * each > 1:
            kind = spread.get("distributionType", spread.get("type", spread.get("distribution_type")))
            self.refuse(
                f"{what} has a distribution of type {kind}, {count * each} processes; the local Azure ML runs one "
                "process a step: leave `distribution` out, or ask for one process."
            )
        elif count > 1:
            self.notes.append(f"{what} asks for {count} nodes: its command runs once here, on this machine.")
        return count

    def _finetuning(self) -> list[Step]:
        details = self.properties.get("fineTuningDetails") or {}
        spec = normal(registry.component())
        if details.get("modelProvider") != "Custom":
            raise bad_request(
                f"fineTuningDetails.modelProvider is {details.get('modelProvider')!r}; allowed here is Custom."
            )
        task = details.get("taskType")
        if task not in ("chatCompletion", "textCompletion"):
            raise bad_request(
                f"fineTuningDetails.taskType is {task!r}; allowed here are chatCompletion, textCompletion."
            )
        if not (details.get("trainingData") or {}).get("uri"):
            raise bad_request("fineTuningDetails.trainingData is missing: a fine-tuning job needs training data.")
        if not (self.properties.get("outputs") or {}):
            raise bad_request(
                "outputs.registered_model is missing: a fine-tuning job needs a name for the model that it registers."
            )
        inputs: dict[str, Value] = {}
        for key, word in (
            ("mlflow_model_path", "model"),
            ("train_file_path", "trainingData"),
            ("validation_file_path", "validationData"),
        ):
            if given := details.get(word):
                kind = given.get("jobInputType", "uri_file")
                value = self._uri(f"fineTuningDetails.{word}", given.get("uri"), kind, "models")
                if value is not None:
                    self._check("finetune", key, spec["inputs"][key], value, CHAT)
                    inputs[key] = value
        known = {name for name in spec["inputs"] if name not in NOT_PARAMETERS}
        for key, text in (details.get("hyperParameters") or {}).items():
            if key not in known:
                hint = suggest(key, known)
                self.refuse(f"Hyperparameter {key!r} is unknown: {spec['name']} has no such input{hint}.")
            else:
                inputs[key] = Value(literal=str(text))
                self._check("finetune", key, spec["inputs"][key], inputs[key], CHAT)
        if "mlflow_model_path" not in inputs and not self.faults:
            raise bad_request("fineTuningDetails.model is missing: a fine-tuning job needs a base model.")
        compute = self.compute(self.properties.get("computeId"), "The job's compute")
        types = (self.properties.get("resources") or {}).get("instanceTypes") or []
        if bool(compute) == bool(types):  # the SDK sends either, both and none; what the service says is unverified
            has = "both computeId and" if compute else "neither computeId nor"
            self.refuse(f"The job has {has} resources.instanceTypes; a fine-tuning job has one of them.")
        for size in types:
            sizes.find(size, "resources.instance_types")
        uri = next(iter(self.outputs.values()))["uri"]
        folder = uris.default_output(f"{self.job}.finetune", "pytorch_model_folder", "uri_folder")
        outputs = {"mlflow_model_folder": uri, "pytorch_model_folder": folder}
        nodes = inputs.get("num_nodes_finetune")
        return [Step("finetune", CHAT, spec, inputs, outputs, compute, _count(nodes and nodes.literal))]

    def _command(self) -> list[Step]:
        given = {name: value for name, value in self.inputs.items() if value is not None}
        inputs = {name: {"type": value.kind} for name, value in given.items()}
        outputs = {name: {"type": each.get("jobOutputType", "uri_folder")} for name, each in self.outputs.items()}
        spec = {
            "name": self.job,
            "inputs": inputs,
            "outputs": outputs,
            "command": self.properties.get("command", ""),
            "code": self.properties.get("codeId"),
            "environment": self.properties.get("environmentId"),
            "environment_variables": self.properties.get("environmentVariables") or {},
            "distribution": self.properties.get("distribution"),
            "resources": self.properties.get("resources"),
        }
        compute = self.compute(self.properties.get("computeId"), "The job's compute")
        if compute is None:
            self.notes.append("No compute is named: Azure ML takes serverless compute, here this machine runs the job.")
            size = (self.properties.get("resources") or {}).get("instanceType")
            try:
                sizes.find(size, "resources.instance_type") if size else None
            except AzureError as error:
                self.faults.append(error)
        count = self._check_command(f"Job {self.job}", spec)
        targets = {name: each["uri"] for name, each in self.outputs.items()}
        if spec["code"]:
            uris.resolve(self.state, self.workspace, spec["code"], "codes")
        return [Step("command", COMMAND, spec, given, targets, compute, count)]

    def _chat_computes(self, step: str, spec: dict[str, Any], inputs: dict[str, Value]) -> str | None:
        """Checks the clusters that the component's inputs name, and the sizes where they are serverless.

        Returns the cluster that fine-tunes.
        """
        used = None
        for stage in ("model_import", "preprocess", "finetune", "model_evaluation"):
            given = inputs.get(f"compute_{stage}")
            name = (given.literal if given else None) or "serverless"
            if name.lower() != "serverless":
                cluster = self.compute(name, f"Step {step}: input compute_{stage}")
                used = cluster if stage == "finetune" else used
            elif stage != "model_evaluation":
                chosen = inputs.get(f"instance_type_{stage}")
                size = (chosen.literal if chosen else None) or spec["inputs"][f"instance_type_{stage}"]["default"]
                try:
                    sizes.find(size, f"Step {step}: compute_{stage} is serverless, and input instance_type_{stage}")
                except AzureError as error:
                    self.faults.append(error)
        return used

    def _order(self, steps: list[Step]) -> list[Step]:
        ordered: list[Step] = []
        waiting = list(steps)
        while waiting:
            ready = [step for step in waiting if not step.needs() & {each.name for each in waiting}]
            if not ready:
                self.refuse(f"Steps {', '.join(step.name for step in waiting)} wait for each other in a circle.")
                break
            ordered.append(ready[0])
            waiting.remove(ready[0])
        return ordered


def _count(value: Any) -> int:
    """Returns a number of nodes or processes; 1 where none is given, or none that can be read."""
    text = str(value if value is not None else 1)
    return int(text) if text.isdecimal() else 1
