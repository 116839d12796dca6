"""Which workspace is meant when the command line does not say: az's defaults in the environment, then config.json."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from scripts.errors import FAILED, UserError

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
            found = _read(path)
            if any(key in found for key in _KEYS):
                return {key: str(found[key]) for key in _KEYS if found.get(key)}
    return {}


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as JSON: {error}; correct it, or give -g and -w", FAILED) from error
    return found if isinstance(found, dict) else {}


def profile_subscription() -> str | None:
    """The default subscription of an Azure CLI that is logged in on this machine, if there is one."""
    folder = Path(os.environ.get("AZURE_CONFIG_DIR") or Path.home() / ".azure")
    profile = folder / "azureProfile.json"
    if not profile.is_file():
        return None
    chosen = [found for found in _read(profile).get("subscriptions") or () if found.get("isDefault")]
    return chosen[0].get("id") if chosen else None
