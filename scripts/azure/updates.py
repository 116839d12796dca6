"""What Azure ML changes in what is there, what it fixes for good, and in which other words it says what it was sent.

Keys are those of the YAML, as `az ml … show` prints them. Each fact names its source.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Fields = dict[str, Any]  # dotted keys of the YAML and their values
# What is fixed when a resource is made: (kind, key or the key above it) -> who says so. All else is changed in place.
FIXED = {
    ("cluster", "size"): "taken and ignored: terraform-provider-azurerm#15825, azure-rest-api-specs#18889 (2022)",
    ("cluster", "tier"): "az ml compute update has no option for it (CLI 2.91); the answer to a PUT is unverified",
    ("endpoint", "auth_mode"): "a PUT answers 201 and changes nothing: recorded 2022-04 and -05",
    ("endpoint", "identity"): "'The identity for an endpoint is immutable' (Microsoft Learn, managed identities)",
    ("deployment", "instance_type"): "read and create only in the contract of 2025-12-01; AML-Kubernetes#247 (2022)",
}
# What of a deployment is changed while it serves, without another container: words about it, and how many there are.
IN_PLACE = ("instance_count", "tags", "description")
NO_TRAFFIC = "none"  # how no share of it is shown


def is_fixed(kind: str, key: str) -> bool:
    """Tells whether a key of a resource cannot be changed, so that another resource takes its place."""
    return any(kind == of and (key == fixed or key.startswith(f"{fixed}.")) for of, fixed in FIXED)


def is_in_place(key: str) -> bool:
    """Tells whether a deployment serves on unchanged while a key of it is changed."""
    return key.partition(".")[0] in IN_PLACE


def _no_case(value: Any) -> Any:
    return str(value).lower()


def _model(value: Any) -> Any:
    """`azureml:name:3` comes back as the ARM id of version 3: online-deployment-create-or-update-201-*."""
    found = re.fullmatch(r"(?:azureml:)?/subscriptions/.+/workspaces/[^/]+/models/([^/]+)/versions/([^/]+)", str(value))
    return f"{found[1]}:{found[2]}" if found else str(value).removeprefix("azureml:")


def _identities(value: Any) -> Any:
    """A list in which the service adds ids of its own, in no order that is promised; ARM ids have no case."""
    return sorted(str(each["resource_id"]).lower() for each in value or [])


def _shares(value: Any) -> Any:
    """The SDK names every deployment of an endpoint in its traffic, with 0 where it has none."""
    return " ".join(f"{name}={share}" for name, share in sorted((value or {}).items()) if int(share)) or NO_TRAFFIC


def _whole_seconds(value: Any) -> Any:
    """The SDK 1.35 sends milliseconds, and of what it reads back it keeps whole seconds (from_iso_duration_format)."""
    return int(value) // 1000 * 1000


# (a pattern of kind and key) -> what both sides are made to before they are compared.
_SAME: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    (r"cluster size", _no_case),  # STANDARD_DS2_V2: compute-create-or-update-201-*
    (r"deployment instance_type", _no_case),  # a size has no case in Azure Resource Manager
    (r"endpoint traffic", _shares),
    (r"deployment model", _model),
    (r"deployment request_settings\.\w+_ms", _whole_seconds),
    (r"[\w ]+ identity\.user_assigned_identities", _identities),
    (r"[\w ]+ (tags\..+|description)", str),  # text on the wire, whatever YAML made of it
)


def same_form(kind: str, key: str, value: Any) -> Any:
    """Returns a value in the form in which what was sent equals what the service shows of it."""
    if value is None and key != "traffic":
        return None
    return next((form(value) for pattern, form in _SAME if re.fullmatch(pattern, f"{kind} {key}")), value)


def fields(
    kind: str, document: Mapping[str, Any], wanted: Mapping[str, Any], live: Mapping[str, Any] | None,
    but: Sequence[str] = (),
) -> tuple[Fields, Fields | None]:  # fmt: skip
    """Returns what the YAML's document says, on both sides; `wanted` and `live` are the SDK's reading of either.

    What only the service says, or the SDK, is not compared. `but` are keys that say which one is meant, or where its
    content was before it was sent.
    """
    keys = [key for key in said(document) if key.partition(".")[0] not in ("$schema", "type", *but)]
    sides = [
        None if side is None else {key: same_form(kind, key, at(side, key)) for key in keys} for side in (wanted, live)
    ]
    return sides[0] or {}, sides[1]


def said(document: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Yields the dotted keys of what a document says."""
    for key, value in document.items():
        if isinstance(value, dict):
            yield from said(value, f"{above}{key}.")
        else:
            yield f"{above}{key}"


def at(found: Any, key: str) -> Any:
    """Returns the value of a dotted key; a tag may have dots in its own name."""
    if not isinstance(found, Mapping):
        return None
    if key in found:
        return found[key]
    for name, value in found.items():
        if key.startswith(f"{name}."):
            return at(value, key[len(name) + 1 :])
    return None
