"""What a target that was stopped leaves behind, what it costs, and the command that goes on or deletes it."""

from __future__ import annotations

from pathlib import Path

from scripts import state
from scripts.chain.rendered import Rendered
from scripts.errors import UserError
from scripts.targets import billed, command

ROLLOUT = "rollout"  # in the state: what stands while one goes on beside a deployment that answers
_OF_A_JOB = ("finetune", "await", "cancel")
_OF_AN_ENDPOINT = frozenset(
    "all answers autoscale chat chat-web deploy invoke loadtest rollback traffic undeploy".split()
)


def left(target: str, rendered: Rendered, folder: Path) -> str:
    """Returns the end of a sentence for a target of an environment."""
    environment = rendered.environment
    again = command("evaluate" if target == "answers" else target, environment)  # that is a step of the demo alone
    nothing = billed("nothing is billed; ")
    try:
        if target in _OF_A_JOB:
            return _job(folder, again, environment)
        if target in _OF_AN_ENDPOINT:
            return _endpoint(rendered, target, again, state.kept(folder, ROLLOUT))
        if target == "compute":
            return _cluster(rendered, again)
    except UserError as error:
        return f"what it was about is not known ({error})"
    if target == "apply":
        kept = f"what was made stays{billed(', and what of it is billed goes on')}"
        return f"{kept}; {command('plan', environment)} shows what is there, {again} goes on"
    if target in ("reap", "undeploy-all"):
        kept = f"what was begun to be deleted goes{billed(', and is billed until it is gone')}"
        return f"{kept}; the same command goes on"  # it may be of all environments
    if target == "register":
        return f"{nothing}the model may be registered: {again} looks, and makes no second version"
    if target in ("data", "prepare"):
        return f"{nothing}what is ready stays, and {command('data', environment)} goes on"
    return f"{billed('nothing that is billed was begun; ')}{again} begins again"


def job(name: str, environment: str) -> str:
    """Returns what is left while a job runs."""
    goes_on, waits, ends = (command(target, environment) for target in _OF_A_JOB)
    return (
        f"job {name} may be at work{billed(', and its machine billed')}; {goes_on} goes on with it, {waits} only "
        f"waits, {ends} ends it"
    )


def endpoint(name: str, environment: str) -> str:
    """Returns what is left of a deployment."""
    goes_on, deletes = command("deploy", environment), command("undeploy", environment)
    return f"endpoint {name} may be there{billed(' and billed')}; {goes_on} goes on with it, {deletes} deletes it"


def beside(
    live: str, new: str, environment: str, price: str = "", certain: bool = False, goes_back: bool = False
) -> str:
    """Returns what is left of a rollout beside a deployment that answers.

    `certain`: the new one was seen there; `goes_back`: it was made by a rollback.
    """
    goes_on, deletes = command("deploy", environment), command("rollback", environment)
    stands, how = ("stands", "is") if certain else ("may stand", "be")
    cost = billed(f" and {how} billed{price}")
    stands = f"deployment {new} {stands} beside {live}{cost}"
    if goes_back:
        return f"{stands}; {deletes} goes on with it, {goes_on} does what the YAML says"
    return f"{stands}; {goes_on} goes on with it, {deletes} deletes it and gives {live} all traffic"


def behind(live: str, old: str, environment: str, price: str = "") -> str:
    """Returns what is left of a rollout that is done but for the deployment that answered before."""
    cost = billed(f" and be billed{price}")
    return (
        f"{live} has all traffic, and deployment {old} may still stand{cost}; {command('deploy', environment)} "
        f"deletes it, {command('rollback', environment)} goes back to it"
    )


def deletion(name: str, environment: str) -> str:
    """Returns what is left of a deletion."""
    goes_on = command("undeploy", environment)
    return f"endpoint {name} may still be there{billed(' and billed')}; {goes_on} goes on deleting it"


def _job(folder: Path, again: str, environment: str) -> str:
    name, status = state.kept(folder, "job"), state.kept(folder, "status")
    if not name:
        return f"no job was submitted; {again} begins again"
    if state.plain_status(status) in state.ENDED_BADLY | {"completed"}:
        return f"job {name} is {status}{billed(': nothing of it is billed')}; {again} begins again"
    return job(name, environment)


def _endpoint(rendered: Rendered, target: str, again: str, rollout: str) -> str:
    name, environment = rendered.name("endpoints", "endpoint.yml"), rendered.environment
    if target in ("deploy", "rollback") and rollout:
        return rollout
    if target == "deploy":
        return endpoint(name, environment)
    if target in ("traffic", "rollback"):
        return f"{command('traffic', environment)} shows what endpoint {name} has; {again} begins again"
    if target in ("undeploy", "all"):
        return deletion(name, environment)
    deletes = command("undeploy", environment)
    return f"endpoint {name} may be there{billed(' and billed')}; {deletes} deletes it, {again} begins again"


def _cluster(rendered: Rendered, again: str) -> str:
    cluster = rendered.document("pipelines", "compute.yml")
    name, least = cluster.get("name"), cluster.get("min_instances")
    cost = f"its {least} nodes that always run are billed" if least else "an idle one costs nothing"
    return (
        f"cluster {name} may be there{billed(f' ({cost})')}; {again} goes on with it, az ml compute delete -n {name} "
        "deletes it"
    )
