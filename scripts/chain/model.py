"""The registered model: the service counts its versions, and the tag `job` says which job one belongs to.

Of a job of `type: finetuning` the service registers the model itself, without that tag.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from scripts import state
from scripts.azure import lock_file
from scripts.chain import data, tags
from scripts.chain.run import Run, refused, say
from scripts.errors import MISSING, CouldNotAskError, UserError

FILE = ("pipelines", "model.yml")
DEPLOYMENT = ("endpoints", "deployment.yml")
# To the short form of a path, seen for an output that was there all the same; the place itself was taken.
NOTHING_FOUND = "NoMatchingArtifactsFoundFromJob"


def find(run: Run, job: str) -> str:
    """Returns the newest version that a job's model is registered under, an empty text where there is none."""
    return _newest(_versions(run), job)


def _versions(run: Run) -> list[dict[str, str]]:
    """Returns the versions of the model, each with its job; that there is none of this name yet is no error."""
    name = run.name(*FILE)
    query = f"[].{{version: version, job: tags.{state.JOB_TAG}}}"
    found = run.az.ask(f"the versions of model {name}", "model", "list", "-n", name, "--query", query) or []
    return [{"version": str(each["version"]), "job": str(each["job"] or "")} for each in found]


def _newest(versions: list[dict[str, str]], job: str) -> str:
    numbers = [int(each["version"]) for each in versions if each["job"] == job and each["version"].isdecimal()]
    return str(max(numbers, default=""))


def register(run: Run) -> None:
    """Registers the model of the state's job, unless a version of the workspace belongs to that job already."""
    name = run.name(*FILE)
    job = state.require_completed(run.folder, run.environment)
    versions = _versions(run)
    version = _newest(versions, job)
    if version:
        say(f"model {name}:{version} is the one of job {job} already")
    else:
        _say_what_an_early_release_left(name, versions)
        kind = data.kind_of(run, job)
        made = _of_the_service(run, name, versions, job) if kind.registers else ("", "")
        version = _create(run, name, job, kind.output, *made)
    state.write(run.folder, "model-version", f"{version} {job}")
    say(f"model {name}:{version}")


def confirmed(run: Run) -> str:
    """Returns `name:version` of the model that is registered, as the workspace has it now.

    The state may be older than the workspace: one that was deleted and made anew counts from 1 again.
    """
    name = run.name(*FILE)
    version, job = state.model_version(run.folder, run.environment)
    held = find(run, job)
    if not held:
        raise UserError(
            f"no version of model {name} in the workspace belongs to job {job}; {run.make('register')} registers it",
            MISSING,
        )
    if held != version:
        state.write(run.folder, "model-version", f"{held} {job}")
        say(f"model {name}:{held} is the one of job {job} now (it was {version})")
    latest = state.kept(run.folder, "job") or job
    if latest != job:
        say(f"note: model {name}:{held} is of job {job}; the newest job {latest} is not registered")
    return f"{name}:{held}"


def named(run: Run) -> str:
    """Returns `name:version` of the model that the rendered deployment names, an empty text where it names none."""
    return str(run.document(*DEPLOYMENT).get("model") or "").removeprefix("azureml:")


def chosen(run: Run) -> str:
    """Returns `name:version` of the model to deploy: the promoted one that the YAML names, else the state's.

    A run that may stand in takes its own where the workspace does not have what was promoted.
    """
    reference = named(run)
    if not reference:
        return confirmed(run)
    file, (name, _, version) = run.file(*DEPLOYMENT).relative_to(run.root), reference.partition(":")
    found = run.az.ask(f"model {reference}", "model", "show", "-n", name, "-v", version)
    if takes_its_own(run, found and found.get("tags")):
        own = confirmed(run)
        say(f"{file} names model {reference}, which was not promoted in this workspace; {own} stands in for it")
        return own
    if found is None:
        raise UserError(
            f"{file}: names model {reference}, which the workspace does not have; {run.make('promote')} lets another "
            "version through, or revert the commit that promoted this one",
            MISSING,
        )
    kept = state.kept(run.folder, "model-version").partition(" ")[0]
    if kept and kept != version:
        say(f"{file} names model {reference}, which is deployed; version {kept} of the state is not")
    return reference


