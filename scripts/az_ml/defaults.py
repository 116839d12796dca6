"""Which workspace is meant when the command line does not say: az's defaults in the environment, then config.json."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from scripts.errors import FAILED, UserError
from scripts.files import read_json

T = TypeVar("T")

# Where Azure ML's own `MLClient.from_config` looks, in the current folder and then in each one above it.
_PLACES = ("config.json", ".azureml/config.json", "aml_config/config.json")
_KEYS = ("subscription_id", "resource_group", "workspace_name")


def find(wanted: list[str]) -> dict[str, str | None]:
    """What is known without the command line, None for what is not.

    config.json is looked for only when something is `wanted` that the environment does not say.
    """
    group, name = os.environ.get("AZURE_DEFAULTS_GROUP"), os.environ.get("AZURE_DEFAULTS_WORKSPACE")
    subscription = os.environ.get("AZURE_SUBSCRIPTION_ID")
    file = {}
    if ("resource_group" in wanted and not group) or ({"workspace_name", "name"} & set(wanted) and not name):
        file = config_file(Path.cwd())
    workspace = name or file.get("workspace_name")
    return {
        "subscription": subscription or file.get("subscription_id") or profile_subscription(),
        "resource_group": group or file.get("resource_group"),
        "workspace_name": workspace,
        "name": workspace,  # as `workspace show` calls it
    }


def config_file(folder: Path) -> dict[str, str]:
    """The nearest config.json that names a workspace, from `folder` upward; {} when there is none."""
    for above in (folder, *folder.parents):
        for place in _PLACES:
            path = above / place
            if not path.is_file():
                continue
            found = _read(path, "correct it, or give -g and -w", dict[str, Any]) or {}
            if any(key in found for key in _KEYS):
                return {key: str(found[key]) for key in _KEYS if found.get(key)}
    return {}


@dataclass(frozen=True)
class _Subscription:
    id: str | None = None
    isDefault: bool | None = None


@dataclass(frozen=True)
class _Profile:
    subscriptions: list[_Subscription] | None = None


def profile_subscription() -> str | None:
    """The default subscription of an Azure CLI that is logged in on this machine, if there is one."""
    folder = Path(os.environ.get("AZURE_CONFIG_DIR") or Path.home() / ".azure")
    profile = folder / "azureProfile.json"
    found = _read(profile, "az login writes it anew", _Profile)
    return next((each.id for each in (found and found.subscriptions) or () if each.isDefault), None)


def _read(path: Path, todo: str, kind: type[T]) -> T | None:
    try:
        return read_json(path, todo, kind, foreign=True)
    except UserError as error:
        raise UserError(str(error), FAILED) from None  # as az ends
