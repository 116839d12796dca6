"""From words to arguments: what `az` accepts and refuses, with its exit code 2. Imports nothing of Azure."""

from __future__ import annotations

import argparse
import os
from typing import Any

from scripts.az_ml import commands, help, workspace
from scripts.az_ml.commands import Command, Option
from scripts.errors import FAILED, USAGE, UserError, suggest

_REGISTRY_VERBS = ("create", "list", "show")  # these take --registry-name in place of a workspace


class _Parser(argparse.ArgumentParser):
    """argparse with az's texts, as UserError instead of an exit."""

    def error(self, message: str) -> None:
        raise UserError(message, USAGE)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            raise UserError(
                f"{self.prog}: '{value}' is not a valid value for '{action.option_strings[0]}'. "
                f"Allowed values: {', '.join(action.choices)}.{suggest(value, action.choices)}",
                USAGE,
            )


class _Overrides(argparse.Action):
    """--set of the create verbs: split at the first `=`, values stay strings, later ones win."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option_string: Any = None) -> None:
        pairs = [value.split("=", 1) for value in values]
        if any(len(pair) < 2 for pair in pairs):
            raise UserError(f"usage error: {option_string} KEY=VALUE [KEY=VALUE ...]", FAILED)
        setattr(namespace, self.dest, [*(getattr(namespace, self.dest) or []), dict(pairs)])


class _Change(argparse.Action):
    """--set, --add and --remove of the update verbs, kept in the order in which they were written."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option_string: Any = None) -> None:
        verb = self.option_strings[0].removeprefix("--")
        namespace.changes = [*namespace.changes, (verb, values)]


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
    if "--help" in rest or "-h" in rest:
        print(help.of_command(command), end="")
        return None
    arguments, unknown = parser_of(command).parse_known_args(rest)
    if unknown:
        known = [name for option in (*command.options, *commands.global_options()) for name in option.names]
        near = next((suggest(word, known) for word in unknown if word.startswith("-")), "")
        raise UserError(f"unrecognized arguments: {' '.join(unknown)}{near}", USAGE)
    arguments.command = command
    _fill_in(command, arguments)
    return arguments


def find_command(words: list[str]) -> tuple[Command | None, list[str]]:
    """Splits a command line into its command and the rest; prints help, and returns None, for a group of commands."""
    rest = list(words)
    explicit = rest[:1] == ["ml"]
    if explicit:
        rest.pop(0)
    named: list[str] = []
    known = [command.words for command in commands.commands().values() if command.ml or not explicit]
    while rest and not rest[0].startswith("-"):
        depth = len(named)
        allowed = {each[depth] for each in known if len(each) > depth and list(each[:depth]) == named}
        if not allowed:
            break
        if rest[0] not in allowed:
            raise UserError(
                f"'{rest[0]}' is misspelled or not recognized by the system. "
                f"Known here: {', '.join(sorted(allowed))}{suggest(rest[0], allowed)}.",
                USAGE,
            )
        named.append(rest.pop(0))
    command = commands.commands().get(" ".join(named))
    if command is not None:
        return command, rest
    if rest and not {"--help", "-h"}.intersection(rest):
        raise UserError(f"'{rest[0]}' stands where a command is wanted; see `{_prog(named)} --help`", USAGE)
    print(help.of_group(named), end="")
    return None, rest


def _prog(named: list[str]) -> str:
    return " ".join(["az ml", *named])


def parser_of(command: Command) -> argparse.ArgumentParser:
    """The argparse parser of one command, with the global options."""
    prog = f"az {'ml ' if command.ml else ''}{command.name}"
    parser = _Parser(prog=prog, add_help=False, argument_default=None)
    for option in command.options:
        _add(parser, command, option)
    parser.set_defaults(changes=[])
    parser.add_argument("--debug", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--only-show-errors", action="store_true")
    parser.add_argument("--subscription")
    parser.add_argument("--query", type=jmespath_type)
    parser.add_argument("--output", "-o", choices=commands.OUTPUT_FORMATS, type=str.lower, default=_default_output())
    return parser


def _add(parser: _Parser, command: Command, option: Option) -> None:
    where = {"dest": option.key, "required": False}  # what is required is checked after the defaults are known
    if option.long in commands.LISTS:
        if option.long == "--tags":
            parser.add_argument(*option.names, nargs="*", action=_Tags, **where)
        elif command.generic_update:
            parser.add_argument(*option.names, nargs="+", action=_Change, dest=argparse.SUPPRESS)
        else:
            parser.add_argument(*option.names, nargs="+", action=_Overrides, **where)
    elif option.switch and option.allowed:  # --local, --local true, --local false
        parser.add_argument(*option.names, nargs="?", const=True, default=False, type=_boolean, **where)
    elif option.switch:
        parser.add_argument(*option.names, action="store_true", **where)
    else:
        kind = int if option.long in commands.INTEGERS else str
        default = kind(option.default) if option.default else None
        parser.add_argument(*option.names, type=kind, default=default, choices=option.allowed or None, **where)


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


def _default_output() -> str:
    return os.environ.get("AZURE_CORE_OUTPUT", "json")


def _fill_in(command: Command, arguments: argparse.Namespace) -> None:
    """Puts in the defaults for group, workspace and subscription, and refuses what then still is missing."""
    known = {option.key for option in command.options}
    # `workspace show` names the workspace with -n; everywhere else -n is the thing asked for.
    name_of_workspace = "name" if command.name == "workspace show" else "workspace_name"
    keys = [key for key in ("resource_group", name_of_workspace) if key in known]
    in_registry = getattr(arguments, "registry_name", None)
    default = workspace.defaults(wanted=[key for key in keys if not getattr(arguments, key) and not in_registry])
    for key in keys:
        if getattr(arguments, key) is None and not in_registry:
            setattr(arguments, key, default.resource_group if key == "resource_group" else default.workspace)
    arguments.subscription = arguments.subscription or default.subscription
    missing = [option for option in command.options if option.required and getattr(arguments, option.key) is None]
    if missing:
        names = ", ".join("/".join(option.names) for option in missing)
        raise UserError(f"the following arguments are required: {names}", USAGE)
    if "registry_name" in known and command.words[-1] in _REGISTRY_VERBS and not in_registry:
        _need_workspace(arguments)


def _need_workspace(arguments: argparse.Namespace) -> None:
    """Refuses, with az's exit code for it (1, not 2), an asset command that names neither workspace nor registry."""
    if not arguments.workspace_name:
        raise UserError(
            "one of the following arguments is required: --workspace-name/-w, --registry-name "
            "(or AZURE_DEFAULTS_WORKSPACE, or a config.json)",
            FAILED,
        )
