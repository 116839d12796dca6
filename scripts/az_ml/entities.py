"""From the SDK's entities to the dicts that az prints."""

from __future__ import annotations

import re
import sys
from enum import Enum
from typing import Any

from scripts.errors import FAILED, UserError

_ENUM = re.compile(r"([A-Z]\w+)\.([A-Z][A-Z0-9_]*)")
# Free text, and the two in which az itself prints the name of the enumeration.
_AS_IT_IS = frozenset(
    ("description", "environment_variables", "inputs", "properties", "tags", "created_by_type", "last_modified_by_type")
)


def printed(entity: Any) -> Any:
    """Returns an entity as az prints it; None stays None."""
    if entity is None or isinstance(entity, (dict, list, str)):
        return entity
    if type(entity).__name__ == "ComponentContainerData":
        return entity.as_dict()
    try:
        return _with_values(entity._to_dict())
    except Exception as error:  # the service accepted what the SDK cannot read back: az warns and exits 0
        print(f"WARNING: Failed to deserialize response: {error}", file=sys.stderr)
        return None


def _with_values(found: Any) -> Any:
    """Replaces `JobStatus.COMPLETED` by `Completed`: which of the two the SDK dumps depends on azure-core's version."""
    if isinstance(found, dict):
        return {key: value if key in _AS_IT_IS else _with_values(value) for key, value in found.items()}
    if isinstance(found, list):
        return [_with_values(each) for each in found]
    named = _ENUM.fullmatch(found) if isinstance(found, str) else None
    if not named:
        return found.value if isinstance(found, Enum) else found
    from azure.ai.ml._restclient.arm_ml_service import models

    members = getattr(getattr(models, named[1], None), "__members__", {})
    return members[named[2]].value if named[2] in members else found


def printed_job(job: Any) -> Any:
    """A job as az prints it: without the system's own tags, a step of a pipeline as the job that it is."""
    job = without_system_tags(job)
    if type(job).__module__.startswith("azure.ai.ml.entities._builders"):
        job = job._to_job()
    return printed(job)


def without_system_tags(job: Any) -> Any:
    """Takes the tags away that Azure ML itself puts on jobs."""
    job.tags = {key: job.tags[key] for key in job.tags if "_aml_system_" not in key and "platform_config" not in key}
    return job


def view(arguments: Any) -> Any:
    """Which assets a list shows, from --include-archived and --archived-only."""
    from azure.ai.ml.constants import ListViewType

    if arguments.include_archived and arguments.archived_only:
        raise UserError("Cannot provide both archived-only and include-archived.", FAILED)
    if arguments.include_archived:
        return ListViewType.ALL
    return ListViewType.ARCHIVED_ONLY if arguments.archived_only else ListViewType.ACTIVE_ONLY


def first(results: Any, most: int | None) -> list[Any]:
    """The first `most` entities, printed; all of them when `most` is None or 0."""
    from itertools import islice

    return [printed(each) for each in (islice(results, most) if most else results)]


def overrides(arguments: Any, *flags: str, **other: str) -> list[dict[str, Any]]:
    """What takes precedence over the YAML file: --set first, then the named flags, which therefore win.

    `flags` are arguments that are YAML keys themselves, `other` maps an argument to the path of its key. An argument
    counts as given when it is not empty; "0" is a string and so is given.
    """
    chosen = list(getattr(arguments, "set", None) or [])
    for name, path in {**{flag: flag for flag in flags}, **other}.items():
        if value := getattr(arguments, name):
            chosen.append({path: value})
    return chosen


def wait(poller: Any, no_wait: bool = False) -> Any:
    """The result of a long-running operation, or None when it is not waited for. Local Docker answers at once."""
    if not hasattr(poller, "result"):
        return poller
    return None if no_wait else poller.result()


def exclusive(arguments: Any) -> None:
    """Refuses --local together with --no-wait, as the extension does."""
    if arguments.local and arguments.no_wait:
        raise UserError(
            '"no_wait" and "local" options are mutually exclusive. Set only one option and try again.', FAILED
        )


def confirm(arguments: Any) -> None:
    """Asks before a deletion; without --yes and without a terminal it is refused, with az's own words and code."""
    if arguments.yes:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        print("WARNING: Unable to prompt for confirmation as no tty available. Use --yes.", file=sys.stderr)
        raise UserError("Operation cancelled.", FAILED)
    print("Are you sure you want to perform this operation? (y/n): ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UserError("Operation cancelled.", FAILED)
