"""What a workspace, its registry and its subscription would answer, as plain data; the subscription's over HTTP."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from scripts.azure import component, machine_sizes
from scripts.azure.chat_models import Model
from scripts.azure.component import Component
from scripts.azure.live_workspace import Datastore, Workspace
from scripts.azure.machine_sizes import Size
from scripts.azure.subscription import Subscription
from scripts.errors import MayNotAskError
from scripts.preflight import checklist, context
from scripts.preflight.finding import Finding
from tests.azure import fake_arm
from tests.preflight.conftest import made

FAMILY = "Standard NCADSA100v4 Family Cluster Dedicated vCPUs"
CONDA = "dependencies: [python=3.10, pip, {pip: [mlflow==2.9.2, azureml-ai-monitoring==1.0.0, torch]}]"
OPEN = Workspace("eastus", fake_arm.ACCOUNT, container_registry=f"{fake_arm.ROOT}/resourceGroups/g/acr")
BY_KEY = (Datastore("workspaceblobstore", "stfake", "account_key"), Datastore("other", "elsewhere", "none"))


@dataclass
class Answers:
    """What a workspace and its registry would answer."""

    region: str = "eastus"
    sizes: dict[str, Size] = field(default_factory=machine_sizes.catalog)
    quota: dict[str, tuple[int, int]] = field(
        default_factory=lambda: {FAMILY: (0, 100), "TotalDedicatedCores": (0, 100)}
    )
    there: dict[str, Any] | None = None
    deployed: dict[str, Any] | None = None
    beside: dict[str, Any] | None = None  # in the other slot
    models: dict[str | None, Model] = field(default_factory=dict)
    newest: Component | None = field(default_factory=component.catalog)
    usages: list[dict[str, Any]] | None = None  # in full, where `quota` says too little
    workspace: Workspace = OPEN
    datastores: tuple[Datastore, ...] = BY_KEY
    arm: dict[str, fake_arm.Answer] = field(default_factory=dict)  # what of the subscription is not well
    tenant: str = fake_arm.TENANT  # of the login
    conda: str | None = CONDA

    @property
    def usage(self) -> list[dict[str, Any]]:
        if self.usages is not None:
            return self.usages
        return [{"name": name, "kind": "", "used": used, "limit": limit} for name, (used, limit) in self.quota.items()]

    @property
    def subscription(self) -> Subscription:
        arm, _ = fake_arm.arm({**fake_arm.all_is_well(), **self.arm}, self.tenant)
        return Subscription(fake_arm.SUBSCRIPTION, arm)

    def model_file(self, name: str, version: str, file: str) -> str | None:
        assert file == "conda.yaml"
        if self.conda == "refused":
            raise MayNotAskError("no address", f"{file} of model {name}", "its artifacts")
        return self.conda

    def cluster(self, name: str) -> dict[str, Any] | None:
        return self.there

    def deployment(self, endpoint: str, name: str) -> dict[str, Any] | None:
        return self.beside if name.endswith("-2") else self.deployed

    def model(self, name: str, version: str | None = None) -> Model | None:
        return self.models.get(version)

    def component(self, name: str, version: str | None = None) -> Component | None:
        return self.newest


def asked(env: str, *sets: str, **answers: Any) -> context.Context:
    return dataclasses.replace(made(env, *sets), live=Answers(**answers))  # type: ignore[arg-type]


def finding(check: str, env: str, *sets: str, **answers: Any) -> Finding:
    return checklist.named(check).work(asked(env, *sets, **answers))


def has(found: Finding, status: str, *words: str) -> None:
    assert found.status == status, found
    for word in words:
        assert word in f"{found.sentence} -> {found.todo}"
