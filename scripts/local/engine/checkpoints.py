"""Checkpoints: written after an evaluation, limited in number, the best one kept, and resumed from.

A checkpoint is a folder `checkpoint-<step>` with the trained weights (adapter or model), optimizer.pt and
trainer_state.json, the names that transformers' Trainer uses. It appears under its name when it is complete.
"""

from __future__ import annotations

import dataclasses
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from scripts import files
from scripts.errors import UserError, one_line
from scripts.local.engine.job_folder import write_json

STATE = "trainer_state.json"
ANEW = "delete this checkpoint's folder, and training goes on from the one before it"


@dataclass(frozen=True)
class State:
    """How far a run had come: what stands in trainer_state.json."""

    global_step: int
    best_metric: float
    best_step: int
    worse: int  # evaluations in a row without a better one
    loss_sum: float


class Checkpoints:
    """The checkpoints in `folder`; `limit` of them are kept (-1: all), the best one always."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder = folder
        self.limit = limit
        self.best: Path | None = None

    def save(self, step: int, model: Any, optimizer: torch.optim.Optimizer, state: State) -> None:
        """Writes a checkpoint, marks it the best if `state` says so, and deletes those beyond the limit."""
        path = self.folder / f"checkpoint-{step}"
        partial = self.folder / f".checkpoint-{step}"
        for folder in (partial, path):
            shutil.rmtree(folder, ignore_errors=True)
        partial.mkdir(parents=True)
        torch.save(trained_weights(model), partial / "weights.pt")
        torch.save(optimizer.state_dict(), partial / "optimizer.pt")
        write_json(partial / STATE, dataclasses.asdict(state))
        partial.rename(path)
        if state.best_step == step:
            self.best = path
        if self.limit > 0:
            # Trainer's rule: the limit counts the best one, but never drops the newest, from which a run would resume.
            keep = {each for each in (path, self.best) if each}
            others = [other for other in all_in(self.folder) if other not in keep]
            for other in others[: max(0, len(others) + len(keep) - self.limit)]:
                shutil.rmtree(other)

    def resume(self, folders: list[Path], model: Any, optimizer: torch.optim.Optimizer) -> State | None:
        """Loads the newest checkpoint of the first folder that has one; returns its state, or None."""
        path = next((complete[-1] for folder in folders if (complete := all_in(folder))), None)
        if path is None:
            return None
        name = f"{path.name}/{STATE}"
        state = files.read_json(path / STATE, ANEW, State, name, foreign=True)  # older ones hold more
        if state is None:
            files.refuse(name, "is not there", ANEW)
        restore(model, path)
        try:
            optimizer.load_state_dict(_loaded(path / "optimizer.pt"))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            files.refuse(f"{path.name}/optimizer.pt", f"is no state of this optimizer ({one_line(error)})", ANEW)
        best = path.with_name(f"checkpoint-{state.best_step}")
        self.best = best if best.exists() else None
        return state


def all_in(folder: Path) -> list[Path]:
    """Returns the complete checkpoints of a folder, oldest first."""
    named = [path for path in folder.glob("checkpoint-*") if re.fullmatch(r"checkpoint-[0-9]+", path.name)]
    return sorted((path for path in named if (path / STATE).exists()), key=lambda path: int(path.name[11:]))


def trained_weights(model: Any) -> dict[str, torch.Tensor]:
    """Returns what training changes, by name: the adapters, or all weights."""
    return {name: weight.detach() for name, weight in model.named_parameters() if weight.requires_grad}


def restore(model: Any, path: Path) -> None:
    """Puts a checkpoint's weights into the model, which must have been made with the same parameters."""
    saved = _loaded(path / "weights.pt")
    if not isinstance(saved, dict) or not all(isinstance(each, torch.Tensor) for each in saved.values()):
        files.refuse(f"{path.name}/weights.pt", "holds no weights", ANEW)
    if {name: w.shape for name, w in saved.items()} != {name: w.shape for name, w in trained_weights(model).items()}:
        raise UserError(
            f"{path.name}: made with other LoRA inputs than this run's; resume with the inputs that it had."
        )
    model.load_state_dict(saved, strict=False)


def _loaded(path: Path) -> Any:
    name = f"{path.parent.name}/{path.name}"
    try:
        with files.opened(path, ANEW, name) as file:
            return torch.load(file, weights_only=True)
    except UserError:
        raise
    except Exception as error:  # of torch, zipfile, pickle: whatever meets the first wrong byte
        files.refuse(name, f"is damaged ({type(error).__name__}: {one_line(error)})", ANEW)
