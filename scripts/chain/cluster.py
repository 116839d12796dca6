"""A cluster that is there and good: a refused one stays on Azure as a record in state Failed, and is made again."""

from __future__ import annotations

from typing import Any

from scripts.chain.patience import Patience
from scripts.chain.run import BUSY, Run, refused, say, state_of
from scripts.errors import FAILED, UserError, one_line

COMPARED = ("size", "tier", "min_instances", "max_instances", "idle_time_before_scale_down")
FILES = {"finetune": ("pipelines", "compute.yml"), "prepare": ("pipelines", "prepare", "cluster.yml")}


def ensure_all(run: Run) -> None:
    """Makes sure of the job's cluster, and of the one that prepares data where a step does so."""
    for which in ("finetune", "prepare") if run.in_pipeline else ("finetune",):
        ensure(run, which)


def ensure(run: Run, which: str) -> None:
    """Makes sure that the cluster of FILES is there and not Failed; a UserError says why it cannot be made."""
    name, deleted = run.name(*FILES[which]), False
    while True:
        found = _show(run, name)
        state = state_of(found)
        if found is None:
            _create(run, which, name)
            break
        if state in BUSY:
            _patience(run, name).until(lambda: state_of(_show(run, name)), lambda now: now not in BUSY)
        elif state not in ("failed", "canceled"):
            _say_what_differs(run, which, found)
            break
        elif deleted:
            raise UserError(f"compute {name} is {state} again right after it was deleted; try later", FAILED)
        else:
            errors = one_line(found.get("provisioning_errors") or "")
            say(f"compute {name} is in state {state.capitalize()}, which runs no job; it is deleted and made again")
            if errors:
                say(f"  what Azure said of it: {errors}")
            remove(run, name)
            deleted = True
    say(f"compute {name}")


def _show(run: Run, name: str) -> Any:
    return run.az.ask(f"compute {name}", "compute", "show", "-n", name)


def _say_what_differs(run: Run, which: str, found: dict[str, Any]) -> None:
    """Says in what a cluster is not the one of the YAML: it is taken as it is, since jobs may run on it."""
    wanted, place = run.document(*FILES[which]), run.file(*FILES[which]).relative_to(run.root)
    pairs = [(key, found[key], wanted[key]) for key in COMPARED if key in found and key in wanted]
    if "identity" in wanted:
        pairs.append(("identity", (found.get("identity") or {}).get("type", "none"), wanted["identity"]["type"]))
    other = [f"{key} is {has}, not {wants}" for key, has, wants in pairs if str(has).lower() != str(wants).lower()]
    if other:
        say(
            f"note: compute {found['name']} was there already and is not as {place} says: {', '.join(other)}; "
            f"{run.make('plan')} shows what {run.make('apply')} would do about it"
        )


def _create(run: Run, which: str, name: str) -> None:
    answer = run.az.wait(_patience(run, name), "compute", "create", "-f", str(run.file(*FILES[which])), "-o", "none")
    if answer.code and state_of(_show(run, name)) != "succeeded":  # a killed run's request may have come before
        raise refused(
            answer,
            f"compute {name} was not made; what Azure keeps of it (state Failed, not billed) is deleted and made again "
            f"by {run.make('compute')}, when what it said above is put right",
        )


def change(run: Run, which: str) -> None:
    """Sends the YAML of a cluster that is there: the service takes the same request for both, and changes the scale."""
    name = run.name(*FILES[which])
    answer = run.az.wait(_patience(run, name), "compute", "create", "-f", str(run.file(*FILES[which])), "-o", "none")
    if answer.code:
        raise refused(answer, f"compute {name} was not changed, and goes on as it was")
    say(f"compute {name}: changed")


def remove(run: Run, name: str) -> None:
    """Deletes a cluster, and waits until the service knows it no more."""
    patience = _patience(run, name)
    answer = run.az.wait(patience, "compute", "delete", "-n", name, "--yes")
    if answer.code and _show(run, name) is not None:
        raise refused(answer, f"compute {name} was not deleted, for what Azure said above")
    patience.until(lambda: _show(run, name), lambda found: found is None)


def _patience(run: Run, name: str) -> Patience:
    goes_on = f"Azure goes on with it; {run.make('compute')} takes it up again"
    advice = "az ml compute list-usage shows the quota"
    return run.patience(f"compute {name}", "step_minutes", goes_on, lambda: _seen(run, name), advice)


def _seen(run: Run, name: str) -> str:
    return state_of(_show(run, name)) or "not there yet"
