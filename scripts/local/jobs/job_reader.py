"""A job as the client sent it, read into steps and checked as Azure ML's service checks it.

The SDK lets through what is wrong in a job (unknown inputs, bindings to nothing, missing assets); the service refuses
it with a 400 when the job is submitted, and so does this module.
"""

from __future__ import annotations

from typing import Any

from scripts.local.core.web import AzureError, bad_request
from scripts.local.jobs.references import Binder, normal
from scripts.local.jobs.steps import CHAT, COMMAND, Step, Value
from scripts.local.resources import registry, sizes
from scripts.local.storage import uris


class JobReader(Binder):
    """Reads one job: pipelines, fine-tuning jobs and command jobs."""

    def steps(self) -> list[Step]:
        """Returns the steps in an order in which they can run; raises AzureError (400) for what is wrong."""
        kind = self.properties.get("jobType")
        readers = {"Pipeline": self._pipeline, "FineTuning": self._finetuning, "Command": self._command}
        if kind not in readers:
            raise bad_request(f"Job {self.job} is of type {kind!r}; the local Azure ML runs {', '.join(readers)} jobs.")
        steps = readers[kind]()
        ordered = self._order(steps)
        if self.faults:
            details = [{"code": "UserError", "message": fault, "target": self.job} for fault in self.faults]
            raise AzureError(400, "UserError", self.faults[0], details if len(details) > 1 else [])
        return ordered

    def _pipeline(self) -> list[Step]:
        settings = self.properties.get("settings") or {}
        self.compute(self.properties.get("computeId"), "The job's compute")
        self.compute(settings.get("default_compute"), "settings.default_compute")
        wanted = self.properties.get("jobs") or {}
        if not wanted:
            raise bad_request(f"Pipeline job {self.job} has no steps.")
        steps = [self._step(name, node, wanted) for name, node in wanted.items()]
        for name in self.outputs.keys() - self.bound:
            self.faults.append(f"Output {name!r} of the job is bound to no output of a step.")
        return [step for step in steps if step is not None]

    def _step(self, name: str, node: dict[str, Any], nodes: dict[str, Any]) -> Step | None:
        try:
            kind, spec = self.component(str(node.get("componentId", "")), f"Step {name}")
        except AzureError as error:
            self.faults.append(error.message)
            return None
        inputs = {}
        for key, wire in (node.get("inputs") or {}).items():
            if not self._knows(key, spec["inputs"], f"Step {name}: input", spec["name"]):
                continue
            value = self._value(f"Step {name}: input {key}", wire, nodes)
            if value is not None:
                self._check(name, key, spec["inputs"][key], value)
                inputs[key] = value
        self._required(name, spec, node.get("inputs") or {})
        outputs = {
            key: uris.default_output(f"{self.job}.{name}", key, each["type"]) for key, each in spec["outputs"].items()
        }
        for key, wire in (node.get("outputs") or {}).items():
            if self._knows(key, spec["outputs"], f"Step {name}: output", spec["name"]):
                outputs[key] = self._target(name, key, spec["outputs"][key], wire, outputs[key])
        settings = self.properties.get("settings") or {}
        where = node.get("computeId") or self.properties.get("computeId") or settings.get("default_compute")
        if kind == CHAT:  # its compute is an input; `compute` on the step is ignored, as in Azure
            self._chat_computes(name, spec, inputs)
            fine_tune = inputs.get("compute_finetune")
            where = fine_tune.literal if fine_tune else None
        else:
            self.compute(node.get("computeId"), f"Step {name}: compute")
        name_of_compute = str(where).rpartition("/")[2] if where and where != "serverless" else None
        return Step(name, kind, spec, inputs, outputs, name_of_compute)

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
                    self._check("finetune", key, spec["inputs"][key], value)
                    inputs[key] = value
        for key, text in (details.get("hyperParameters") or {}).items():
            if self._knows(key, spec["inputs"], "Hyperparameter", "the component"):
                inputs[key] = Value(literal=str(text))
                self._check("finetune", key, spec["inputs"][key], inputs[key])
        if "mlflow_model_path" not in inputs and not self.faults:
            raise bad_request("fineTuningDetails.model is missing: a fine-tuning job needs a base model.")
        compute = self.compute(self.properties.get("computeId"), "The job's compute")
        for size in (self.properties.get("resources") or {}).get("instanceTypes") or []:
            sizes.find(size, "resources.instance_types")
        uri = next(iter(self.outputs.values()))["uri"]
        folder = uris.default_output(f"{self.job}.finetune", "pytorch_model_folder", "uri_folder")
        outputs = {"mlflow_model_folder": uri, "pytorch_model_folder": folder}
        return [Step("finetune", CHAT, spec, inputs, outputs, compute)]

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
        }
        compute = self.compute(self.properties.get("computeId"), "The job's compute")
        targets = {name: each["uri"] for name, each in self.outputs.items()}
        if spec["code"]:
            uris.resolve(self.state, self.workspace, spec["code"])
        return [Step("command", COMMAND, spec, given, targets, compute)]

    def _chat_computes(self, step: str, spec: dict[str, Any], inputs: dict[str, Value]) -> None:
        """Checks the clusters that the component's inputs name, and the sizes where they are serverless."""
        for stage in ("model_import", "preprocess", "finetune", "model_evaluation"):
            given = inputs.get(f"compute_{stage}")
            what = f"Step {step}: input compute_{stage}"
            if self.compute(given.literal if given else "serverless", what) is None and stage != "model_evaluation":
                chosen = inputs.get(f"instance_type_{stage}")
                size = (chosen.literal if chosen else None) or spec["inputs"][f"instance_type_{stage}"]["default"]
                try:
                    sizes.find(size, f"Step {step}: compute_{stage} is serverless, and input instance_type_{stage}")
                except AzureError as error:
                    self.faults.append(error.message)

    def _order(self, steps: list[Step]) -> list[Step]:
        ordered: list[Step] = []
        waiting = list(steps)
        while waiting:
            ready = [step for step in waiting if not step.needs() & {each.name for each in waiting}]
            if not ready:
                self.faults.append(f"Steps {', '.join(step.name for step in waiting)} wait for each other in a circle.")
                break
            ordered.append(ready[0])
            waiting.remove(ready[0])
        return ordered
