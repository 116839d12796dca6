"""What is printed: the query, then JSON, YAML or tab-separated values as az prints them, or a plain table."""

from __future__ import annotations

import argparse
import json
import re
import sys
from typing import Any

from scripts.az_ml import entities
from scripts.errors import FAILED, UserError

_UNLISTED = ("id", "type", "etag")  # az leaves these columns out of every table
_ARM_ID = re.compile(r"/subscriptions/[^/]+/resourceGroups/([^/]+)", re.IGNORECASE)


def write(result: Any, arguments: argparse.Namespace) -> None:
    """Prints a command's result on stdout; nothing at all for None, as az does."""
    result = with_resource_group(entities.listed(arguments.command.name, result))
    if arguments.query is not None:
        result = search(arguments.query, result)
    if result is not None:
        queried = arguments.query is not None
        sys.stdout.write(render(result, arguments.output, queried, sys.stdout.isatty()))


def render(result: Any, form: str, queried: bool = False, colour: bool = False) -> str:
    """Returns the text of a result in one of az's output formats."""
    if form == "none":
        return ""
    if form == "tsv":
        return _tsv(result)
    if form == "table":
        return _table(result, queried)
    if form in ("yaml", "yamlc"):
        import yaml

        return yaml.safe_dump(_plain(result), default_flow_style=False, allow_unicode=True)
    text = json.dumps(_plain(result), ensure_ascii=False, indent=2, sort_keys=True) + "\n"
    return _coloured(text) if form == "jsonc" and colour else text


def with_resource_group(result: Any) -> Any:
    """Adds `resourceGroup` to every dict whose id is an ARM id, as az core does."""
    if isinstance(result, list):
        return [with_resource_group(each) for each in result]
    if not isinstance(result, dict):
        return result
    found = {key: with_resource_group(value) for key, value in result.items()}
    match = _ARM_ID.search(found["id"]) if isinstance(found.get("id"), str) else None
    if match and "resourceGroup" not in found:
        found["resourceGroup"] = match[1]
    return found


class _Row(dict[str, Any]):
    """A dict that a query made: its columns keep the order of the query in tsv and tables."""


def search(query: Any, result: Any) -> Any:
    """Applies a compiled --query; None when it finds nothing."""
    import jmespath

    try:
        return query.search(_plain(result), jmespath.Options(dict_cls=_Row))
    except jmespath.exceptions.JMESPathError as error:
        raise UserError(f"--query cannot be applied to the result: {error}", FAILED) from error


def _plain(result: Any) -> Any:
    """The result in JSON's own types: enums as their values, times in ISO format, the rest as strings."""
    if isinstance(result, dict):
        return {str(key): _plain(value) for key, value in result.items()}
    if isinstance(result, (list, tuple, set)):
        return [_plain(each) for each in result]
    if hasattr(result, "isoformat"):
        return result.isoformat()
    if hasattr(result, "value") and not isinstance(result, (str, int)):
        return _plain(result.value)
    if isinstance(result, str):
        return str(result.value) if hasattr(result, "value") else str(result)
    return result if isinstance(result, (int, float, bool, type(None))) else str(result)


def _tsv(result: Any) -> str:
    rows = result if isinstance(result, list) else [result]
    return "".join("\t".join(_cells(row)) + "\n" for row in rows)


def _cells(row: Any) -> list[str]:
    if isinstance(row, _Row):
        return [_cell(value) for value in row.values()]
    if isinstance(row, dict):
        return [_cell(row[key]) for key in sorted(row)]
    if isinstance(row, list):
        return [_cell(value) for value in row]
    return [str(row).lower()] if isinstance(row, bool) else [_cell(row)]


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return ""
    return str(len(value)) if isinstance(value, list) else str(value)


def _table(result: Any, queried: bool) -> str:
    """The scalars as columns with capitalised names; the official CLI has columns of its own for some lists."""
    from tabulate import tabulate

    items = [_columns(row, queried) for row in (result if isinstance(result, list) else [result])]
    if not any(items):
        return "\n"
    return str(tabulate(items, headers="keys", tablefmt="simple", disable_numparse=True)) + "\n"


def _columns(row: Any, queried: bool) -> dict[str, Any]:
    if isinstance(row, dict):
        keys = row if queried else sorted(row)
        shown = (key for key in keys if key not in _UNLISTED and not isinstance(row[key], (list, dict, type(None))))
        return {key[:1].upper() + key[1:]: row[key] for key in shown}
    if isinstance(row, list):
        return {f"Column{number}": value for number, value in enumerate(row, start=1)}
    return {"Result": row}


_JSON_PARTS = re.compile(r'("(?:[^"\\]|\\.)*")(\s*:)?|\b(true|false|null|-?\d[\d.eE+-]*)\b')


def _coloured(text: str) -> str:
    def paint(match: re.Match[str]) -> str:
        if match[2]:
            return f"\033[34m{match[1]}\033[0m{match[2]}"
        return f"\033[32m{match[1]}\033[0m" if match[1] else f"\033[33m{match[3]}\033[0m"

    return _JSON_PARTS.sub(paint, text)
