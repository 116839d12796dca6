"""The two types of job that fine-tune a chat model, and where the YAML of each says what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scripts.azure.component import SPLITS

EXPERIMENTAL = "type: finetuning is experimental, as Azure's SDK says, and unverified: no run of it on Azure is known"


@dataclass(frozen=True)
class JobKind:
    """A type of job; `files`, by split, and `parameters` are keys of its YAML."""

    name: str  # of `job.kind` in the values, and of `type` in the YAML
    files: Mapping[str, str]
    parameters: str
    output: str  # that holds the trained model
    registers: bool  # the service registers the model when the job has completed


PIPELINE = JobKind(
    "pipeline",
    {split: f"inputs.{split}_file_path.path" for split in SPLITS},
    "jobs.chat_completion.inputs",
    "trained_model",
    registers=False,
)
# Keys as azure-ai-ml 1.35.2 reads them (CustomModelFineTuningSchema), and as Azure/azureml-examples has them in
# cli/jobs/finetuning/standalone/model-as-a-platform/chat-completion/ (2025-01).
FINETUNING = JobKind(
    "finetuning",
    {"train": "training_data.path", "validation": "validation_data.path"},
    "hyperparameters",
    "registered_model",
    registers=True,
)
_KINDS = {kind.name: kind for kind in (PIPELINE, FINETUNING)}


def of(job: Mapping[str, Any]) -> JobKind:
    """Returns the type of a job's YAML."""
    return _KINDS.get(str(job.get("type")), PIPELINE)


def chosen(values: Mapping[str, Any]) -> JobKind:
    """Returns the type of job that the values choose; those of before there was a choice choose the pipeline."""
    return _KINDS[(values.get("job") or {}).get("kind", PIPELINE.name)]
