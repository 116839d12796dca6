"""Help texts: short, and made from the same table as the parser."""

from __future__ import annotations

from scripts.az_ml import commands
from scripts.az_ml.commands import Command, Option

_GLOBAL_HELP = {
    "--debug": "Show what is sent and received, and tracebacks.",
    "--help": "Show this text.",
    "--only-show-errors": "Show no warnings.",
    "--output": "json (default), jsonc, none, table, tsv, yaml or yamlc.",
    "--query": "JMESPath expression over what would be printed.",
    "--subscription": "Subscription id (or AZURE_SUBSCRIPTION_ID).",
    "--verbose": "Show more of what is done.",
}


def of_group(named: list[str]) -> str:
    """The commands below `az ml`, or below one of its groups."""
    chosen = [each for each in commands.commands().values() if list(each.words[: len(named)]) == named]
    title = " ".join(["az ml", *named])
    lines = [f"{title}: the Azure ML commands of this project, with the official options", ""]
    width = max(len(_full(each)) for each in chosen)
    lines += [f"  {_full(each):<{width}}  {each.summary}" for each in chosen]
    return "\n".join([*lines, "", "Options of a command: add --help to it.", ""])


def of_command(command: Command) -> str:
    """The options of one command."""
    required = [option for option in command.options if option.required]
    optional = [option for option in command.options if not option.required]
    rows = [("Required", [(_names(each), each.help) for each in required])]
    rows += [("Optional", [(_names(each), each.help) for each in optional])]
    rows += [("Global", [(_names(each), _GLOBAL_HELP[each.long]) for each in commands.global_options()])]
    width = max(len(names) for _, group in rows for names, _ in group)
    lines = [f"{_full(command)}: {command.summary}"]
    for title, group in rows:
        if group:
            lines += ["", title, *(f"  {names:<{width}}  {text}".rstrip() for names, text in group)]
    return "\n".join([*lines, ""])


def _full(command: Command) -> str:
    return f"az {'ml ' if command.ml else ''}{command.name}"


def _names(option: Option) -> str:
    return " ".join(option.names)
