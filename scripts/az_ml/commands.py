"""Which commands and options there are: `commands.json`, taken over from the official reference of Azure CLI.

An option is written as `--name -n`, with `=default` and `{allowed, values}` where the reference gives them. Tests hold
the table against the reference's own content, so it is not the place for options of ours.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from pathlib import Path

# What no `az` command is without. `-h` is Azure's, too.
GLOBAL_OPTIONS = ("--debug", "--help -h", "--only-show-errors", "--output -o", "--query", "--subscription", "--verbose")
OUTPUT_FORMATS = ("json", "jsonc", "none", "table", "tsv", "yaml", "yamlc")

LISTS = frozenset({"--add", "--remove", "--set", "--tags"})
INTEGERS = frozenset({"--lines", "--max-results", "--node-index"})
_VALUELESS = frozenset({"--acquire-policy-token"})  # a flag for which the reference names no default
_GENERIC_UPDATE = ("--add", "--remove", "--set")

# Commands of az itself that a Makefile needs beside `az ml`.
_PLAIN = {
    "account show": ("Show the subscription in use, and so whether the login works.", (), ("--name -n",)),
    "version": ("Show the versions of what runs here.", (), ()),
}

_HELP = {
    "--add": "Add to a list: path.to.list key=value, a string or JSON.",
    "--acquire-policy-token": "Taken for the official CLI's sake; has no effect here.",
    "--all": "Download all outputs.",
    "--all-results": "Return all results.",
    "--all-traffic": "Send all traffic to this deployment once it is up.",
    "--archived-only": "List archived ones only.",
    "--auth-mode": "key, aml_token or aad_token.",
    "--change-reference": "Taken for the official CLI's sake; has no effect here.",
    "--container": "inference-server or storage-initializer.",
    "--datastore": "Datastore to upload local files to.",
    "--deployment-name": "Ask this deployment, whatever the traffic says.",
    "--description": "Description.",
    "--download-path": "Folder to download to (default: here).",
    "--endpoint-name": "Name of the endpoint.",
    "--file": "YAML file.",
    "--force-string": "Take the values of --set and --add as strings, never as JSON.",
    "--idle-time-before-scale-down": "Seconds idle before nodes are given back.",
    "--include-archived": "List archived ones, too.",
    "--key-type": "primary or secondary.",
    "--label": "Label, such as latest.",
    "--lines": "Lines from the end of the log.",
    "--local": "Work with the endpoint in local Docker.",
    "--location": "Region (default: the workspace's).",
    "--max-instances": "Most nodes.",
    "--max-results": "Most results.",
    "--min-instances": "Fewest nodes.",
    "--mirror-traffic": "Share of traffic to copy: 'green=10'.",
    "--name": "Name.",
    "--no-wait": "Do not wait until it is done.",
    "--output-name": "Name of the output to download.",
    "--parent-job-name": "List the children of this job.",
    "--path": "Local path, or URI.",
    "--registry-name": "A registry instead of a workspace.",
    "--remove": "Remove a property, or an element of a list: path [index].",
    "--request-file": "File with the JSON to send.",
    "--resource-group": "Resource group (or AZURE_DEFAULTS_GROUP).",
    "--save-as": "Write the created job to this YAML file.",
    "--set": "Set properties: a.b=value [c.d=value …].",
    "--size": "VM size.",
    "--skip-validation": "Do not validate.",
    "--stage": "Stage.",
    "--stream": "Follow the job's log.",
    "--tags": "Tags: key=value [key=value …].",
    "--tier": "dedicated or low_priority.",
    "--traffic": "Shares of traffic: 'blue=90 green=10'.",
    "--type": "Type.",
    "--version": "Version.",
    "--web": "Open the studio in the browser.",
    "--workspace-name": "Workspace (or AZURE_DEFAULTS_WORKSPACE, or config.json).",
    "--yes": "Do not ask.",
}


@dataclass(frozen=True)
class Option:
    """One option of one command, as the reference writes it."""

    names: tuple[str, ...]  # the long name first
    required: bool = False
    default: str | None = None
    allowed: tuple[str, ...] = ()

    @property
    def long(self) -> str:
        return self.names[0]

    @property
    def key(self) -> str:
        """The attribute that holds its value after parsing."""
        return self.long.removeprefix("--").replace("-", "_")

    @property
    def switch(self) -> bool:
        """True for an option that may stand without a value."""
        return self.default == "False" or self.long in _VALUELESS

    @property
    def help(self) -> str:
        text = _HELP.get(self.long, "")
        if self.allowed and not self.switch:
            text += f" One of {', '.join(self.allowed)}."
        if self.default not in (None, "False", "[]"):
            text += f" Default {self.default}."
        return text


@dataclass(frozen=True)
class Command:
    """One command: `name` is what stands after `az` and, where `ml` is True, after `az ml`."""

    name: str
    ml: bool
    summary: str
    options: tuple[Option, ...]

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(self.name.split())

    @property
    def generic_update(self) -> bool:
        """True where --set, --add and --remove change what the service has, and not the YAML that is sent."""
        return {option.long for option in self.options}.issuperset(_GENERIC_UPDATE)

    def option(self, name: str) -> Option | None:
        """The option that has `name` as its long or short name."""
        return next((option for option in self.options if name in option.names), None)


def read_option(text: str, required: bool = False) -> Option:
    """Reads one option of the table: `--type -t {a, b}`, `--lines -l=5000`, `--local=False {false, true}`."""
    names, default, allowed = re.fullmatch(r"([^={]+?)\s*(?:=([^{\s]*))?\s*(?:\{(.*)\})?", text).groups()
    return Option(tuple(names.split()), required, default, tuple(allowed.split(", ")) if allowed else ())


@functools.cache
def commands() -> dict[str, Command]:
    """All commands by name."""
    table = json.loads(Path(__file__).with_name("commands.json").read_text(encoding="utf-8"))
    known = {name: (entry["summary"], entry["required"], entry["optional"], True) for name, entry in table.items()}
    known |= {name: (*entry, False) for name, entry in _PLAIN.items()}
    return {
        name: Command(
            name,
            ml,
            summary,
            tuple(read_option(text, True) for text in required) + tuple(read_option(text) for text in optional),
        )
        for name, (summary, required, optional, ml) in known.items()
    }


def global_options() -> tuple[Option, ...]:
    """The options that every command takes."""
    return tuple(read_option(text) for text in GLOBAL_OPTIONS)
