"""The data assets: each split registered once under the version that its content has; and a pipeline's data report."""

from __future__ import annotations

import shutil

from scripts import state
from scripts.chain.run import Run, say
from scripts.errors import FAILED, UserError

FILE = ("pipelines", "data.yml")
SPLITS = ("train", "validation", "test")
REPORT = "data_report"  # the output of the preparing step
IN_PIPELINE = "in-pipeline"


def register(run: Run) -> None:
    """Registers the splits that are not there yet, and keeps their version; nothing where a step prepares the data."""
    if run.in_pipeline:
        state.write(run.folder, "data-version", IN_PIPELINE)
        say("the pipeline prepares the data itself")
        return
    version = state.data_version(run.environment, run.root)
    for split in SPLITS:
        _register(run, split, f"{run.name(*FILE)}-{split}", version)
    state.write(run.folder, "data-version", version)


def _register(run: Run, split: str, name: str, version: str) -> None:
    asset = f"data asset {name}:{version}"
    if not _is_there(run, name, version):
        goes_on = f"{asset} may be registered all the same; {run.make('data')} looks and goes on"
        path = run.root / "data" / run.environment / f"{split}.jsonl"
        sets = ("--set", f"name={name}", f"version={version}", f"path={path}")
        words = ("-f", str(run.file(*FILE)), "-o", "none", *sets)
        answer = run.az.wait(run.patience(asset, "step_minutes", goes_on), "data", "create", *words, shown=True)
        if answer.code and not _is_there(run, name, version):
            advice = f"when what is said above is put right, {run.make('data')} goes on"
            raise UserError(f"{asset} was not registered; {advice}", FAILED)
    say(asset)


def _is_there(run: Run, name: str, version: str) -> bool:
    return run.az.ask(f"data asset {name}:{version}", "data", "show", "-n", name, "-v", version) is not None


def fetch_report(run: Run) -> None:
    """Downloads the report and the questions that the pipeline's step wrote, where it prepared the data."""
    job = state.require_completed(run.folder, run.environment)
    goes_on = f"{run.make('data-report')} begins again"
    patience = run.patience(f"the data report of job {job}", "step_minutes", goes_on)
    words = ("-n", job, "--output-name", REPORT, "-p", str(run.folder))
    answer = run.az.wait(patience, "job", "download", *words, shown=True)
    if answer.code:
        raise UserError(f"the data report of job {job} was not downloaded, for the reason above", FAILED)
    target = run.root / "data" / run.environment
    shutil.copytree(run.folder / "named-outputs" / REPORT, target, dirs_exist_ok=True)
