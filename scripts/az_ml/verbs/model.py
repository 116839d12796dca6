"""az ml model."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from scripts.az_ml import entities, session
from scripts.errors import FAILED, UserError


def create(arguments: Namespace) -> Any:
    """Registers a model from a YAML file, or from --name and --path alone."""
    if not arguments.file and not (arguments.path and arguments.name):
        raise UserError("Please provide either --file/-f  or --name/-n and --path/-p.", FAILED)
    client = session.client(arguments)
    changes = session.overrides(arguments, "name", "version", "path", "type", "description", "tags")
    return entities.printed(client.models.create_or_update(session.load(arguments, changes)))


def show(arguments: Namespace) -> Any:
    """Prints one version of a model."""
    models = session.client(arguments).models
    return entities.printed(models.get(name=arguments.name, version=arguments.version, label=arguments.label))


def list_(arguments: Namespace) -> Any:
    """Prints the models, or the versions of one."""
    return entities.first(session.client(arguments).models.list(name=arguments.name), arguments.max_results)
