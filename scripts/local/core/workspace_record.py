"""A registered workspace, as everything that belongs to one knows it."""

from __future__ import annotations

import dataclasses

PROVIDER = "/providers/Microsoft.MachineLearningServices"


@dataclasses.dataclass(frozen=True)
class Workspace:
    """A registered workspace. `scope` is its key in the store, `path` its ARM id."""

    subscription: str
    group: str
    name: str
    region: str
    account: str
    identifier: str

    @property
    def path(self) -> str:
        """The ARM id."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.group}{PROVIDER}/workspaces/{self.name}"

    @property
    def scope(self) -> str:
        """The key under which the store keeps this workspace's resources."""
        return f"{self.subscription}/{self.group}/{self.name}".lower()

    @property
    def container(self) -> str:
        """The blob container of the default datastore."""
        return f"azureml-blobstore-{self.identifier}"
