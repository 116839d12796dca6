"""az ml job."""

from __future__ import annotations

import sys
from argparse import Namespace
from itertools import islice
from pathlib import Path
from typing import Any

from scripts.az_ml import entities, session


def create(arguments: Namespace) -> Any:
    """Submits a job."""
    client = session.client(arguments)
    job = session.load(arguments, session.overrides(arguments, "name"))
    return entities.printed_job(client.jobs.create_or_update(entities.without_system_tags(job)))


def show(arguments: Namespace) -> Any:
    """Prints a job."""
    return entities.printed_job(session.client(arguments).jobs.get(arguments.name))


def stream(arguments: Namespace) -> None:
    """Follows the log until the job ends. A failed job is exit 1; a cancelled one is exit 0, as in the official CLI."""
    session.client(arguments).jobs.stream(name=arguments.name)


def cancel(arguments: Namespace) -> None:
    """Cancels a job and waits until the service has taken it."""
    session.wait(session.client(arguments).jobs.begin_cancel(arguments.name), arguments)


def list_(arguments: Namespace) -> Any:
    """Prints jobs in the service's order, 50 of them unless more are asked for."""
    client = session.client(arguments)
    most = None if arguments.all_results else arguments.max_results
    if most is not None:
        print(f"Displaying top {most} results from the list command.", file=sys.stderr)
    limit = {"max_results": most} if most else {}
    found = client.jobs.list(parent_job_name=arguments.parent_job_name, **limit)
    return [entities.printed_job(job) for job in islice(found, most or None)]


def download(arguments: Namespace) -> None:
    """Downloads artifacts, one named output, or with --all everything, of a job that has ended."""
    session.client(arguments).jobs.download(
        name=arguments.name,
        download_path=arguments.download_path or Path.cwd(),
        output_name=arguments.output_name,
        all=arguments.all,
    )
