"""Faults on purpose: what fails in the cloud, made to fail here, to see how a pipeline and its commands take it.

`python -m scripts.local fault NAME` sets one (`--times 1`: only once), `--clear` removes it. They are kept in
`faults.yaml` in the home, so that a test or a person can also write them by hand.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from scripts.errors import UserError, suggest
from scripts.files import write_private
from scripts.local.core.state import State
from scripts.local.core.web import AzureError


@dataclasses.dataclass(frozen=True)
class Fault:
    """A failure with Azure's own code and words. `at` is the place in the emulator that asks for it."""

    at: str
    status: int
    code: str
    message: str
    help: str


GUIDE = "Please see troubleshooting guide, available here: https://aka.ms/oe-tsg"
FAULTS: dict[str, Fault] = {
    "quota-exceeded": Fault(
        "deployment",
        400,
        "OutOfQuota",
        "Not enough quota available for {size} in SubscriptionId {subscription}. Current usage/limit: 0/0. "
        f"Additional needed: {{cores}} {GUIDE}#error-outofquota",
        "a deployment is refused because the subscription has no cores left of its size",
    ),
    "size-not-available": Fault(
        "compute",
        400,
        "BadRequest",
        "Requested VM size {size} is not available in region {region} for subscription {subscription}.",
        "a cluster is refused because its size is not offered in the region",
    ),
    "compute-provisioning-failed": Fault(
        "compute.work",
        500,
        "ClusterCreationFailed",
        "The cluster {name} could not be provisioned: an internal error occurred while its resources were allocated.",
        "the creation of a cluster starts and then fails",
    ),
    "dedicated-capacity-missing": Fault(
        "compute.dedicated",
        409,
        "AllocationFailed",
        "Allocation failed. We do not have sufficient capacity for the requested VM size {size} in this region. "
        "Read more about improving likelihood of allocation success at https://aka.ms/allocation-guidance",
        "the creation of a dedicated cluster starts and fails for want of machines; low priority succeeds",
    ),
    "image-pull-failed": Fault(
        "deployment.work",
        400,
        "ImageBuildFailure",
        "Failed to pull the image of deployment {name} from the workspace's registry. "
        f"{GUIDE}#error-imagebuildfailure",
        "a deployment starts and fails while its image is pulled",
    ),
    "probe-failed": Fault(
        "deployment.work",
        400,
        "ResourceNotReady",
        "User container has crashed or terminated: Liveness probe failed: HTTP probe failed with statuscode: 502. "
        f"{GUIDE}#error-resourcenotready",
        "a deployment starts and its liveness probe fails",
    ),
    "too-many-requests": Fault(
        "scoring",
        429,
        "TooManyRequests",
        "Too many requests: the deployment's instances are busy and its queue is full.",
        "scoring requests are answered with 429",
    ),
    "job-out-of-memory": Fault(
        "job",
        400,
        "UserError",
        "CUDA out of memory. Tried to allocate 2.00 GiB: reduce per_device_train_batch_size or max_seq_length, "
        "or take a larger size.",
        "a job fails as it does when the GPU's memory is too small",
    ),
    "job-canceled": Fault("job.cancel", 200, "Canceled", "", "a job is cancelled while it runs, as a preemption does"),
    "expired-token": Fault(
        "token",
        401,
        "ExpiredAuthenticationToken",
        "The access token expiry UTC time is earlier than the current UTC time.",
        "requests to the management plane are answered as if the token had expired",
    ),
    "slow-operation": Fault("operation", 200, "", "", "every long-running operation takes 10 s longer"),
    "shared-key-forbidden": Fault(
        "blob.key",
        403,
        "KeyBasedAuthenticationNotPermitted",
        "Key based authentication is not permitted on this storage account.",
        "uploads, downloads and logs are refused, as by a storage account without shared keys whose datastores use one",
    ),
    "provider-not-registered": Fault(
        "provider",
        409,
        "SubscriptionNotRegistered",
        "Resource provider [N/A] isn't registered with Subscription [N/A]. Please see troubleshooting guide, available "
        "here: https://aka.ms/register-resource-provider",
        "Microsoft.Cdn and Microsoft.PolicyInsights are not registered with the subscription: no endpoint can be made",
    ),
}
SLOW_SECONDS = 10.0


def read(path: Path) -> dict[str, dict[str, Any]]:
    """Returns the faults that are set: name -> {"times": how often it still happens, or None for ever}."""
    if not path.exists():
        return {}
    import yaml

    data = yaml.safe_load(path.read_text()) or {}
    if not isinstance(data, dict):
        raise UserError(f"{path}: must be a mapping of fault names, such as 'probe-failed: {{times: 1}}'.")
    for name in data:
        check(name)
    return {name: dict(value or {}) for name, value in data.items()}


def check(name: str) -> None:
    """Raises UserError for a fault that does not exist."""
    if name not in FAULTS:
        raise UserError(f"There is no fault {name!r}{suggest(name, FAULTS)}; there are {', '.join(FAULTS)}.")


def write(path: Path, faults: dict[str, dict[str, Any]]) -> None:
    """Stores the faults that are set; without any the file goes."""
    import yaml

    if faults:
        write_private(path, yaml.safe_dump(faults))
    else:
        path.unlink(missing_ok=True)


def happening(state: State, at: str) -> Fault | None:
    """Returns the fault that is set for a place, counting it down, or None (almost always: one look for a file)."""
    faults = read(state.home.faults)
    for name, content in faults.items():
        if FAULTS[name].at == at:
            if content.get("times"):
                content["times"] -= 1
                if not content["times"]:
                    del faults[name]
                write(state.home.faults, faults)
            return FAULTS[name]
    return None


def is_set(state: State, name: str) -> bool:
    """Tells whether a fault is set, for answers that only foretell it (quota, sizes); it does not count down."""
    return name in read(state.home.faults)


def inject(state: State, at: str, **words: Any) -> None:
    """Raises the AzureError of the fault that is set for a place, if there is one; `words` fill its message."""
    fault = happening(state, at)
    if fault is not None:
        raise AzureError(fault.status, fault.code, fault.message.format(**words))


def delay(state: State) -> float:
    """Returns the seconds that a long-running operation is held up on purpose."""
    return SLOW_SECONDS if happening(state, "operation") else 0.0
