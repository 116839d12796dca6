"""`python -m scripts.chain STEP`: one step of the chain, which the Makefile calls."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable
from pathlib import Path

from scripts import render, workspace
from scripts.chain import autoscale, cluster, data, endpoint, job, model
from scripts.chain.alone import alone
from scripts.chain.az import Az
from scripts.chain.run import Run
from scripts.errors import main
from scripts.values.read import add_arguments, from_arguments

CHANGES: dict[str, Callable[[Run], None]] = {  # one run at a time
    "data": data.register,
    "compute": cluster.ensure_all,
    "register": model.register,
    "undeploy": endpoint.undeploy,
    "autoscale": autoscale.apply,
}
# Where the YAML is older than the values, these would run something else than what was checked. Deleting goes by the
# YAML, which names what was deployed; only who sets something for it means another.
RUNS_YAML = ("data", "compute", "finetune", "register", "autoscale")
WAITS: dict[str, Callable[[Run, argparse.Namespace], None]] = {  # for hours, in which others may run
    "finetune": lambda run, options: job.finetune(run, options.again, not options.no_wait, options.other_data),
    "await": lambda run, options: job.wait(run, options.name),
    "cancel": lambda run, options: job.cancel(run, options.name),
    "report": lambda run, options: data.fetch_report(run),
}


def run(arguments: list[str] | None = None) -> int:
    """The command: see `--help`."""
    parser = argparse.ArgumentParser(prog="python -m scripts.chain", description=__doc__)
    parser.add_argument("step", choices=[*CHANGES, *WAITS], metavar="STEP")
    add_arguments(parser)
    add_run_arguments(parser)
    parser.add_argument("--again", action="store_true", help="finetune: a new attempt even if the last one went well")
    parser.add_argument("--no-wait", action="store_true", help="finetune: only submit the job")
    parser.add_argument(
        "--other-data", action="store_true", help="finetune: on what was prepared, whatever the YAML names"
    )
    parser.add_argument("--name", default="", help="await, cancel: the job, instead of the one that the state names")
    options = parser.parse_args(arguments)
    made = run_of(options)
    if options.step in RUNS_YAML or (options.step == "undeploy" and options.sets):
        render.require_fresh(made.values, any_data=options.step == "data")
    if options.step in CHANGES:
        with alone(made.folder, made.make(options.step)):
            CHANGES[options.step](made)
    else:
        WAITS[options.step](made, options)
    return 0


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what every program that drives az for a run has to be told."""
    parser.add_argument("--folder", type=Path, required=True, help="the run's state, for example .runs/dev/azure")
    parser.add_argument("--az", type=words, default=["az"], help="the program that answers to az")
    parser.add_argument("--stand-in", action="store_true",
                        help="deploy: the run's own model where the workspace lacks the promoted one")  # fmt: skip


def words(text: str) -> list[str]:
    """Reads the words of a command as a shell does, and nothing more than words."""
    try:
        found = shlex.split(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None
    if not found:
        raise argparse.ArgumentTypeError("names no program")
    return found


def run_of(options: argparse.Namespace) -> Run:
    """Returns the run that the arguments describe."""
    values = from_arguments(options)
    az = Az(options.az, shlex.split(workspace.options(values)))
    return Run(az, values, options.folder, stand_in=options.stand_in)


if __name__ == "__main__":
    main(run)
