"""What of the values a job of `type: finetuning` has no place for: it would be given and not used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scripts.azure import job_kinds
from scripts.strict_yaml import shown, value_at
from scripts.values.read import Values

INSTEAD = "or take job.kind: pipeline"
# Dotted key -> what is used all the same, what the job does instead, what to do.
_UNPLACED: dict[str, tuple[Any, str, str]] = {
    "model.huggingface_id": (
        None,
        "it starts from a model of the registry",
        "leave it out, and name model.name and model.version",
    ),
    "model.finetune_config": (None, "it reads the one that the registry's model brings", "leave it out"),
    "dataset.where": ("local", "it has no step that prepares the data", "set it to local"),
    "dataset.splits.heldout": (
        None,
        "it takes no test data, so that the test rows would be used for nothing",
        "set it to null, and the test rows are the questions that are held out",
    ),
    "compute.job_identity": (None, "it cannot say whose rights it uses", "leave it out"),
    "finetune.num_nodes_finetune": (1, "it cannot say how many nodes it wants", "leave it out"),
}


def found(values: Values) -> Iterator[tuple[str, str]]:
    """Yields (dotted key, sentence) of each; nothing for the other type of job."""
    if job_kinds.chosen(values.data) != job_kinds.FINETUNING:
        return
    for key, (used, why, todo) in _UNPLACED.items():
        value = value_at(values.data, key)
        if value is not None and value != used:
            what = "a mapping" if isinstance(value, dict) else shown(value)
            yield key, f"found {what}, for which a job of type finetuning has no place: {why}; {todo}, {INSTEAD}"
