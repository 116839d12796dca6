"""az ml model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scripts.az_ml import entities
from scripts.az_ml.session import Session
from scripts.errors import FAILED, UserError


def create(session: Session, arguments: Any) -> Any:
    """Registers a model from a YAML file, or from --name and --path alone."""
    client = session.client()
    if arguments.file:
        from azure.ai.ml import load_model

        flags = ("name", "version", "path", "type", "description", "tags", "stage", "datastore")
        model = load_model(source=arguments.file, params_override=entities.overrides(arguments, *flags))
    elif arguments.path and arguments.name:
        from azure.ai.ml.entities import Model

        model = Model(
            name=arguments.name,
            version=arguments.version,
            path=arguments.path,
            description=arguments.description,
            tags=arguments.tags,
            stage=arguments.stage,
            type=arguments.type,
            datastore=arguments.datastore,
        )
    else:
        raise UserError("Please provide either --file/-f  or --name/-n and --path/-p.", FAILED)
    return entities.printed(client.models.create_or_update(model))


def show(session: Session, arguments: Any) -> Any:
    """Prints one version of a model."""
    got = session.client().models.get(name=arguments.name, version=arguments.version, label=arguments.label)
    return entities.printed(got)


def list_(session: Session, arguments: Any) -> Any:
    """Prints the models, or the versions of one."""
    view = entities.view(arguments)
    found = session.client().models.list(name=arguments.name, stage=arguments.stage, list_view_type=view)
    return entities.first(found, arguments.max_results)


def download(session: Session, arguments: Any) -> None:
    """Downloads a model's files into a folder that has the model's name."""
    folder = arguments.download_path or Path.cwd()
    session.client().models.download(name=arguments.name, version=arguments.version, download_path=folder)


def archive(session: Session, arguments: Any) -> None:
    """Hides a model, or one version of it, from lists."""
    session.client().models.archive(name=arguments.name, version=arguments.version, label=arguments.label)
