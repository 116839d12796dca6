"""az ml data."""

from __future__ import annotations

from typing import Any

from scripts.az_ml import entities
from scripts.az_ml.session import Session


def create(session: Session, arguments: Any) -> Any:
    """Registers a data asset from a YAML file, from flags, or from both; local files are uploaded first."""
    from azure.ai.ml import load_data

    client = session.client()
    changes = entities.overrides(arguments, "name", "description", "version", "type", "path", "datastore")
    asset = load_data(source=arguments.file, params_override=changes)
    asset._skip_validation = arguments.skip_validation
    return entities.printed(client.data.create_or_update(asset))


def show(session: Session, arguments: Any) -> Any:
    """Prints one version of a data asset."""
    got = session.client().data.get(name=arguments.name, version=arguments.version, label=arguments.label)
    return entities.printed(got)


def list_(session: Session, arguments: Any) -> Any:
    """Prints the data assets, or the versions of one."""
    found = session.client().data.list(name=arguments.name, list_view_type=entities.view(arguments))
    return entities.first(found, arguments.max_results)
