"""az ml data."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from scripts.az_ml import entities, session


def create(arguments: Namespace) -> Any:
    """Registers a data asset from a YAML file, from flags, or from both; local files are uploaded first."""
    client = session.client(arguments)
    changes = session.overrides(arguments, "name", "description", "version", "type", "path")
    return entities.printed(client.data.create_or_update(session.load(arguments, changes)))


def show(arguments: Namespace) -> Any:
    """Prints one version of a data asset."""
    assets = session.client(arguments).data
    return entities.printed(assets.get(name=arguments.name, version=arguments.version, label=arguments.label))


def list_(arguments: Namespace) -> Any:
    """Prints the data assets, or the versions of one."""
    return entities.first(session.client(arguments).data.list(name=arguments.name), arguments.max_results)
