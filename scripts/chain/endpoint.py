"""The endpoint: there and good, or made again; and its deletion, until nothing of it is billed or holds its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scripts.chain import left, tags
from scripts.chain.patience import Patience
from scripts.chain.run import BUSY, Run, refused, say, state_of
from scripts.errors import FAILED, UserError
from scripts.targets import billed

FILE = ("endpoints", "endpoint.yml")
WHOLE = 100  # per cent of the traffic
# What the service says of a name that another workspace of the region has (mlops-project-template#29), and of one that
# is still held after a deletion (azure-cli-extensions#7660: 404 with the title 'Not Found'; #7107: a conflict).
TAKEN = "already an endpoint with this name"
HELD = ("(NotFound)", "(Conflict)")  # not ResourceNotFound, which is said of a workspace, too


def name_of(run: Run) -> str:
    """Returns the endpoint's name."""
    return run.name(*FILE)


def show(run: Run, name: str) -> Any:
    """Returns the endpoint, None where there is none."""
    return run.az.ask(f"endpoint {name}", "online-endpoint", "show", "-n", name)


def deployments(run: Run, name: str) -> dict[str, str]:
    """Returns the provisioning states of an endpoint's deployments by their names."""
    found = run.az.ask(f"the deployments of endpoint {name}", "online-deployment", "list", "-e", name)
    return {each["name"]: state_of(each) for each in found or []}


def ensure(run: Run) -> None:
    """Makes sure that the endpoint is there and good.

    One whose creation failed takes no deployment for ever ('has not been created successfully'), so it is deleted and
    created again. One that serves is never deleted, whatever state a later change left it in.
    """
    name, deleted = name_of(run), False
    while True:
        found = show(run, name)
        state = state_of(found)
        if found is None:
            return _create(run, name)
        if state in BUSY:
            settle(run, name)
            continue
        if state not in ("failed", "canceled"):
            return None
        if "succeeded" in deployments(run, name).values():
            say(f"endpoint {name} is in state {state.capitalize()} since a change failed; it serves, so it is kept")
            return None
        if deleted:
            raise UserError(f"endpoint {name} is {state} again right after it was deleted; {_another(run)}", FAILED)
        say(f"endpoint {name} is in state {state.capitalize()} and serves nothing; it is deleted and created again")
        delete(run, name, found)
        deleted = True


def route(run: Run, shares: Mapping[str, int], mirror: Mapping[str, int] | None = None) -> None:
    """Gives deployments their shares of the traffic, and one its share of copies; the others get none.

    Without `mirror` nobody gets copies. Both are one request, so that nobody asks an endpoint that is half changed. The
    endpoint says of itself where the one comes from that has all traffic.
    """
    name = name_of(run)
    ended = dict.fromkeys(given(run)[1], 0)
    copies = {deployment: share for deployment, share in (mirror or {}).items() if share} or ended
    words = ["-n", name, "--traffic", _shares(shares), *(("--mirror-traffic", _shares(copies)) if copies else ())]
    for served in (deployment for deployment, share in shares.items() if share == WHOLE):
        found = run.az.ask(f"deployment {served}", "online-deployment", "show", "-n", served, "-e", name) or {}
        words += tags.words(tags.sealed(found.get("tags") or {}))
    answer = run.az.wait(_patience(run, name), "online-endpoint", "update", *words, "-o", "none")
    if answer.code:
        raise refused(answer, f"endpoint {name}: the traffic was not given as {_shares(shares)}: {answer.reason}")


def given(run: Run) -> tuple[dict[str, int], dict[str, int]]:
    """Returns the deployments' shares of the traffic, and of copies, as far as they have any."""
    found = show(run, name_of(run)) or {}
    kinds = [found.get(key) or {} for key in ("traffic", "mirror_traffic")]
    traffic, copies = ({name: int(share) for name, share in kind.items() if int(share)} for kind in kinds)
    return traffic, copies


def _shares(shares: Mapping[str, int]) -> str:
    return " ".join(f"{name}={share}" for name, share in shares.items())


def settle(run: Run, name: str) -> None:
    """Waits until nothing changes the endpoint any more."""
    _patience(run, name).until(lambda: state_of(show(run, name)), lambda state: state not in BUSY)


def delete(run: Run, name: str, found: Any) -> None:
    """Deletes the endpoint, as it was `found`, with its deployments; waits until the service knows it no more."""
    slow = ": 6 to 8 minutes, up to 40 where a creation is still running; it is billed until then"
    say(f"deleting endpoint {name}{billed(slow)}")
    goes_on = left.deletion(name, run.environment)
    patience = run.patience(f"endpoint {name}", "undeploy_minutes", goes_on, lambda: _seen(run, name))
    if state_of(found) not in ("", "deleting"):
        answer = run.az.wait(patience, "online-endpoint", "delete", "-n", name, "--yes")
        if answer.code and state_of(show(run, name)) not in ("", "deleting"):
            raise refused(answer, f"endpoint {name} was not deleted{billed(', and is billed until it is')}")
    patience.until(lambda: show(run, name), lambda found: found is None)


def undeploy(run: Run) -> None:
    """Deletes the endpoint if there is one."""
    name = name_of(run)
    found = show(run, name)
    if found is not None:
        delete(run, name, found)
    (run.folder / left.ROLLOUT).unlink(missing_ok=True)
    say(f"no endpoint {name}{billed(': nothing is billed')}")


def _create(run: Run, name: str) -> None:
    words = ("-f", str(run.file(*FILE)), *tags.words(tags.of(run)), "-o", "none")
    answer = run.az.wait(_patience(run, name), "online-endpoint", "create", *words)
    if not answer.code or state_of(show(run, name)) == "succeeded":  # an earlier run's request may have come before
        return
    if TAKEN in answer.err:
        raise refused(answer, f"endpoint name {name} is taken by another workspace of the region; {_another(run)}")
    if show(run, name) is None and any(word in answer.err for word in HELD):
        raise refused(
            answer,
            f"endpoint name {name} is held back, as happens after a deletion; wait some minutes, or {_another(run)}",
        )
    raise refused(
        answer,
        f"endpoint {name} was not created; put right what Azure said above, and {run.make('deploy')} deletes what is "
        "left of it and creates it again",
    )


def _another(run: Run) -> str:
    return f"give endpoint.name ({run.values.where('endpoint.name')}) another value, {run.make('render')} and commit"


def _patience(run: Run, name: str) -> Patience:
    goes_on = left.endpoint(name, run.environment)
    return run.patience(f"endpoint {name}", "deploy_minutes", goes_on, lambda: _seen(run, name))


def _seen(run: Run, name: str) -> str:
    return state_of(show(run, name)) or "not there"
