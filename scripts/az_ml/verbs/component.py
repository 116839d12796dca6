"""az ml component."""

from __future__ import annotations

from typing import Any

from scripts.az_ml import entities
from scripts.az_ml.session import Session


def show(session: Session, arguments: Any) -> Any:
    """Prints one version of a component."""
    got = session.client().components.get(name=arguments.name, version=arguments.version, label=arguments.label)
    return entities.printed(got)


def list_(session: Session, arguments: Any) -> Any:
    """Prints the components, or the versions of one."""
    found = session.client().components.list(name=arguments.name, list_view_type=entities.view(arguments))
    return entities.first(found, arguments.max_results)