def takes_its_own(run: Run, tags: Mapping[str, str] | None) -> bool:
    """Tells whether a run takes its own model for the promoted one, whose tags (None: it is not there) are no such."""
    lock = lock_file.read(run.environment, run.root)
    evaluation = lock.promoted.evaluation if lock and lock.promoted else ""
    return run.stand_in and (tags or {}).get("promoted") != evaluation


def _of_the_service(run: Run, name: str, versions: list[dict[str, str]], job: str) -> tuple[str, str]:
    """Returns version and place of the model that the service registered of a job, two empty texts for none.

    Nobody has recorded what it writes there: what the SDK shows as the model's job, or the job's name in its place,
    tells it (unverified).
    """
    numbers = [int(each["version"]) for each in versions if not each["job"] and each["version"].isdecimal()]
    for number in sorted(numbers, reverse=True):
        found = run.az.ask(f"model {name}:{number}", "model", "show", "-n", name, "-v", str(number)) or {}
        path = str(found.get("path") or "")
        if job in (found.get("job_name"), *path.split("/")):
            say(f"model {name}:{number} is what the service registered of job {job}; it gets the tags")
            return str(number), path
    return "", ""


def _create(run: Run, name: str, job: str, output: str, at: str, place: str) -> str:
    """Creates a version and returns its number; `at` a version that is there, with its place, it only tags it."""
    path = place or f"azureml://jobs/{job}/outputs/{output}"
    goes_on = f"model {name} may be registered all the same; {run.make('register')} looks, and makes no second version"
    patience = run.patience(f"model {name}", "step_minutes", goes_on)
    answer = run.az.wait(patience, "model", "create", *_words(run, path, job, at))
    if answer.code and NOTHING_FOUND in answer.err:
        path = f"azureml://datastores/workspaceblobstore/paths/azureml/{job}/{output}/"
        say(
            f"Azure finds nothing at the output of job {job}, as was seen for outputs that are there; registering the "
            f"place where the output lies instead: {path} (Azure takes a place without looking into it)"
        )
        answer = run.az.wait(patience, "model", "create", *_words(run, path, job))
    version = "" if answer.code else _version(answer.out)
    version = version or find(run, job)  # the answer may have got lost, or a killed run's request come before
    if answer.code and not version:
        raise refused(
            answer,
            f"model {name} was not registered; the output of job {job} is kept, {run.make('register')} tries again",
        )
    if not version:
        advice = f"az did not print it; {run.make('register')} looks again"
        raise CouldNotAskError(advice, f"the version of model {name}")
    return version


def _words(run: Run, path: str, job: str, version: str = "") -> tuple[str, ...]:
    told = tags.of(run, **tags.of_job(run, job), files=state.kept_for(run.folder, "model-files", job))
    sets = (f"path={path}", *[f"version={version}"] * bool(version))
    return ("-f", str(run.file(*FILE)), "--set", *sets, *tags.words(told), "-o", "json")


def _version(printed: str) -> str:
    try:
        made: Any = json.loads(printed)
    except ValueError:
        return ""
    version = str(made.get("version") or "") if isinstance(made, dict) else ""
    return version if version.isdecimal() else ""


def _say_what_an_early_release_left(name: str, versions: list[dict[str, str]]) -> None:
    named = [each["version"] for each in versions if not each["version"].isdecimal()]
    if named:
        say(
            f"note: model {name} has {len(named)} versions with names ({named[0]} …), as the first releases of this "
            "project made them on localhost; Azure takes numbers only, so they stay as they are, and are used no more"
        )
