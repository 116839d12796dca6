"""What a verb needs of the session: the client, the overrides, the wait, the question; and what the SDK's log shows."""

from __future__ import annotations

import argparse
import logging
import sys
from typing import Any

from scripts.azure import client as azure_client
from scripts.azure import sdk_private
from scripts.errors import FAILED, UserError
from scripts.targets import brief


def client(arguments: argparse.Namespace) -> Any:
    """The MLClient for the workspace, or for the registry where --registry-name names one (it wins over -w)."""
    registry = getattr(arguments, "registry_name", None)
    if not arguments.subscription and not registry:
        raise UserError(
            "which subscription is meant is not known: give --subscription, or set AZURE_SUBSCRIPTION_ID", FAILED
        )
    where = {"registry_name": registry}
    if not registry:  # `workspace show` names the workspace with -n
        name = arguments.workspace_name if hasattr(arguments, "workspace_name") else getattr(arguments, "name", None)
        where = {"workspace_name": name, "resource_group_name": arguments.resource_group}
    bars = sys.stderr.isatty() and not brief()  # elsewhere progress bars and the colours around them are only noise
    if not bars:
        sdk_private.silence_uploads()
    return azure_client.make(arguments.subscription, logging_enable=arguments.debug, show_progress=bars, **where)


def overrides(arguments: argparse.Namespace, *flags: str) -> list[dict[str, Any]]:
    """What takes precedence over the YAML file: --set first, then the named flags, which therefore win.

    An argument counts as given when it is not empty; "0" is a string and so is given.
    """
    chosen = [{path: value} for path, value in (arguments.set or {}).items()]
    return chosen + [{flag: getattr(arguments, flag)} for flag in flags if getattr(arguments, flag)]


def load(arguments: argparse.Namespace, changes: list[dict[str, Any]]) -> Any:
    """The SDK's entity for the YAML file (an empty one where there is none) with the changes over it."""
    loader = getattr(azure_client.import_sdk(), f"load_{kind(arguments)}")
    return loader(source=getattr(arguments, "file", None), params_override=changes)


def kind(arguments: argparse.Namespace) -> str:
    """The SDK's word for what a command is about: `online_endpoint` for `az ml online-endpoint create`."""
    return str(arguments.command.words[0].replace("-", "_"))


def wait(poller: Any, arguments: argparse.Namespace) -> Any:
    """The result of a long-running operation, or None when it is not waited for."""
    return None if getattr(arguments, "no_wait", False) else poller.result()


def confirm(arguments: argparse.Namespace) -> None:
    """Asks before a deletion; without --yes and without a terminal it is refused, with az's own words and code."""
    if arguments.yes:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        print("WARNING: Unable to prompt for confirmation as no tty available. Use --yes.", file=sys.stderr)
        raise UserError("Operation cancelled.", FAILED)
    print("Are you sure you want to perform this operation? (y/n): ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UserError("Operation cancelled.", FAILED)


def listen(arguments: argparse.Namespace) -> None:
    """Sets up what of the SDK's log is shown on stderr: its progress, not its noise."""
    level = logging.ERROR if arguments.only_show_errors else logging.WARNING
    level = logging.INFO if arguments.verbose else level
    level = logging.DEBUG if arguments.debug else level
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s" if level < logging.WARNING else "%(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("urllib3").setLevel(max(level, logging.ERROR) if level > logging.DEBUG else level)  # full pools
    # "Downloading …" and "Check: endpoint … exists" are INFO, and az shows them.
    logging.getLogger("azure.ai.ml").setLevel(min(level, logging.INFO) if level < logging.ERROR else level)
