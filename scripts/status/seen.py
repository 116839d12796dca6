"""What one look at a workspace saw, as plain data: it goes as JSON from who may ask a backend to who shows it."""

from __future__ import annotations

from dataclasses import dataclass, field

AZURE, LOCAL = "azure", "local"
TTL_TAG = "ttl_hours"
MANAGED, CLUSTER, INSTANCE = "Managed", "AmlCompute", "ComputeInstance"  # what bills by the hour


@dataclass(frozen=True)
class Deployment:
    """Machines behind an endpoint; times are seconds since the epoch, 0 where the service does not say."""

    name: str
    state: str
    kind: str  # Managed, or of a Kubernetes cluster that is billed elsewhere
    size: str
    instances: int
    model: str
    traffic: int  # per cent of the requests, and of those that are copied to it
    mirror: int
    made: float
    by: str
    tags: dict[str, str]


@dataclass(frozen=True)
class Endpoint:
    """An online endpoint with its deployments."""

    name: str
    state: str
    made: float
    by: str
    tags: dict[str, str]
    deployments: list[Deployment]

    @property
    def since(self) -> float:
        """When it was deployed to last, which is when its time to live begins."""
        return max((each.made for each in self.deployments), default=0.0) or self.made


@dataclass(frozen=True)
class Compute:
    """A cluster, or the machine of a person (ComputeInstance)."""

    name: str
    kind: str
    state: str
    size: str
    low_priority: bool
    nodes: int  # that are there now
    least: int
    most: int
    made: float
    tags: dict[str, str]
    job: str = ""  # one that has not ended, and runs on it or may
    at_work: int = 0  # nodes that a job has, whether it is seen or not


@dataclass(frozen=True)
class Job:
    """A job; of those that have ended only the newest is seen."""

    name: str
    status: str
    ended: bool
    made: float
    by: str
    tags: dict[str, str]


@dataclass(frozen=True)
class Place:
    """A workspace on a backend, and the environments that share it."""

    backend: str
    subscription: str
    group: str
    workspace: str
    region: str
    environments: tuple[str, ...]


@dataclass(frozen=True)
class Seen:
    """What is there, by the service's own clock (`now`); `error` says why nobody knows."""

    place: Place
    now: float = 0.0
    endpoints: list[Endpoint] = field(default_factory=list)
    computes: list[Compute] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    error: str = ""
