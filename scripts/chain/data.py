"""The data assets: each split registered once under the version of its content, and which of them the job trains on."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from scripts import state
from scripts.azure import job_kinds
from scripts.azure.job_kinds import JobKind
from scripts.chain.run import Run, say
from scripts.errors import FAILED, MISSING, UserError
from scripts.strict_yaml import value_at

FILE = ("pipelines", "data.yml")
JOB = ("pipelines", "finetune.yml")
REPORT = "data_report"  # the output of the preparing step
IN_PIPELINE = "in-pipeline"


def register(run: Run) -> None:
    """Registers the splits that are not there yet, and keeps their version; nothing where a step prepares the data."""
    if run.in_pipeline:
        state.write(run.folder, "data-version", IN_PIPELINE)
        say("the pipeline prepares the data itself")
        return
    version = state.data_version(run.environment, run.root)
    for split in job_kind(run).files:
        _register(run, split, f"{run.name(*FILE)}-{split}", version)
    state.write(run.folder, "data-version", version)


def _register(run: Run, split: str, name: str, version: str) -> None:
    asset = f"data asset {name}:{version}"
    if not _is_there(run, name, version):
        goes_on = f"{asset} may be registered all the same; {run.make('data')} looks and goes on"
        path = run.root / "data" / run.environment / f"{split}.jsonl"
        told = [f"name={name}", f"version={version}", f"path={path}"]
        told += [f"tags.sha256={_sha256(path)}"] if path.is_file() else []  # where it is not, az says so
        words = ("-f", str(run.file(*FILE)), "-o", "none", "--set", *told)
        answer = run.az.wait(run.patience(asset, "step_minutes", goes_on), "data", "create", *words, shown=True)
        if answer.code and not _is_there(run, name, version):
            advice = f"when what is said above is put right, {run.make('data')} goes on"
            raise UserError(f"{asset} was not registered; {advice}", FAILED)
    say(asset)


def _sha256(path: Path) -> str:
    """Returns the hash of a prepared file, by which provenance knows it again in the storage."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _is_there(run: Run, name: str, version: str) -> bool:
    return run.az.ask(f"data asset {name}:{version}", "data", "show", "-n", name, "-v", version) is not None


def job_kind(run: Run) -> JobKind:
    """Returns the type of the rendered job, which says which splits it takes, and where."""
    return job_kinds.of(run.document(*JOB))


def kind_of(run: Run, job: str) -> JobKind:
    """Returns the type of a job that ran: the YAML may be of the other one by now."""
    found = run.az.ask(f"job {job}", "job", "show", "-n", job) or {}
    return job_kinds.of(found) if found.get("type") else job_kind(run)


def named(run: Run) -> str:
    """Returns the version of the data that the rendered job names, an empty text where it leaves them to be bound."""
    path = str(value_at(run.document(*JOB), job_kind(run).files["train"]) or "")
    return path.rpartition(":")[2] if path.startswith("azureml:") else ""


def settle(run: Run, other_data: bool = False) -> None:
    """Has the state say which data the job trains on: those that its YAML names, else those that were registered.

    Others are not trained on instead of what was reviewed, unless they stand in, as in a rehearsal, or are asked for.
    """
    version, kept = named(run), state.kept(run.folder, "data-version")
    if not version:
        return
    file, here = run.file(*JOB).relative_to(run.root), state.prepared(run.environment, run.root)
    if here and here[0] == kept != version and (here[1] or other_data):
        say(f"{file} names data version {version}; the job trains on {kept}, which takes its place")
        return
    if here and here != (version, False) and not here[1]:
        raise UserError(
            f"{file}: names data version {version}, and data/{run.environment} holds {here[0]}, which was not "
            f"reviewed; {run.make('data')} prepares what the values say, {run.make('render')} names what that gave; or "
            f"name the other source again: {run.make('finetune')} DATASET=<source>"
        )
    if kept != version:
        name = f"{run.name(*FILE)}-train"
        if not _is_there(run, name, version):
            raise UserError(
                f"{file}: names data asset {name}:{version}, which the workspace does not have; {run.make('data')} "
                "prepares and registers it",
                MISSING,
            )
        state.write(run.folder, "data-version", version)


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
