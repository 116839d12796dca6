"""What an endpoint's deployments are to each other: which one is live, which stands beside it, which is as wanted.

A deployment is rolled out beside the one that answers, in one of two slots: under its own name, or under that with -2
behind it. Which of them is live is read from the endpoint, and never remembered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.azure import updates
from scripts.chain import endpoint
from scripts.chain.run import BUSY, Run, state_of
from scripts.values.names import ENVIRONMENT_TAG
from scripts.values.names import slots as slot_names
from scripts.values.read import Values

FILE = ("endpoints", "deployment.yml")
PREVIOUS = "previous_model"  # the tag of a deployment that took over: the model that had answered before
BACK = "rollback"  # the tag of one that was made to go back to a model
STATE = "provisioning_state"


@dataclass(frozen=True)
class Deployment:
    """A deployment of the endpoint, `found` as az prints it."""

    name: str
    share: int  # of the traffic, per cent
    mirrored: int  # of the requests, per cent: copies
    found: Mapping[str, Any]

    @property
    def state(self) -> str:
        """Its provisioning state, in lower-case letters."""
        return state_of(self.found)

    @property
    def is_good(self) -> bool:
        """Tells whether it was made, and answers."""
        return self.state == "succeeded"

    @property
    def model(self) -> str:
        """`name:version` of its model."""
        return str(updates.same_form("deployment", "model", self.found.get("model")) or "")

    @property
    def previous(self) -> str:
        """The model that answered before this one took over, an empty text where it was the first."""
        return str((self.found.get("tags") or {}).get(PREVIOUS) or "")

    @property
    def goes_back(self) -> bool:
        """Tells whether it was made to go back to its model."""
        return BACK in (self.found.get("tags") or {})

    @property
    def made(self) -> str:
        """When it was made, as text that sorts by time."""
        return str((self.found.get("creation_context") or {}).get("created_at") or "")

    def scaled(self, values: Values) -> dict[str, str]:
        """Returns `instance_count` as autoscaling made it, to be bound; nothing where it may not make so many."""
        count = self.found.get("instance_count")
        return {"instance_count": str(count)} if may_scale_to(values, count) else {}

    def differs(self, document: Mapping[str, Any], version: str) -> list[str]:
        """Returns the keys in which it is not what the YAML says with this model version."""
        wanted = {**document, "model": version}
        said, seen = updates.fields("deployment", wanted, wanted, self.found, ("name", "endpoint_name"))
        bad = [STATE] if self.state in ("failed", "canceled") else []
        return bad + [key for key, value in said.items() if (seen or {}).get(key) != value]


@dataclass(frozen=True)
class Slots:
    """All deployments of an endpoint. The live one first, then the others, the newest first."""

    on: str
    names: tuple[str, str]
    environment: str
    every: tuple[Deployment, ...]

    @property
    def live(self) -> Deployment | None:
        """The one that has the most traffic, of two with as much the older one; None where none has any."""
        return self.every[0] if self.every and self.every[0].share else None

    @property
    def others(self) -> list[Deployment]:
        """This project's other ones."""
        return [each for each in self.every if each is not self.live and self.is_ours(each)]

    @property
    def free(self) -> str:
        """The name under which a new one is made beside the live one."""
        taken = self.live.name if self.live else ""
        standing = [each.name for each in self.others if each.name in self.names]
        return next(name for name in (*standing, *self.names) if name != taken)

    def all_to(self, name: str) -> bool:
        """Tells whether all traffic is this one's, and nothing is copied."""
        return all((each.share, each.mirrored) == (100 * (each.name == name), 0) for each in self.every)

    def named(self, name: str) -> Deployment | None:
        """Returns a deployment, None where there is none of this name."""
        return next((each for each in self.every if each.name == name), None)

    def is_ours(self, deployment: Deployment) -> bool:
        """Tells whether this environment's YAML made it: what others deployed on the endpoint is left alone."""
        tags = deployment.found.get("tags") or {}
        return deployment.name in self.names or tags.get(ENVIRONMENT_TAG) == self.environment

    def is_newer(self, deployment: Deployment) -> bool:
        """Tells whether one was made after the live one: it was to take over, and did not, or not for good."""
        return bool(self.live and deployment.made > self.live.made)


def may_scale_to(values: Values, count: Any) -> bool:
    """Tells whether autoscaling may have made so many machines of those that the YAML names."""
    rules = values.data["deployment"].get("autoscale")
    return bool(rules and count and rules["min"] <= int(count) <= rules["max"])


def of(run: Run, found: Mapping[str, Any], deployments: Sequence[Mapping[str, Any]]) -> Slots:
    """Returns what an endpoint and its deployments, as az prints them, are to each other."""
    shares, mirrored = (found.get(key) or {} for key in ("traffic", "mirror_traffic"))
    every = [
        Deployment(each["name"], int(shares.get(each["name"]) or 0), int(mirrored.get(each["name"]) or 0), each)
        for each in deployments
    ]
    newest = sorted(every, key=lambda each: each.made, reverse=True)
    live = min(every, key=lambda each: (-each.share, each.made), default=None)
    first = [live] if live and live.share else []
    ordered = (*first, *(each for each in newest if each not in first))
    return Slots(endpoint.name_of(run), slot_names(run.name(*FILE)), run.environment, ordered)


def look(run: Run, waits: bool = True) -> Slots:
    """Returns what is there; a deployment that somebody changes is waited for, where that is wanted."""
    on = endpoint.name_of(run)
    names = endpoint.deployments(run, on)
    busy = [name for name, state in names.items() if state in BUSY and waits]
    for name in busy:
        _wait(run, on, name)
    names = endpoint.deployments(run, on) if busy else names
    shown = [run.az.ask(f"deployment {name}", "online-deployment", "show", "-n", name, "-e", on) for name in names]
    return of(run, endpoint.show(run, on) or {}, [each for each in shown if each])


def _wait(run: Run, on: str, name: str) -> None:
    def state() -> str:
        return endpoint.deployments(run, on).get(name, "")

    goes_on = f"Azure goes on with it; {run.make('deploy')} looks again"
    run.patience(f"deployment {name}", "deploy_minutes", goes_on, state).until(state, lambda now: now not in BUSY)
