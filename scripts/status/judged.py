"""What was seen, with what it bills, whose it is, how long it may live, and the command that ends it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from scripts.chain.tags import SEAL
from scripts.state import plain_status
from scripts.status.committed import Committed
from scripts.status.seen import INSTANCE, MANAGED, TTL_TAG, Compute, Deployment, Endpoint, Place, Seen
from scripts.targets import command_on
from scripts.values.names import ENVIRONMENT_TAG

HOUR = 3600.0
LONGEST = 1e6  # hours of a time to live: what is more is no time that anybody meant


@dataclass(frozen=True)
class Item:
    """An endpoint, one of its deployments, a cluster or a person's machine."""

    kind: str  # endpoint, deployment, cluster, compute instance
    of: Endpoint | Deployment | Compute
    place: Place
    environment: str  # whose YAML names it, or who is in its tag; an empty text for nobody
    in_yaml: bool
    machines: int  # that are billed now
    size: str
    per_hour: float | None  # of all of them, None where the price is not known
    currency: str
    hours: float  # since they are there, or since it is, as the service's clock says
    ends: str  # the command that ends it
    ttl: float | None = None  # hours, None for none
    ttl_fault: str = ""
    on: str = ""  # the endpoint of a deployment
    parts: list[Item] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Its name; a deployment's stands behind its endpoint's."""
        return f"{self.on}/{self.of.name}" if self.on else self.of.name

    @property
    def bills(self) -> bool:
        """Whether it costs anything now."""
        return self.machines > 0

    @property
    def hours_left(self) -> float | None:
        """Hours that it may still live, less than 0 past them, None where it may live for ever."""
        return None if self.ttl is None else self.ttl - self.hours

    @property
    def is_past(self) -> bool:
        """Whether its time to live is over; what is on its way out is not."""
        left = self.hours_left
        return left is not None and left < 0 and not self.is_leaving

    @property
    def is_leaving(self) -> bool:
        """Whether it is being deleted."""
        return plain_status(self.of.state) == "deleting"

    @property
    def job(self) -> str:
        """The job that runs on it, or may."""
        return self.of.job if isinstance(self.of, Compute) else ""

    @property
    def is_ours(self) -> bool:
        """Whether a YAML names it, or this project made it: many give a tag `environment` to all that they have."""
        return bool(self.environment) and (self.in_yaml or SEAL in self.of.tags)

    @property
    def held(self) -> str:
        """Why it is not deleted here, an empty text where it may be."""
        if self.kind == "compute instance":
            return f"it is a person's machine; {self.ends} stops it"
        if self.job:
            return f"job {self.job} may run on it"
        at_work = self.of.at_work if isinstance(self.of, Compute) else 0  # for a job that is archived, or old
        return f"{at_work} of its nodes are at work" if at_work else ""

    @property
    def is_idle(self) -> bool:
        """Whether it is a deployment that nobody is sent to, and that is no candidate of a rollout."""
        is_made = plain_status(self.of.state) not in ("creating", "updating", "deleting")
        return isinstance(self.of, Deployment) and not (self.of.traffic or self.of.mirror) and is_made


def judge(seen: Seen, committed: Committed) -> list[Item]:
    """Returns the endpoints and clusters of a workspace."""
    return [*_endpoints(seen, committed), *_computes(seen, committed)]


def total(items: Sequence[Item]) -> dict[str, float]:
    """Returns what items bill an hour, by currency, as far as prices are known."""
    sums: dict[str, float] = {}
    for each in items:
        if each.bills and each.per_hour:
            sums[each.currency] = round(sums.get(each.currency, 0.0) + each.per_hour, 4)
    return sums


def _endpoints(seen: Seen, committed: Committed) -> Iterator[Item]:
    for found in seen.endpoints:
        named = committed.environment_of("endpoint", found.name, seen.place)
        owner = named or _owner(found.tags, seen.place)
        parts = [_deployment(each, found, seen, committed, owner) for each in found.deployments]
        known = [each.per_hour for each in parts if each.bills]
        ttl, fault = _ttl(found.tags)
        yield Item(
            kind="endpoint",
            of=found,
            place=seen.place,
            environment=owner,
            in_yaml=bool(named),
            machines=sum(each.machines for each in parts),
            size=", ".join(dict.fromkeys(each.size for each in parts)),
            per_hour=None if None in known else sum(each or 0.0 for each in known),
            currency=next((each.currency for each in parts if each.bills), "USD"),
            hours=_hours(seen, found.since),
            ends=command_on(seen.place.backend, "undeploy", named) if named else _reap(seen.place, owner, found.name),
            ttl=ttl,
            ttl_fault=fault,
            parts=parts,
        )


def _deployment(found: Deployment, on: Endpoint, seen: Seen, committed: Committed, owner: str) -> Item:
    price = committed.price(owner, seen.place, "deployment", found.size)
    machines = found.instances if found.kind == MANAGED else 0  # what Kubernetes serves is billed elsewhere
    return Item(
        kind="deployment",
        of=found,
        place=seen.place,
        environment=_owner(found.tags, seen.place),
        in_yaml=bool(committed.environment_of("endpoint", on.name, seen.place)),
        machines=machines,
        size=found.size,
        per_hour=price.per_hour * machines if price else None,
        currency=price.currency if price else "USD",
        hours=_hours(seen, found.made),
        ends=_reap(seen.place, owner, f"{on.name}/{found.name}"),
        on=on.name,
    )


def _computes(seen: Seen, committed: Committed) -> Iterator[Item]:
    for found in seen.computes:
        named = committed.environment_of("cluster", found.name, seen.place)
        price = committed.price(named, seen.place, "compute", found.size)
        ttl, fault = _ttl(found.tags)
        where = f"-g {seen.place.group} -w {seen.place.workspace}"
        if found.kind == INSTANCE:
            ends = f"az ml compute stop -n {found.name} {where}"
        elif found.job:
            ends = command_on(seen.place.backend, "cancel", named or seen.place.environments[0], f"NAME={found.job}")
        else:
            ends = _reap(seen.place, named, found.name)
        yield Item(
            kind="compute instance" if found.kind == INSTANCE else "cluster",
            of=found,
            place=seen.place,
            environment=named,
            in_yaml=bool(named),
            machines=found.nodes,
            size=found.size,
            per_hour=price.per_hour * found.nodes if price else None,
            currency=price.currency if price else "USD",
            hours=_hours(seen, found.made),
            ends=ends,
            ttl=ttl,
            ttl_fault=fault,
        )


def _reap(place: Place, environment: str, name: str) -> str:
    return command_on(place.backend, "reap", environment or place.environments[0], f"NAME={name}")


def _owner(tags: dict[str, str], place: Place) -> str:
    return tags.get(ENVIRONMENT_TAG, "") if tags.get(ENVIRONMENT_TAG) in place.environments else ""


def _hours(seen: Seen, since: float) -> float:
    return max(0.0, seen.now - since) / HOUR if since else 0.0


def _ttl(tags: dict[str, str]) -> tuple[float | None, str]:
    """Returns the hours of a time to live, and what the tag holds where these are no hours."""
    text = tags.get(TTL_TAG)
    try:
        hours = float(text) if text is not None else None
    except ValueError:
        return None, str(text)
    return (hours, "") if hours is None or 0 < hours <= LONGEST else (None, str(text))
