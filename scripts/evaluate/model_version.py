"""Which registered model is meant: its name by the values, its version and job by the state, and the folder for it."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts import state
from scripts.azure import answers
from scripts.errors import MISSING, UserError
from scripts.files import ROOT
from scripts.targets import command
from scripts.values import facts, names, parameters
from scripts.values.read import Values


@dataclass(frozen=True)
class ModelVersion:
    """A registered version, the job that its tag names, and when it was made (digits of the time)."""

    name: str
    version: str
    job: str
    made: str = ""

    @property
    def folder(self) -> Path:
        """Where its evaluation and its downloaded files are kept.

        Versions count from 1 in every workspace, and a rehearsal has the names of what it rehearses, so the time of the
        registration is what tells the two apart: the evaluation of a small stand-in promotes no model of Azure.
        """
        return ROOT / "runs" / "-".join(filter(None, (self.job or f"{self.name}-{self.version}", self.made)))


def name(values: Values) -> str:
    """Returns the name under which the environment's tuned model is registered."""
    known = facts.load(values)
    return names.build(values, known, parameters.resolve(values, known)).model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the two options that say which model version is meant."""
    parser.add_argument("--folder", type=Path, help="the run's state, for example .runs/dev/azure")
    parser.add_argument("--model-version", metavar="VERSION", help="instead of the one that the state names")


def from_arguments(options: argparse.Namespace, values: Values, client: Any) -> ModelVersion:
    """Returns the model version that `--model-version` or the state folder names, as the workspace has it."""
    if options.model_version:
        return registered(client, name(values), str(options.model_version))
    if not options.folder:
        raise UserError(
            "which model version is meant is not known: give --model-version, or --folder .runs/<env>/<backend>"
        )
    version, job = state.model_version(options.folder, options.env)
    found = registered(client, name(values), version)
    if found.job != job:  # another workspace, or one that was made anew, counts from 1 again
        raise UserError(
            f"model {found.name}:{version} belongs to job {found.job or 'nobody knows which'}, and "
            f"{options.folder / 'model-version'} means the one of job {job}; {command('register', options.env)} finds "
            "its version, or registers it",
            MISSING,
        )
    return found


def registered(client: Any, model: str, version: str) -> ModelVersion:
    """Returns a version of the workspace with the job of its tag; a `UserError` where there is none."""
    what = f"model {model}:{version}"
    todo = f"{command('register')} registers it"
    return of(answers.require(what, todo, client.models.get, model, version), model, version)


def served(client: Any, reference: str) -> ModelVersion:
    """Returns the version that a deployment names as `name:version`; one of a registry belongs to no job here."""
    model, _, version = reference.rpartition(":")
    found = answers.ask(f"model {reference}", client.models.get, model, version)
    return of(found, model, version) if found else ModelVersion(model, version, "")


def of(found: Any, model: str, version: str) -> ModelVersion:
    """Returns a version as the workspace shows it."""
    made = re.sub(r"\D", "", str(found.creation_context.created_at if found.creation_context else ""))
    return ModelVersion(model, version, str((found.tags or {}).get(state.JOB_TAG) or ""), made[:14])
