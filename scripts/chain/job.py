"""The job: submitted once, waited for as long as it takes or until the limit, cancelled on request."""

from __future__ import annotations

import re
from typing import Any

from scripts import state, terminal
from scripts.azure import machine_sizes
from scripts.chain import data, left, tags
from scripts.chain.alone import alone
from scripts.chain.patience import Patience, duration, since
from scripts.chain.run import Run, refused, say
from scripts.errors import FAILED, MISSING, CouldNotAskError, UserError
from scripts.targets import billed, brief, costs_nothing

FILE = ("pipelines", "finetune.yml")
COMPUTE = ("pipelines", "compute.yml")
WAITING_STATES = ("notstarted", "preparing", "provisioning", "starting", "queued")
ENDED = state.ENDED_BADLY | {"completed"}
_FRAME = re.compile(r"RunId: |Web View: |Streaming |Execution Summary$|=+$|[\d:]{8} completed$")
# What a run comes to; the rest of the log is about how.
PROGRESS = re.compile(r"[\d:]{8} (step \d+/|evaluation |trained |CAPPED|WARNING|METRICS|converted )")
_STAMP = re.compile(r"[\d:]{8} ")
_DEPTH = 2  # the pipeline's steps, and those of the component in it


def finetune(run: Run, again: bool = False, waits: bool = True, other_data: bool = False) -> None:
    """Submits the job or finds it submitted, and waits for it; nobody else has to wait meanwhile."""
    with alone(run.folder, run.make("finetune")):
        submit(run, again, waits, other_data)
    if waits:
        wait(run)


def submit(run: Run, again: bool = False, waits: bool = False, other_data: bool = False) -> None:
    """Submits the job, or finds it submitted: its name is made beforehand, from what it runs."""
    data.settle(run, other_data)
    while True:
        job = state.job_name(run.folder, run.environment, again, run.root)
        status = _status(run, job)
        if state.plain_status(status) not in state.ENDED_BADLY:
            break
        say(f"job {job} ended before: {status}; the next attempt is another job")
        state.write(run.folder, "status", status)
        again = False
    if status:
        say(f"job {job} is there already: {status}")
        if state.plain_status(status) in ENDED:
            state.write(run.folder, "status", status)
        return
    told = tags.of(run, job=job, data=state.kept(run.folder, "data-version"))
    if told["commit"] == tags.NONE and not brief():
        say("note: git knows no commit here, so all that is made is tagged commit=none")
    words = ("-f", str(run.file(*FILE)), "-n", job, *_bindings(run), *tags.words(told), "-o", "none")
    answer = run.az.wait(
        run.patience(f"job {job}", "step_minutes", left.job(job, run.environment)), "job", "create", *words
    )
    if answer.code and not _status(run, job):  # the answer may have got lost, or a killed run's request come before
        raise refused(answer, f"job {job} was not submitted; {run.make('finetune')} tries again")
    say(f"job {job}: submitted")
    if not waits:
        say(f"{run.make('await')} waits for it, {run.make('cancel')} cancels it")


def wait(run: Run, name: str = "") -> None:
    """Streams the job until it ends and keeps its status; a UserError unless it Completed.

    The stream ends early where the log cannot be read or a login expires; then the job is asked for its status.
    """
    job = _named(name)
    if job:
        _adopt(run, job)
    else:
        job = _of_the_state(run)
    found = _require(run, job)
    patience = _patience(run, job)
    if state.plain_status(found["status"]) != "completed":  # the log of one that failed at once says why
        run.az.wait(patience, "job", "stream", "-n", job, tell=_tell)
        found = _require(run, job)
        if not _ended(found):
            say(f"job {job} is {found['status']}; its log cannot be followed any more, so its status is asked for")
            found = patience.until(lambda: _require(run, job), _ended)
    newest = _keep(run, job, str(found["status"]))
    if newest != job:
        raise UserError(
            f"job {job}: {found['status']}; another run has made the state one of {newest or 'no job'} meanwhile, and "
            f"{run.make('await')} NAME={job} makes it this job's again",
            FAILED,
        )
    say(f"job {state.require_completed(run.folder, run.environment)}: Completed")


def cancel(run: Run, name: str = "") -> None:
    """Cancels the job and waits until it has ended; says what is still there."""
    job = _named(name) or _of_the_state(run)
    found = _require(run, job)
    if _ended(found):
        say(f"job {job} is {found['status']}: there is nothing to cancel")
    else:
        answer = run.az.run("job", "cancel", "-n", job)
        found = _require(run, job)
        if answer.code and not _ended(found):
            still = billed(", and its machine is billed")
            raise refused(answer, f"job {job} was not cancelled; it is {found['status']}{still}")
        goes_on = f"{billed('its machine is billed until it has ended; ')}{run.make('cancel')} goes on"
        patience = run.patience(f"job {job}", "step_minutes", goes_on, lambda: _status(run, job))
        found = patience.until(lambda: _require(run, job), _ended)
        say(f"job {job}: {found['status']}")
    _keep(run, job, str(found["status"]))
    say(f"{billed(_what_stays(run))}what the job wrote is kept, and {run.make('finetune')} trains anew")


def _what_stays(run: Run) -> str:
    compute = run.document(*COMPUTE)
    idle, least = compute.get("idle_time_before_scale_down"), compute.get("min_instances")
    kept = f"{least} of its nodes stay and are billed" if least else "an idle cluster costs nothing"
    return (
        f"what is still there: cluster {compute.get('name')}, whose nodes are given back after {idle} s ({kept}), and "
        "the data assets; "
    )


