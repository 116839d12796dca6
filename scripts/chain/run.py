"""One environment's run as the steps see it: its rendered YAML, its state, its limits, and `az` for its workspace."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts import state, targets, terminal
from scripts.chain.az import Answer, Az
from scripts.chain.patience import Patience
from scripts.chain.rendered import Rendered
from scripts.errors import FAILED, UserError
from scripts.files import ROOT
from scripts.values.read import Values

BUSY = ("creating", "updating", "deleting")  # provisioning states that become others by themselves
_SECONDS = {"minutes": 60.0, "hours": 3600.0}


@dataclass(frozen=True)
class Run:
    """What a step is given."""

    az: Az
    values: Values
    folder: Path
    root: Path = ROOT
    stand_in: bool = False  # for a promoted model that the workspace does not have, as in a rehearsal

    @property
    def environment(self) -> str:
        """The environment's name."""
        return self.values.environment

    def make(self, target: str) -> str:
        """Returns the command that calls a target for this run."""
        return targets.command(target, self.environment)

    @property
    def rendered(self) -> Rendered:
        """The environment's rendered YAML."""
        return Rendered(self.environment, self.root)

    def file(self, *parts: str) -> Path:
        """Returns a rendered file: `file("pipelines", "model.yml")`; a UserError where it is not there."""
        return self.rendered.file(*parts)

    def document(self, *parts: str) -> dict[str, Any]:
        """Returns a rendered file's content."""
        return self.rendered.document(*parts)

    def name(self, *parts: str) -> str:
        """Returns the name that a rendered file gives to what it makes."""
        return self.rendered.name(*parts)

    @property
    def in_pipeline(self) -> bool:
        """Tells whether a step of the pipeline prepares the data."""
        return (self.root / "pipelines" / self.environment / "prepare").is_dir()

    def patience(
        self, what: str, key: str, goes_on: str, state: Callable[[], str] | None = None, advice: str = ""
    ) -> Patience:
        """Returns how long something is waited for; `key` is one of the values' section `waiting`."""
        waiting = self.values.data["waiting"]
        made = Patience(
            what,
            waiting[key] * _SECONDS[key.rpartition("_")[2]],
            f"waiting.{key} ({self.values.where(f'waiting.{key}')}: {waiting[key]})",
            waiting["heartbeat_minutes"] * 60,
            goes_on,
            advice=advice,
        )
        if state:
            made.state = state
        return made


def say(sentence: str) -> None:
    """Prints a sentence at once, whoever reads it, broken between words for a terminal."""
    breaks = terminal.is_shown() or targets.costs_nothing()
    print(terminal.wrapped(sentence, "  ", "") if breaks else sentence, flush=True)


def refused(answer: Answer, sentence: str) -> UserError:
    """Prints all that az said and returns the error that says what it means."""
    print(answer.err.rstrip(), file=sys.stderr, flush=True)
    return UserError(sentence, FAILED)


def state_of(found: Any) -> str:
    """Returns the provisioning state of what `az` printed, in lower-case letters: `failed`, `creating`, …"""
    return state.plain_status(str((found or {}).get("provisioning_state") or ""))
