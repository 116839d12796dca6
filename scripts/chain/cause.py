"""Why a deployment did not come up, as far as its error and its log tell: a sentence, and the command that shows more.

What the service and containers were seen to say; the sources are in tests/azure/service/behaviours.yaml.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

LOG = "az ml online-deployment get-logs -e {on} -n {name}"
QUOTA = "az ml compute list-usage"
PULL = r"does not have pull permission on the registry"  # a role that was given a moment ago is not known yet
READ = r"does not have permissions for \S*environments/read"  # the same, of the first image build


@dataclass(frozen=True)
class Cause:
    """A kind of cause, by what is said of it."""

    kind: str  # image, quota, script, probe, identity or capacity
    pattern: str
    means: str
    shows: str = LOG
    source: str = ""


# The first that fits: what says why stands before what says that nobody answered.
CAUSES = (
    Cause("quota", r"OutOfQuota|Not enough (subscription CPU )?quota",
          "the subscription has too few cores of this size", QUOTA, "users' logs, 2022 to 2026-09"),
    Cause("identity", rf"{PULL}|{READ}|UserAssignedIdentityNotFound|"
          r"AuthorizationFailed|AuthorizationPermissionMismatch",
          "the endpoint's identity lacks a role, or has it only since a moment ago",
          "az ml online-endpoint show -n {on} --query identity", "users' logs, 2025 to 2026-09"),
    Cause("image", r"Environment Image to become available|ImageBuildFailure|ErrImagePull|ImagePullBackOff|"
          r"Failed to pull (Docker )?image",
          "the image of its environment was not built or not pulled", source="users' logs, 2024 to 2026-09"),
    Cause("script", r"ModuleNotFoundError|ImportError|Traceback \(most recent call last\)|SyntaxError|"
          r"unexpected error occurred in scoring script|exit code [1-9]|azureml-ai-monitoring|brings MLflow",
          "its container ended by itself while the scoring script or its packages were loaded",
          source="Azure/azureml-examples#3873, #4008 (2026-04, -06)"),
    Cause("probe", r"[Pp]robe failed|ResourceNotReady|did not answer",
          "its container did not answer the probes in time: it needs longer, or hangs",
          source="Azure/azureml-examples#3983 (2026-06), #3444 (2024-11)"),
    Cause("capacity", r"OutOfCapacity|no capacity|InternalServerError|percentComplete",
          "the region may have no such machine free: quota is a permission, not a machine",
          "az ml online-deployment show -e {on} -n {name}", "users' notes of 2026-08: Creating for an hour, then this"),
)  # fmt: skip


def of(text: str) -> Cause | None:
    """Returns the likely cause of a failure by what Azure and the container said, None for words that nobody knows."""
    return next((cause for cause in CAUSES if re.search(cause.pattern, text)), None)


def sentence(text: str, on: str, name: str) -> str:
    """Returns the likely cause in words, with the command that shows more."""
    found = of(text)
    if found is None:
        return f"why, Azure says above ({LOG.format(on=on, name=name)} shows its log)"
    return f"likely {found.kind} ({found.means}); {found.shows.format(on=on, name=name)} shows more"
