"""The steps of a job: as they were read from it, and as they are run."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from scripts.local.core.state import Workspace

CHAT = "chat"  # the registry's fine-tuning component, run by scripts.local.engine
COMMAND = "command"  # a command component, run as a process


@dataclasses.dataclass
class Value:
    """What feeds an input: a literal, a `uri` with its type, or the output of another step (`step`, `output`)."""

    literal: str | None = None
    uri: str | None = None
    kind: str = "string"
    step: str | None = None
    output: str | None = None


@dataclasses.dataclass
class Step:
    """One step of a job. `outputs` maps an output's name to the URI where it is written; `nodes` of `compute`."""

    name: str
    kind: str
    spec: dict[str, Any]
    inputs: dict[str, Value]
    outputs: dict[str, str]
    compute: str | None
    nodes: int = 1

    def needs(self) -> set[str]:
        """Returns the names of the steps whose outputs this one reads."""
        return {value.step for value in self.inputs.values() if value.step}

    def goes_on(self) -> bool:
        """Tells whether the step, started again, goes on from its checkpoints."""
        given = self.inputs.get("resume_from_checkpoint")
        return self.kind == CHAT and given is not None and str(given.literal).lower() == "true"

    def defaults(self) -> dict[str, str]:
        """Returns the inputs that have a default, as text."""
        return {name: str(spec["default"]) for name, spec in self.spec["inputs"].items() if "default" in spec}


@dataclasses.dataclass(frozen=True)
class StepRun:
    """A step to run: its folder, its inputs (texts, absolute paths, URIs of a registry), and where it writes."""

    workspace: Workspace
    job: str
    properties: dict[str, Any]  # the job's
    step: Step
    folder: Path
    inputs: dict[str, str]
    outputs: dict[str, Path]
    tracking: dict[str, str]  # the variables of its MLflow
