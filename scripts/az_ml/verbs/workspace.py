"""az ml workspace."""

from __future__ import annotations

from typing import Any

from scripts.az_ml import entities
from scripts.az_ml.session import Session


def show(session: Session, arguments: Any) -> Any:
    """Prints the workspace."""
    return entities.printed(session.client().workspaces.get(arguments.name))
