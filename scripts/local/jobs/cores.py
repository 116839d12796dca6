"""The cores that a job needs on its clusters: whether it can ever run, and whether it has to wait for others."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

from scripts.azure.machine_sizes import Size, catalog
from scripts.local.core.state import State, Workspace
from scripts.local.core.web import bad_request
from scripts.local.jobs.steps import CHAT, Step
from scripts.local.resources import sizes


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a step runs: a cluster's size, its nodes and its cores."""

    step: Step
    size: Size
    least: int  # nodes that the cluster has at any time
    most: int
    low_priority: bool

    @property
    def cores(self) -> int:
        """The cores that the step needs."""
        return self.step.nodes * self.size.vcpus


def _places(state: State, workspace: Workspace, steps: Iterable[Step]) -> Iterator[Place]:
    for step in steps:
        document = state.store.get(workspace.scope, "computes", step.compute) if step.compute else None
        if document is None:
            continue
        cluster = document.body["properties"]["properties"]
        size = catalog().get(str(cluster.get("vmSize")).lower())
        if size is not None:
            scale = cluster.get("scaleSettings") or {}
            low = str(cluster.get("vmPriority")).lower() == "lowpriority"
            yield Place(step, size, scale.get("minNodeCount", 0), scale.get("maxNodeCount", 1), low)


def refuse_impossible(state: State, workspace: Workspace, steps: Iterable[Step]) -> None:
    """Raises what a job fails with on Azure when its cluster can never have what it asks for.

    The words for too few nodes, and the code for too few cores, are from users' logs (2021 to 2026); the code and the
    words for a size without GPU are those of the component's source.
    """
    for place in _places(state, workspace, steps):
        step, size = place.step, place.size
        if step.nodes > place.most:
            raise bad_request(
                f"Requested {step.nodes} nodes but AzureMLCompute cluster only has {place.most} maximum nodes. "
                f"The cluster of step {step.name} is {step.compute}."
            )
        limit = state.settings.family_limit(size.family)
        if place.cores > limit and not place.low_priority:
            raise bad_request(
                f"Step {step.name} asks for {step.nodes} node(s) of {size.name}, {place.cores} cores; the quota of "
                f"family {size.family} is {limit}.",
                "JobNodeCountExceedsCoreQuota",
            )
        if step.kind == CHAT and not size.gpus_per_node:
            raise bad_request(
                "The selected compute does not meet minimum compute requirements, please use Standard_NC24s_v3 SKU. "
                f"Step {step.name} trains on {step.compute}, of {size.name}, which has no GPU.",
                "SKUNotSupported",
            )


def waited_for(state: State, workspace: Workspace, steps: Iterable[Step]) -> str | None:
    """Returns why a job has to wait, None where it can run: others hold the cores of a cluster's family.

    Azure says nothing of it: the job stays Queued and the cluster shows no node (a user's log, 2026-09). Low priority
    machines are of a pool that deployments do not use.
    """
    for place in _places(state, workspace, steps):
        family, limit = place.size.family, state.settings.family_limit(place.size.family)
        used = sizes.usage(state, workspace.subscription, workspace.region).get(family, 0)
        held = used - place.least * place.size.vcpus
        if not place.low_priority and place.cores <= limit < held + place.cores:
            return (
                f"Step {place.step.name} waits for {place.cores} cores of {family}: {held} of {limit} are held by "
                "deployments and other clusters."
            )
    return None
