"""Checkpoints: written after an evaluation, limited in number, the best one kept, and resumed from.

A checkpoint is a folder `checkpoint-<step>` with the trained weights (adapter or model), optimizer.pt and
trainer_state.json, the names that transformers' Trainer uses. It appears under its name when it is complete.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch

from scripts.errors import UserError
from scripts.local.engine.job_folder import write_json

STATE = "trainer_state.json"


class Checkpoints:
    """The checkpoints in `folder`; `limit` of them are kept (-1: all), the best one always."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder = folder
        self.limit = limit
        self.best: Path | None = None

    def save(self, step: int, model: Any, optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
        """Writes a checkpoint, marks it the best if `state` says so, and deletes those beyond the limit."""
        path = self.folder / f"checkpoint-{step}"
        partial = self.folder / f".checkpoint-{step}"
        for folder in (partial, path):
            shutil.rmtree(folder, ignore_errors=True)
        partial.mkdir(parents=True)
        torch.save(trained_weights(model), partial / "weights.pt")
        torch.save(optimizer.state_dict(), partial / "optimizer.pt")
        write_json(partial / STATE, state)
        partial.rename(path)
        if state["best_step"] == step:
            self.best = path
        if self.limit > 0:
            # Trainer's rule: the limit counts the best one, but never drops the newest, from which a run would resume.
            keep = {each for each in (path, self.best) if each}
            others = [other for other in all_in(self.folder) if other not in keep]
            for other in others[: max(0, len(others) + len(keep) - self.limit)]:
                shutil.rmtree(other)

    def resume(self, folders: list[Path], model: Any, optimizer: torch.optim.Optimizer) -> dict[str, Any] | None:
        """Loads the newest checkpoint of the first folder that has one; returns its state, or None."""
        path = next((complete[-1] for folder in folders if (complete := all_in(folder))), None)
        if path is None:
            return None
        restore(model, path)
        optimizer.load_state_dict(torch.load(path / "optimizer.pt", weights_only=True))
        state = json.loads((path / STATE).read_text(encoding="utf-8"))
        best = path.with_name(f"checkpoint-{state['best_step']}")
        self.best = best if best.exists() else None
        return state


def all_in(folder: Path) -> list[Path]:
    """Returns the complete checkpoints of a folder, oldest first."""
    complete = [path for path in folder.glob("checkpoint-*") if (path / STATE).exists()]
    return sorted(complete, key=lambda path: int(path.name.rpartition("-")[2]))


def trained_weights(model: Any) -> dict[str, torch.Tensor]:
    """Returns what training changes, by name: the adapters, or all weights."""
    return {name: weight.detach() for name, weight in model.named_parameters() if weight.requires_grad}


def restore(model: Any, path: Path) -> None:
    """Puts a checkpoint's weights into the model, which must have been made with the same parameters."""
    saved = torch.load(path / "weights.pt", weights_only=True)
    if {name: w.shape for name, w in saved.items()} != {name: w.shape for name, w in trained_weights(model).items()}:
        raise UserError(
            f"{path.name}: made with other LoRA inputs than this run's; resume with the inputs that it had."
        )
    model.load_state_dict(saved, strict=False)
