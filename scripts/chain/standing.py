"""What goes on billing after a target ended well: its last line, with the price an hour and the command that ends it.

What the target has just used is there. Only what it need not have used is looked for, and not for long.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from scripts import programs, state
from scripts.chain import cluster, endpoint, job, slots
from scripts.chain.rendered import Rendered
from scripts.errors import UserError
from scripts.estimate import price
from scripts.targets import command, costs_nothing
from scripts.values.read import load

_SERVES = frozenset("all apply answers chat chat-web deploy invoke loadtest rollback traffic".split())
_MAY_SERVE = frozenset("evaluate promote".split())
_TRAINS = frozenset("finetune await".split())
_HAS_CLUSTERS = _TRAINS | {"apply", "cancel", "compute"}
_LOOK_SECONDS = 8.0  # at most; a login that answers takes one of them
_THERE = {0: "bills", 1: ""}  # what the look ends with


def standing(target: str, rendered: Rendered, folder: Path) -> str:
    """Returns the line, an empty text where nothing bills on."""
    if costs_nothing():
        return ""
    try:
        return "; ".join(_all(target, rendered, folder))
    except UserError:  # it has no YAML that could be read, and said so
        return ""


def _all(target: str, rendered: Rendered, folder: Path) -> Iterator[str]:
    if target in _HAS_CLUSTERS:
        yield from _clusters(rendered)
    if target in _TRAINS:
        yield from _job(rendered, folder)
    bills = "bills" if target in _SERVES else _look(rendered) if target in _MAY_SERVE else ""
    if bills:
        served, environment = rendered.document(*slots.FILE), rendered.environment
        cost = _cost(environment, "deployment", str(served["instance_type"]), int(served["instance_count"]))
        yield f"endpoint {rendered.name(*endpoint.FILE)} {bills} {cost} until {command('undeploy', environment)}"


def _clusters(rendered: Rendered) -> Iterator[str]:
    for file in cluster.FILES.values():
        if not _is_there(rendered, file):
            continue
        document, environment = rendered.document(*file), rendered.environment
        name, least = document["name"], int(document.get("min_instances") or 0)
        if least:
            cost = _cost(environment, "compute", str(document["size"]), least)
            deletes = command("reap", environment, f"NAME={name}")
            yield f"cluster {name} always keeps {least} nodes, which bills {cost} until {deletes}"


def _job(rendered: Rendered, folder: Path) -> Iterator[str]:
    name, environment = state.kept(folder, "job"), rendered.environment
    if name and state.plain_status(state.kept(folder, "status")) not in job.ENDED:
        nodes = int(load(environment, check=False).data["finetune"].get("num_nodes_finetune") or 1)
        cost = _cost(environment, "compute", str(rendered.document(*job.COMPUTE)["size"]), nodes)
        yield f"job {name} bills {cost} while it is at work; {command('cancel', environment)} ends it"


def _cost(environment: str, section: str, size: str, machines: int) -> str:
    found = price.of_what_runs(load(environment, check=False), section, size)
    many = f"{machines} x {size}"
    return f"{found.per_hour * machines:.2f} {found.currency} an hour ({many})" if found else f"the price of {many}"


def _look(rendered: Rendered) -> str:
    """Returns `bills` where the endpoint has a deployment, `may bill` where nobody knows, nothing where it has none."""
    words = [sys.executable, "-m", "scripts.status", "serves", "--env", rendered.environment]
    looks = programs.start(words, capture=True, talks=False)
    try:
        looks.communicate(timeout=_LOOK_SECONDS)
    except subprocess.TimeoutExpired:
        looks.kill()
        looks.wait()
    return _THERE.get(looks.wait(), "may bill")


def _is_there(rendered: Rendered, file: tuple[str, ...]) -> bool:
    try:
        return rendered.file(*file).is_file()
    except UserError:  # the cluster that prepares data mostly is not
        return False
