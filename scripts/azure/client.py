"""The SDK's client: made here and nowhere else, for the verbs that ask Azure ML and for the `az ml` verbs."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Mapping
from typing import Any, Protocol

from scripts.uncollected import uncollected

ARM = "https://management.azure.com/.default"  # the audience of everything that Azure ML's own APIs take


class Values(Protocol):
    """An environment's values, in so far as they name a workspace and a registry."""

    @property
    def data(self) -> Mapping[str, Any]:
        """The values as nested dicts."""


def import_sdk() -> Any:
    """Imports azure.ai.ml and returns it."""
    with uncollected():
        sdk = importlib.import_module("azure.ai.ml")
    from scripts.azure import sdk_private

    sdk_private.silence_experimental()
    logger = logging.getLogger("azure.ai.ml")  # it shows its log by a handler of its own; here it goes as all others
    logger.handlers.clear()
    logger.propagate = True
    return sdk


def make(subscription: str | None, **options: Any) -> Any:
    """Returns an MLClient with this project's login; `options` are MLClient's own and name a workspace or a registry.

    For a workspace nothing is sent before the first call on it. A registry is asked for at once.
    """
    from scripts.azure.login import Login

    return import_sdk().MLClient(Login(), subscription, **options)


def connect(values: Values) -> Any:
    """Returns an MLClient for the workspace that the values name."""
    silence()
    azure = values.data["azure"]
    return make(
        azure["subscription_id"], resource_group_name=azure["resource_group"], workspace_name=azure["workspace"]
    )


def registry(values: Values) -> Any:
    """Returns an MLClient for the registry that the base model comes from."""
    silence()
    return make(values.data["azure"]["subscription_id"], registry_name=values.data["model"].get("registry", "azureml"))


def silence() -> None:
    """Leaves the SDK's notices out (retries, azcopy, ways to log in): what matters of them is in the error."""
    import_sdk()  # which sets a level of its own
    logging.getLogger("azure").setLevel(logging.ERROR)
    logging.getLogger("azure.ai.ml").setLevel(logging.ERROR)
    logging.getLogger("azure.identity").setLevel(logging.CRITICAL)