def _tell(line: str) -> None:
    """Prints a line of the log; on localhost without the frame that az puts around it, whose links lead nowhere."""
    if not costs_nothing():
        say(line)
    elif line.strip() and not _FRAME.match(line) and (not brief() or PROGRESS.match(line)):
        stamp = _STAMP.match(line)
        print(terminal.wrapped(line, " " * len(stamp[0]) if stamp else "", ""), flush=True)


def _keep(run: Run, job: str, status: str) -> str:
    """Keeps how a job ended if the state is still of it, and returns which job it is of: others may run meanwhile."""
    newest = state.kept(run.folder, "job")
    if newest == job:
        state.write(run.folder, "status", status)
    return newest


def _of_the_state(run: Run) -> str:
    advice = f"{run.make('finetune')} submits a job; one of another machine is named with NAME=<job>"
    return state.read(run.folder, "job", advice)


def _named(name: str) -> str:
    """Returns the name that NAME= gives, an empty text where it gives none."""
    if name and not state.is_job_name(name):
        raise UserError(f"NAME={name}: is no job's name: letters, digits, '.', '_' and '-', a letter or digit first")
    return name


def _adopt(run: Run, job: str) -> None:
    """Makes a job the state's, for the steps that follow; never under another run, whose job would be lost to it.

    One that is not there, a typo, takes no other's place.
    """
    _require(run, job)
    if state.kept(run.folder, "job") == job:
        return
    with alone(run.folder, f"{run.make('await')} NAME={job}"):
        (run.folder / "status").unlink(missing_ok=True)
        state.write(run.folder, "job", job)


def _bindings(run: Run) -> list[str]:
    """Returns the --set that binds the inputs to the registered data; nothing where the YAML says where they are."""
    if run.in_pipeline:
        return []
    name = run.name(*data.FILE)
    version = state.read(run.folder, "data-version", f"{run.make('data')} prepares the data")
    if version == data.named(run):
        return []
    files = data.job_kind(run).files
    return ["--set", *(f"{key}=azureml:{name}-{split}:{version}" for split, key in files.items())]


def _require(run: Run, job: str) -> Any:
    found = run.az.ask(f"job {job}", "job", "show", "-n", job)
    if found is None:
        raise UserError(f"there is no job {job} in the workspace; {run.make('finetune')} submits one", MISSING)
    return found


def _status(run: Run, job: str) -> str:
    """Returns the status of a job, an empty text where there is none."""
    found = run.az.ask(f"job {job}", "job", "show", "-n", job)
    return str(found["status"]) if found else ""


def _ended(found: Any) -> bool:
    return state.plain_status(str(found["status"])) in ENDED


def _patience(run: Run, job: str) -> Patience:
    return run.patience(f"job {job}", "finetune_hours", left.job(job, run.environment), lambda: _seen(run, job))


def _seen(run: Run, job: str) -> str:
    """Returns the job's status, its open steps, and where these wait what to look at."""
    found = _require(run, job)
    status, steps = str(found["status"]), _open_steps(run, job)
    words = [f"{status}, made {duration(since(found) or 0.0)} ago", *(f"step {name} {state}" for name, state in steps)]
    # a step is NotStarted as long as those before it are at work, which is no want of a node
    begun = [now for now in (state.plain_status(each) for _, each in steps) if now != "notstarted"]
    waits = any(now in WAITING_STATES for now in (state.plain_status(status), *begun))
    if waits:
        words.append(
            f"it waits for a node of cluster {run.name(*COMPUTE)}{_cores(run)}: where that takes more than 10 minutes, "
            "an endpoint may hold the cores of this family (az ml compute list-usage), or the region has no machine"
        )
    return ", ".join(words)


def _cores(run: Run) -> str:
    """Returns in words what the region counts of the cores that the cluster draws on; nothing where it says nothing."""
    compute = run.document(*COMPUTE)
    size, low = machine_sizes.catalog().get(str(compute["size"]).lower()), compute.get("tier") == "low_priority"
    try:
        usages = run.az.ask("the quota", "compute", "list-usage")
    except CouldNotAskError:  # the status is known all the same
        return ""
    for usage in usages or []:
        name, used, most = str((usage.get("name") or {}).get("value")), usage.get("current_value"), usage.get("limit")
        mine = machine_sizes.is_pool(name, "low priority") if low else size and _same(name, size.family)
        if mine and used is not None and (most or 0) >= 0:
            return f" ({name}: {used} of {most} cores in use)"
    return ""


def _same(name: str, family: str) -> bool:
    return machine_sizes.family_key(name) == machine_sizes.family_key(family)


def _open_steps(run: Run, job: str, depth: int = _DEPTH) -> list[tuple[str, str]]:
    query = "[].{name: name, label: display_name, status: status, type: type}"
    words = ("job", "list", "--parent-job-name", job, "--all-results", "true", "--query", query)
    found: list[tuple[str, str]] = []
    for each in run.az.ask(f"the steps of job {job}", *words) or []:
        status = str(each["status"])
        if state.plain_status(status) in ENDED:
            continue
        below = _open_steps(run, each["name"], depth - 1) if depth > 1 and each["type"] == "pipeline" else []
        found += below or [(str(each["label"] or each["name"]), status)]
    return found
