"""One command's run: finds the verb's function and gives it an MLClient; azure is imported as late as can be."""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from typing import Any

from scripts.azure import client
from scripts.errors import FAILED, UserError


class Session:
    """The arguments of a command and, when a verb asks for it, the client that the command needs."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments

    def do(self) -> Any:
        """Runs the verb and returns what there is to print, in plain data."""
        group, *verb = self.arguments.command.words
        if not verb:  # `version`
            group, verb = "account", [group]
        name = verb[0].replace("-", "_")
        _listen(self.arguments)
        if self.arguments.command.ml:
            client.import_sdk()
        module = importlib.import_module(f"scripts.az_ml.verbs.{group.replace('-', '_')}")
        return getattr(module, f"{name}_" if name == "list" else name)(self, self.arguments)

    def client(self, **more: Any) -> Any:
        """The MLClient for the workspace, or for the registry where --registry-name names one (it wins over -w)."""
        arguments = self.arguments
        registry = getattr(arguments, "registry_name", None)
        if not arguments.subscription and not registry:
            raise UserError(
                "which subscription is meant is not known: give --subscription, or set AZURE_SUBSCRIPTION_ID", FAILED
            )
        if registry:
            more["registry_name"] = registry
        else:
            more |= {"workspace_name": _workspace_of(arguments), "resource_group_name": arguments.resource_group}
        bars = sys.stderr.isatty()  # elsewhere progress bars and the colours around them are only noise
        return client.make(arguments.subscription, logging_enable=arguments.debug, show_progress=bars, **more)


def _workspace_of(arguments: argparse.Namespace) -> str:
    """The workspace that a command names, with -w or (`workspace show`) with -n."""
    return arguments.workspace_name if hasattr(arguments, "workspace_name") else arguments.name


def _listen(arguments: argparse.Namespace) -> None:
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
