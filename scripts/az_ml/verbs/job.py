"""az ml job."""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path
from typing import Any

from scripts.az_ml import entities, generic_update, studio
from scripts.az_ml.session import Session


def create(session: Session, arguments: Any) -> Any:
    """Submits a job. With --stream the log comes first and then the job as it was before; a failed job is exit 1."""
    from azure.ai.ml import load_job

    client = session.client()
    job = load_job(source=arguments.file, params_override=entities.overrides(arguments, "name"))
    job = entities.without_system_tags(job)
    job = client.jobs.create_or_update(job, skip_validation=arguments.skip_validation)
    if arguments.save_as:
        job.dump(arguments.save_as)
    if arguments.web:
        studio.open_job(job)
    if arguments.stream:
        client.jobs.stream(name=job.name)
    return entities.printed_job(job)


def validate(session: Session, arguments: Any) -> Any:
    """Checks a pipeline job; what is wrong is printed, and exit 0 all the same."""
    from azure.ai.ml.entities._validate_funcs import validate_job

    result = validate_job(
        path=arguments.file, ml_client=session.client(), params_override=entities.overrides(arguments)
    )
    return entities.printed(result)


def show(session: Session, arguments: Any) -> Any:
    """Prints a job."""
    job = session.client().jobs.get(arguments.name)
    if arguments.web:
        studio.open_job(job)
    return entities.printed_job(job)


def update(session: Session, arguments: Any) -> Any:
    """Changes display name, description or tags of a job that exists."""
    from azure.ai.ml.entities import Job
    from marshmallow.utils import EXCLUDE

    client = session.client()
    held = entities.printed_job(client.jobs.get(arguments.name))
    held = generic_update.apply(held, arguments.changes, arguments.force_string)
    job = client.jobs.create_or_update(Job._load(data=held, unknown=EXCLUDE))
    if arguments.web:
        studio.open_job(job)
    return entities.printed_job(job)


def stream(session: Session, arguments: Any) -> None:
    """Follows the log until the job ends. A failed job is exit 1; a cancelled one is exit 0, as in the official CLI."""
    session.client().jobs.stream(name=arguments.name)


def cancel(session: Session, arguments: Any) -> None:
    """Cancels a job and waits until the service has taken it."""
    entities.wait(session.client().jobs.begin_cancel(arguments.name))


def list_(session: Session, arguments: Any) -> Any:
    """Prints jobs in the service's order, 50 of them unless more are asked for."""
    client = session.client()
    most = None if arguments.all_results else arguments.max_results
    if most is not None:
        print(f"Displaying top {most} results from the list command.", file=sys.stderr)
    limit = {"max_results": most} if most else {}
    view = entities.view(arguments)
    found = client.jobs.list(parent_job_name=arguments.parent_job_name, list_view_type=view, **limit)
    return [entities.printed_job(job) for job in islice(found, most or None)]


def download(session: Session, arguments: Any) -> None:
    """Downloads artifacts, one named output, or with --all everything, of a job that has ended."""
    session.client().jobs.download(
        name=arguments.name,
        download_path=arguments.download_path or Path.cwd(),
        output_name=arguments.output_name,
        all=arguments.all,
    )


def show_services(session: Session, arguments: Any) -> Any:
    """Prints the services of a job on one node."""
    services = session.client().jobs.show_services(arguments.name, arguments.node_index) or {}
    return {name: dict(vars(service)) for name, service in services.items()}
