"""From words to arguments: what `az` accepts and refuses, with its exit code 2. Imports nothing of Azure."""

from __future__ import annotations

import argparse
import os
from typing import Any, NoReturn

from scripts.az_ml import command_table, defaults
from scripts.az_ml.command_table import Command, Option
from scripts.errors import FAILED, USAGE, UserError, suggest

_ELSEWHERE = "what else there is, the official Azure CLI knows (az extension add -n ml)"
_REGISTRY_VERBS = ("create", "list", "show")  # these take --registry-name in place of a workspace


class _Parser(argparse.ArgumentParser):
    """argparse with az's texts, as UserError instead of an exit."""

    def error(self, message: str) -> NoReturn:
        raise UserError(message, USAGE)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            raise UserError(
                f"{self.prog}: '{value}' is not a valid value for '{action.option_strings[0]}'. "
                f"Allowed values: {', '.join(action.choices)}.{suggest(value, action.choices)}",
                USAGE,
            )


class _Overrides(argparse.Action):
    """--set: split at the first `=`, values stay strings, later ones win."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option_string: Any = None) -> None:
        pairs = [value.split("=", 1) for value in values]
        if any(len(pair) < 2 for pair in pairs):
            raise UserError(f"usage error: {option_string} KEY=VALUE [KEY=VALUE ...]", FAILED)
        setattr(namespace, self.dest, {**(getattr(namespace, self.dest) or {}), **dict(pairs)})


class _Tags(argparse.Action):
    """--tags a=1 b: a dict of strings; a tag without a value has an empty one."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option_string: Any = None) -> None:
        setattr(namespace, self.dest, dict(value.split("=", 1) if "=" in value else (value, "") for value in values))


def parse(words: list[str]) -> argparse.Namespace | None:
    """Returns the arguments of a command line, with `.command`; None after help was asked for and printed.

    Raises UserError with code 2 for whatever argument parsing refuses.
    """
    command, rest = find_command(words)
    if command is None:
        return None
    parser = parser_of(command)
    if "--help" in rest or "-h" in rest:
        print(parser.format_help(), end="")
        return None
    arguments, unknown = parser.parse_known_args(rest)
    if unknown:
        known = [name for option in (*command.options, *command_table.global_options()) for name in option.names]
        near = next((suggest(word, known) for word in unknown if word.startswith("-")), "")
        raise UserError(f"unrecognized arguments: {' '.join(unknown)}{near}; {_ELSEWHERE}", USAGE)
    arguments.command = command
    _fill_in(command, arguments)
    return arguments


def find_command(words: list[str]) -> tuple[Command | None, list[str]]:
    """Splits a command line into its command and the rest; prints help, and returns None, for a group of commands."""
    rest = list(words)
    if rest[:1] == ["monitor"]:
        raise UserError(
            f"az {' '.join(rest[:2])}: Azure Monitor is none of az ml, and the local Azure ML has none: nothing scales "
            "here; on Azure the official Azure CLI does it",
            USAGE,
        )
    explicit = rest[:1] == ["ml"]
    if explicit:
        rest.pop(0)
    named: list[str] = []
    known = [command.words for command in command_table.commands().values() if command.ml or not explicit]
    while rest and not rest[0].startswith("-"):
        depth = len(named)
        allowed = {words[depth] for words in known if len(words) > depth and list(words[:depth]) == named}
        if not allowed:
            break
        if rest[0] not in allowed:
            raise UserError(
                f"'{rest[0]}' is misspelled or not recognized by the system. "
                f"Known here: {', '.join(sorted(allowed))}{suggest(rest[0], allowed)}; {_ELSEWHERE}.",
                USAGE,
            )
        named.append(rest.pop(0))
    command = command_table.commands().get(" ".join(named))
    if command is not None:
        return command, rest
    if rest and not {"--help", "-h"}.intersection(rest):
        raise UserError(f"'{rest[0]}' stands where a command is wanted; see `{_group(named)} --help`", USAGE)
    print(_group_help(named), end="")
    return None, rest


def _group(named: list[str]) -> str:
    return " ".join(["az ml", *named])


