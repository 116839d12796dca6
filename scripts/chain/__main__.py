"""`python -m scripts.chain STEP`: one step of the chain, which the Makefile calls."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable
from pathlib import Path

from scripts import workspace
from scripts.chain import cluster, deployment, endpoint, job, model
from scripts.chain.az import Az
from scripts.chain.run import Run
from scripts.errors import main
from scripts.values.read import add_arguments, from_arguments

STEPS: dict[str, Callable[[Run, argparse.Namespace], None]] = {
    "cluster": lambda run, options: cluster.ensure(run, options.which),
    "submit": lambda run, options: job.submit(run, options.again),
    "await": lambda run, options: job.wait(run, options.name),
    "cancel": lambda run, options: job.cancel(run, options.name),
    "register": lambda run, options: model.register(run),
    "endpoint": lambda run, options: endpoint.ensure(run),
    "deployment": lambda run, options: deployment.ensure(run),
    "undeploy": lambda run, options: endpoint.undeploy(run),
}


def run(arguments: list[str] | None = None) -> int:
    """The command: see `--help`."""
    parser = argparse.ArgumentParser(prog="python -m scripts.chain", description=__doc__)
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("which", nargs="?", choices=cluster.FILES, default="finetune", help="cluster: for which step")
    add_arguments(parser)
    parser.add_argument("--folder", type=Path, required=True, help="the run's state, for example .runs/dev/azure")
    parser.add_argument("--az", type=shlex.split, default=["az"], help="the program that answers to az")
    parser.add_argument("--call", metavar="WORDS", help="what stands behind a target in sentences")
    parser.add_argument("--again", action="store_true", help="submit: a new attempt even if the last one went well")
    parser.add_argument("--name", default="", help="await, cancel: the job, instead of the one that the state names")
    options = parser.parse_args(arguments)
    values = from_arguments(options)
    az = Az(options.az, shlex.split(workspace.options(values)))
    STEPS[options.step](Run(az, values, options.folder, options.call or f"ENV={options.env}"), options)
    return 0


if __name__ == "__main__":
    main(run)
