"""`python -m scripts.metrics`: a job's metrics as a table and a page; `compare JOB JOB…` lays jobs side by side."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts import state, terminal
from scripts.azure import client as client_module
from scripts.errors import MISSING, USAGE, UserError, main
from scripts.evaluate import model_version
from scripts.files import ROOT, write_private
from scripts.metrics import job_facts, job_page, job_runs, table
from scripts.metrics.job_runs import RUNNING, Run
from scripts.targets import command
from scripts.values.read import Values, add_arguments, from_arguments

RUNS = ROOT / "runs"
SECONDS = 3  # between two looks at a run that is watched


def write(job: str, runs: Sequence[Run], facts: Mapping[str, str], refresh: int = 0) -> Path:
    """Writes runs/<job>/metrics.html so that a browser never loads half of it; returns its path."""
    path = RUNS / job / "metrics.html"
    write_private(path, job_page.job_page(job, runs, refresh, facts))
    return path


def watch(
    job: str,
    read: Callable[[], Sequence[Run]],
    say: Callable[[str], Any],
    wait: Callable[[float], Any],
    facts: Mapping[str, str],
) -> Sequence[Run]:
    """Prints a line for every new step and rewrites the page, until the job has ended; returns its runs."""
    shown: int | None = None
    while True:
        runs = read()
        write(job, runs, facts, refresh=SECONDS)
        head, *lines = table.progress(runs)
        if shown is None and not lines and runs[0].status in RUNNING:
            say(f"job {job} is {runs[0].status} and has logged nothing yet; a line follows for every step")
        for line in lines[shown:]:
            say("  ".join(f"{name} {value}" for name, value in zip(head, line, strict=True) if value))
        shown = len(lines)
        if runs[0].status not in RUNNING:
            return runs
        wait(SECONDS)


def show(options: argparse.Namespace) -> int:
    """The command without a verb: one job."""
    values = from_arguments(options)
    client = client_module.connect(values)
    job = options.job or _job_of(values, client, options)
    store = job_runs.store(values, client)
    facts = job_facts.facts(client, job)
    if options.watch:
        runs = watch(job, lambda: job_runs.family(store, job), lambda line: print(line, flush=True), time.sleep, facts)
    else:
        runs = job_runs.family(store, job)
    path = write(job, runs, facts)
    if options.output == "json":
        print(json.dumps([dataclasses.asdict(run) for run in runs], indent=1))
    else:
        print(table.show(job, runs))
        print(f"\n{path.relative_to(ROOT)}")
    return 0


def _job_of(values: Values, client: Any, options: argparse.Namespace) -> str:
    """Returns the job of a model version's tag, or else the one that the state names."""
    if options.model_version:
        found = model_version.registered(client, model_version.name(values), options.model_version)
        if not found.job:
            raise UserError(f"model {found.name}:{found.version} has no tag that names its job; give --job", MISSING)
        return found.job
    if not options.folder:
        raise UserError("which job is meant is not known: give --job, or --folder .runs/<env>/<backend>", USAGE)
    return state.read(options.folder, "job", f"{command('finetune', values.environment)} submits a job")


def compare(options: argparse.Namespace) -> int:
    """The verb `compare`: several jobs."""
    values = from_arguments(options)
    client = client_module.connect(values)
    store = job_runs.store(values, client)
    jobs = list(dict.fromkeys(options.jobs))
    runs: dict[str, Sequence[Run]] = {job: job_runs.family(store, job) for job in jobs}
    compared = table.compare(runs, {job: job_facts.facts(client, job) for job in jobs})
    if options.output == "json":
        print(json.dumps({"jobs": jobs, **compared}, indent=1))
        return 0
    for job, of_job in runs.items():
        print(terminal.wrapped(table.headline(job, of_job), "  ", ""))
    heads = list(table.short_names(jobs).values())
    print("\n" + terminal.table(compared["metrics"], ["last value", *heads]))
    for key, one in (("facts", "fact"), ("parameters", "parameter")):
        if compared[key]:
            print("\n" + terminal.table(compared[key], [f"{one} that differs", *heads]))
        else:
            print(f"\nno {one} differs")
    path = RUNS / jobs[0] / "compare.html"
    write_private(path, job_page.compare_page(runs, compared))
    print(f"\n{path.relative_to(ROOT)}")
    return 0


def run(arguments: list[str] | None = None) -> int:
    """The command: see `--help`."""
    words = sys.argv[1:] if arguments is None else arguments
    comparing = words[:1] == ["compare"]
    usage = None if comparing else "%(prog)s [options]\n       %(prog)s compare [options] JOB JOB..."
    parser = argparse.ArgumentParser(
        prog="python -m scripts.metrics" + " compare" * comparing, description=__doc__, usage=usage
    )
    add_arguments(parser)
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    if comparing:
        parser.add_argument("jobs", nargs="+", metavar="JOB")
        return compare(parser.parse_args(words[1:]))
    parser.add_argument("--job", help="the job's name, instead of the one that the state names")
    model_version.add_arguments(parser)
    parser.add_argument("--watch", action="store_true", help="go on until the job has ended")
    return show(parser.parse_args(words))


if __name__ == "__main__":
    main(run)
