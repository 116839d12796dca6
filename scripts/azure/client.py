"""The workspace of an environment, as the SDK's MLClient: for the commands that ask Azure ML rather than change it."""

from __future__ import annotations

import logging
from typing import Any

from scripts.errors import MISSING, UNREACHABLE, UserError
from scripts.values.read import Values

ARM = "https://management.azure.com/.default"  # the audience of everything that Azure ML's own APIs take


def _sdk() -> Any:
    """Imports the SDK and returns MLClient; its notices (retries, experimental classes, azcopy) are left out."""
    from scripts.az_ml.session import azure_ai_ml

    azure_ai_ml()
    from azure.ai.ml import MLClient

    for name in ("azure", "azure.ai.ml"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return MLClient


def connect(values: Values) -> Any:
    """Returns an MLClient for the workspace that the values name; nothing is sent before the first call on it."""
    from scripts.azure.login import Login

    azure = values.data["azure"]
    return _sdk()(Login(), azure["subscription_id"], azure["resource_group"], azure["workspace"])


def registry(values: Values) -> Any:
    """Returns an MLClient for the registry that the base model comes from."""
    from scripts.azure.login import Login

    return _sdk()(Login(), values.data["azure"]["subscription_id"], registry_name=values.data["model"]["registry"])


def found(what: str, advice: str, get: Any, *names: Any, **options: Any) -> Any:
    """Returns `get(*names, **options)`; a `UserError` says that `what` is not there, or that Azure cannot be asked."""
    from azure.core.exceptions import AzureError, ResourceNotFoundError

    try:
        return get(*names, **options)
    except ResourceNotFoundError:
        raise UserError(f"there is no {what}; {advice}", MISSING) from None
    except AzureError as error:
        raise UserError(f"{what} cannot be asked for: {one_line(error)}", UNREACHABLE) from None


def one_line(error: object) -> str:
    """Returns an error's first words on one line; Azure's are pages long."""
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else f"{text[:300]}…"
