"""Endpoint and deployment: which one answers, and which model it serves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scripts import state
from scripts.azure import answers, updates
from scripts.chain import endpoint, model, tags
from scripts.chain.run import Run
from scripts.provenance import tagged
from scripts.provenance.line import MISSING, Line
from scripts.provenance.tree import Trees
from scripts.targets import command


class Serving:
    """What answers: the endpoint and the deployment that counts, each None where there is none."""

    def __init__(self, run: Run, client: Any, version: str) -> None:
        name = endpoint.name_of(run)
        self.endpoint = answers.ask(f"endpoint {name}", client.online_endpoints.get, name)
        what = f"the deployments of endpoint {name}"
        listed = answers.ask(what, lambda: list(client.online_deployments.list(name))) if self.endpoint else []
        self.deployments = sorted(listed or [], key=lambda each: (-self.share(each), each.name))
        own = [each for each in self.deployments if not version or served(each)[1] == version]
        self.deployment = own[0] if own else None

    def share(self, deployment: Any) -> int:
        """Returns how much of the traffic a deployment has, in per cent."""
        traffic = getattr(self.endpoint, "traffic", None) or {}
        return int(traffic.get(deployment.name) or 0)

    def model(self, run: Run, version: str) -> tuple[str, str]:
        """Returns name and version of the model that is meant; a UserError where nothing says which."""
        if self.deployment is not None:
            return served(self.deployment)
        name, _, promoted = model.named(run).partition(":")
        return name or run.name(*model.FILE), version or promoted or state.model_version(run.folder, run.environment)[0]

    def look(self, line: Line, trees: Trees, tags_of_model: Mapping[str, str]) -> None:
        """Adds the links of endpoint and deployment."""
        if self.endpoint is None:
            return
        line.endpoint, on = str(self.endpoint.name), f"endpoint {self.endpoint.name}"
        told = {each.name: dict(each.tags or {}) for each in self.deployments}
        if self.deployment is None:
            if not self.deployments:
                line.add(on, MISSING, f"there is no deployment on it; {command('deploy', line.environment)} makes one")
            return
        mine = self.deployment.name
        line.deployment = str(mine)
        found = dict(self.endpoint.tags or {})
        # Its job and data are those of a deployment that it has: which of them, the traffic decides, not a tag.
        on_it = [each for each in told.values() if each.get(state.JOB_TAG) == found.get(state.JOB_TAG)]
        beside = {"environment": line.environment}
        beside |= tags.passed_on((on_it or [told[mine]])[0] if state.JOB_TAG in found else {})
        tagged.look(line, trees, on, found, beside, f"{self.share(self.deployment)} % of the traffic to {mine}")
        beside = {"environment": line.environment, **tags.passed_on(tags_of_model)}
        said = f"serves {':'.join(served(self.deployment))}"
        tagged.look(line, trees, f"deployment {mine}", told[mine], beside, said)


def served(deployment: Any) -> tuple[str, str]:
    """Returns name and version of the model that a deployment serves, as far as it names one."""
    name, _, version = str(updates.same_form("deployment", "model", deployment.model or "no model")).rpartition(":")
    return (name, version) if name else (version, "")
