"""The deployment: created or updated, and what each refusal of the service asks for, done once and said."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping

from scripts.chain import cause, endpoint, left, model, tags
from scripts.chain.az import Answer
from scripts.chain.patience import Patience
from scripts.chain.run import BUSY, Run, refused, say
from scripts.chain.slots import FILE

LOG_LINES = 30
# What the service answered, and what it wants; the sources are in tests/azure/.
UNRECOVERABLE = r"failed during initial provisioning and is in an unrecoverable state"  # 400 to an update
ENDPOINT_LOST = r"has not been created successfully or is in deleting provisioning state"  # 400
ENDPOINT_BUSY = r"in (Creating|Updating) provisioning state"  # 'Cannot create a deployment … it is …'


def ensure(
    run: Run, version: str, name: str, bound: Mapping[str, str] | None = None, rest: str = "", stays: bool = False
) -> None:
    """Creates or updates a deployment of this name with a model (`name:version`); a UserError says what is left.

    Azure refuses to update a deployment whose first provisioning failed, so then, and only then, it is deleted and
    created again. A deployment that was good once is only updated, whatever became of a later update.

    `bound` are keys that the YAML has not, or otherwise. `rest` is the end of the sentence, where more is there than
    this one alone; `stays`: the endpoint has another one that answers, so it is never made again.
    """
    on = endpoint.name_of(run)
    sets = [f"{key}={value}" for key, value in (bound or {}).items()]
    sets += [] if version == model.named(run) else [f"model=azureml:{version}"]
    told = (*(("--set", *sets) if sets else ()), *tags.of_served(run, version))
    words = ("-f", str(run.file(*FILE)), "-n", name, "-e", on, *told, "-o", "none")
    handled: set[str] = {ENDPOINT_LOST} if stays else set()
    while True:
        state = endpoint.deployments(run, on).get(name)
        if state in BUSY:
            _patience(run, on, name).until(lambda: _state(run, on, name), lambda now: now not in BUSY)
            continue
        verb = "update" if state else "create"
        answer = run.az.wait(_patience(run, on, name), "online-deployment", verb, *words)
        if not answer.code:
            say(f"deployment {name}: {version}")
            return
        if not _remedy(run, on, name, verb, answer, handled):
            log = _print_log(run, on, name)
            why = cause.sentence(f"{answer.err}\n{log}", on, name)
            raise refused(answer, f"deployment {name} failed: {why}; {rest or _left(run, on)}")


def _remedy(run: Run, on: str, name: str, verb: str, answer: Answer, handled: set[str]) -> bool:
    """Does what a known answer asks for, each once; returns whether to try again."""
    known = (UNRECOVERABLE, ENDPOINT_LOST, ENDPOINT_BUSY, cause.PULL, cause.READ)
    said = next((each for each in known if re.search(each, answer.err)), "")
    if not said or said in handled:
        return False
    handled.add(said)
    if said == ENDPOINT_BUSY:
        endpoint.settle(run, on)
    elif said == ENDPOINT_LOST:
        return _renew_endpoint(run, on)
    elif said == UNRECOVERABLE:
        say(f"deployment {name} failed when it was first made, so Azure cannot update it; it is deleted and made again")
        remove(run, name)
    else:
        say(f"a role seems not to have arrived yet ({answer.reason}); deployment {name} is tried once more")
        if verb == "create":  # it failed at its first provisioning, so only a new one can follow
            remove(run, name)
    return True


def _renew_endpoint(run: Run, on: str) -> bool:
    """Makes an endpoint again that was never made as a whole; returns False for one that serves all the same."""
    if "succeeded" in endpoint.deployments(run, on).values():
        return False
    say(f"endpoint {on} was never made as a whole, so Azure takes no deployment on it; it is deleted and made again")
    endpoint.delete(run, on, endpoint.show(run, on))
    endpoint.ensure(run)
    return True


def remove(run: Run, name: str) -> None:
    """Deletes a deployment of the endpoint, after its traffic was taken from it, and waits until it is gone."""
    on = endpoint.name_of(run)
    share = ((endpoint.show(run, on) or {}).get("traffic") or {}).get(name)
    if share:  # 'Can't delete deployment [x] with non-zero traffic weight'
        answer = run.az.run("online-endpoint", "update", "-n", on, "--traffic", f"{name}=0", "-o", "none")
        if answer.code:
            raise refused(answer, f"the traffic of deployment {name} could not be taken from it; {_left(run, on)}")
    patience = _patience(run, on, name)
    answer = run.az.wait(patience, "online-deployment", "delete", "-n", name, "-e", on, "--yes")
    if answer.code and _state(run, on, name) not in ("", "deleting"):
        raise refused(answer, f"deployment {name} could not be deleted; {_left(run, on)}")
    patience.until(lambda: _state(run, on, name), lambda state: not state)


def _state(run: Run, on: str, name: str) -> str:
    return endpoint.deployments(run, on).get(name, "")


def _print_log(run: Run, on: str, name: str) -> str:
    """Prints the end of the container's log, which is gone when the deployment is deleted, and returns it."""
    answer = run.az.run("online-deployment", "get-logs", "-n", name, "-e", on, "--lines", str(LOG_LINES))
    if not answer.code and answer.out.strip():
        print(f"the end of the log of deployment {name}:\n{answer.out.rstrip()}", file=sys.stderr, flush=True)
    return "" if answer.code else answer.out


def _patience(run: Run, on: str, name: str) -> Patience:
    advice = (
        f"usual are 10 to 25 minutes; az ml online-deployment get-logs -e {on} -n {name} shows the container, and "
        "Azure Monitor's metric DeploymentCapacity has no point as long as the region has no machine: quota is a "
        "permission, not a machine"
    )
    return run.patience(
        f"deployment {name}", "deploy_minutes", _left(run, on), lambda: _state(run, on, name) or "not there yet", advice
    )


def _left(run: Run, on: str) -> str:
    return left.endpoint(on, run.environment)