def _group_help(named: list[str]) -> str:
    """The commands below `az ml`, or below one of its groups."""
    chosen = [one for one in command_table.commands().values() if list(one.words[: len(named)]) == named]
    width = max(len(command.line) for command in chosen)
    lines = [f"{_group(named)}: the Azure ML commands of this project, with official options", ""]
    lines += [f"  {command.line:<{width}}  {command.summary}" for command in chosen]
    return "\n".join([*lines, "", f"Options of a command: add --help to it; {_ELSEWHERE}.", ""])


def parser_of(command: Command) -> argparse.ArgumentParser:
    """The argparse parser of one command, with the global options."""
    parser = _Parser(command.line, usage=f"{command.line} [options]", description=command.summary, add_help=False)
    groups = [parser.add_argument_group(title) for title in ("Required", "Optional", "Global")]
    for option in command.options:
        _add(groups[not option.required], option)
    for option in command_table.global_options():
        more: dict[str, Any] = {"action": "store_true"}
        if option.long == "--output":
            form = os.environ.get("AZURE_CORE_OUTPUT", "json")
            more = {"choices": command_table.OUTPUT_FORMATS, "type": str.lower, "default": form, "metavar": "FORMAT"}
        elif option.long in ("--query", "--subscription"):
            more = {"type": jmespath_type if option.long == "--query" else str}
        groups[2].add_argument(*option.names, help=option.help, **more)
    return parser


def _add(group: Any, option: Option) -> None:
    where = {"dest": option.key, "help": option.help}  # what is required is checked after the defaults are known
    if option.long in ("--set", "--tags"):
        group.add_argument(*option.names, nargs="+", action=_Tags if option.long == "--tags" else _Overrides, **where)
    elif option.switch and option.allowed:  # --all-results, --all-results true, --all-results false
        group.add_argument(*option.names, nargs="?", const=True, default=False, type=_boolean, **where)
    elif option.switch:
        group.add_argument(*option.names, action="store_true", **where)
    else:
        kind = int if option.long in command_table.INTEGERS else str
        default = kind(option.default) if option.default else None
        group.add_argument(*option.names, type=kind, default=default, choices=option.allowed or None, **where)


def _boolean(word: str) -> bool:
    if word.lower() not in ("true", "false"):
        raise ValueError
    return word.lower() == "true"


_boolean.__name__ = "bool"  # argparse names the type when it refuses a value


def jmespath_type(query: str) -> Any:
    """Compiles a --query; the name is the one that az shows when it refuses one."""
    import jmespath
    from jmespath.exceptions import JMESPathError

    try:
        return jmespath.compile(query)
    except JMESPathError as error:
        raise ValueError(str(error)) from error


def _fill_in(command: Command, arguments: argparse.Namespace) -> None:
    """Puts in the defaults for group, workspace and subscription, and refuses what then still is missing."""
    known = {option.key for option in command.options}
    # `workspace show` names the workspace with -n; everywhere else -n is the thing asked for.
    workspace = "name" if command.name == "workspace show" else "workspace_name"
    keys = [key for key in ("resource_group", workspace) if key in known]
    in_registry = getattr(arguments, "registry_name", None)
    default = defaults.find(wanted=[key for key in keys if not getattr(arguments, key) and not in_registry])
    for key in keys:
        if getattr(arguments, key) is None and not in_registry:
            setattr(arguments, key, default[key])
    arguments.subscription = arguments.subscription or default["subscription"]
    missing = [option for option in command.options if option.required and getattr(arguments, option.key) is None]
    if missing:
        names = ", ".join("/".join(option.names) for option in missing)
        raise UserError(f"the following arguments are required: {names}", USAGE)
    of_assets = "registry_name" in known and command.words[-1] in _REGISTRY_VERBS
    if of_assets and not in_registry and not arguments.workspace_name:
        raise UserError(  # with az's exit code for it, 1 and not 2
            "one of the following arguments is required: --workspace-name/-w, --registry-name "
            "(or AZURE_DEFAULTS_WORKSPACE, or a config.json)",
            FAILED,
        )
