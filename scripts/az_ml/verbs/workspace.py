"""az ml workspace."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from scripts.az_ml import entities, session


def show(arguments: Namespace) -> Any:
    """Prints the workspace."""
    return entities.printed(session.client(arguments).workspaces.get(arguments.name))


def list_(arguments: Namespace) -> Any:
    """Prints the workspaces of the resource group, or of the subscription."""
    scope = "resource_group" if arguments.resource_group else "subscription"
    return entities.first(session.client(arguments).workspaces.list(scope=scope))
