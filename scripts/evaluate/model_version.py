"""Which registered model is meant: its name by the values, its version by the state, and the folder kept for it."""

from __future__ import annotations

import argparse
from pathlib import Path

from scripts import state
from scripts.errors import UserError
from scripts.files import ROOT
from scripts.values import facts, names, parameters
from scripts.values.read import Values


def name(values: Values) -> str:
    """Returns the name under which the environment's tuned model is registered."""
    known = facts.load(values)
    return names.build(values, known, parameters.resolve(values, known)).model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the two options that say which model version is meant."""
    parser.add_argument("--folder", type=Path, help="the run's state, for example .runs/dev/azure")
    parser.add_argument("--model-version", metavar="VERSION", help="instead of the one that the state names")


def from_arguments(options: argparse.Namespace) -> str:
    """Returns the model version that `--model-version` or the state folder names."""
    if options.model_version:
        return str(options.model_version)
    if not options.folder:
        raise UserError(
            "which model version is meant is not known: give --model-version, or --folder .runs/<env>/<backend>"
        )
    return state.read(options.folder, "model-version", f"make register ENV={options.env} registers the model")


def folder(version: str) -> Path:
    """Returns where a version's evaluation and its downloaded files are kept."""
    return ROOT / "runs" / version
