"""What a target that was stopped leaves behind, what it costs, and the command that goes on or deletes it."""

from __future__ import annotations

from pathlib import Path

from scripts import state
from scripts.chain.rendered import Rendered
from scripts.errors import UserError

_OF_A_JOB = ("finetune", "await", "cancel")
_OF_AN_ENDPOINT = ("deploy", "undeploy", "invoke", "answers", "chat", "chat-web", "loadtest", "all")


def left(target: str, rendered: Rendered, folder: Path, call: str) -> str:
    """Returns the end of a sentence for a target; `call` is what stands behind one, such as `ENV=dev`."""
    again = f"make {target} {call}"
    try:
        if target in _OF_A_JOB:
            return _job(folder, again, call)
        if target in _OF_AN_ENDPOINT:
            return _endpoint(rendered, target, again, call)
        if target == "compute":
            return _cluster(rendered, again)
    except UserError as error:
        return f"what it was about is not known ({error})"
    if target == "register":
        return f"nothing is billed; the model may be registered: {again} looks, and makes no second version"
    if target in ("data", "prepare"):
        return f"nothing is billed; what is ready stays, and make data {call} goes on"
    return f"nothing that is billed was begun; {again} begins again"


def job(name: str, call: str) -> str:
    """Returns what is left while a job runs."""
    return (
        f"job {name} may be at work, and its machine billed; make finetune {call} goes on with it, make await {call} "
        f"only waits, make cancel {call} ends it"
    )


def endpoint(name: str, call: str) -> str:
    """Returns what is left of a deployment."""
    return (
        f"endpoint {name} may be there and billed; make deploy {call} goes on with it, make undeploy {call} deletes it"
    )


def deletion(name: str, call: str) -> str:
    """Returns what is left of a deletion."""
    return f"endpoint {name} may still be there and billed; make undeploy {call} goes on deleting it"


def _job(folder: Path, again: str, call: str) -> str:
    name, status = state.kept(folder, "job"), state.kept(folder, "status")
    if not name:
        return f"no job was submitted; {again} begins again"
    ended = state.plain_status(status) in state.ENDED_BADLY | {"completed"}
    return f"job {name} is {status}: nothing of it is billed; {again} begins again" if ended else job(name, call)


def _endpoint(rendered: Rendered, target: str, again: str, call: str) -> str:
    name = rendered.name("endpoints", "endpoint.yml")
    if target == "deploy":
        return endpoint(name, call)
    if target in ("undeploy", "all"):
        return deletion(name, call)
    return f"endpoint {name} may be there and billed; make undeploy {call} deletes it, {again} begins again"


def _cluster(rendered: Rendered, again: str) -> str:
    cluster = rendered.document("pipelines", "compute.yml")
    name, least = cluster.get("name"), cluster.get("min_instances")
    cost = f"its {least} nodes that always run are billed" if least else "an idle one costs nothing"
    return f"cluster {name} may be there ({cost}); {again} goes on with it, az ml compute delete -n {name} deletes it"
