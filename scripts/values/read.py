"""Values: what a user edits, merged and checked, with the file and line of every key.

`values.yaml` < `environments/<env>.yaml` < `--set key=value`. A later source replaces a scalar or a list, merges into a
mapping, and removes a key by giving it `null` (unless the schema gives null a meaning of its own there). The result is
checked against `values.schema.json`.
"""

from __future__ import annotations

import argparse
import copy
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.errors import MISSING, USAGE, UserError, suggest
from scripts.files import ROOT
from scripts.strict_yaml import nearest, read_yaml, scalar, shown
from scripts.values import schema

COMMAND_LINE = "--set"

# Its name is a folder, a tag, and the first part of the jobs' names and of the registered models' versions.
_ENVIRONMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,15}")


@dataclass
class Values:
    """The merged values of one environment: `data` is plain nested dicts, `where` tells where a key was written."""

    environment: str
    data: dict[str, Any]
    places: dict[str, str] = field(default_factory=dict)
    sets: tuple[str, ...] = ()  # the assignments of the command line

    def where(self, key: str) -> str:
        """Returns `file:line` of a dotted key, or of the nearest mapping above it that is written down."""
        return self.places.get(nearest(self.places, key), "values.yaml")

    def source(self, key: str) -> str:
        """Returns who set a dotted key: `values`, `environment` or `--set` (empty if nobody did)."""
        place = self.places.get(key, "")
        if place.startswith("environments/"):
            return "environment"
        return COMMAND_LINE if place == COMMAND_LINE else "values" * bool(place)

    def inherits(self, key: str, beside: str) -> bool:
        """Tells whether a key comes from an earlier layer than the one beside it: a version from before the name."""
        layers = ("", "values", "environment", COMMAND_LINE)
        return layers.index(self.source(key)) < layers.index(self.source(beside))

    @property
    def strange_name(self) -> bool:
        """Tells whether `model.name` is from before `model.huggingface_id`, and so another model's."""
        hub, name = self.data["model"].get("huggingface_id"), self.data["model"]["name"]
        same = bool(hub) and str(hub).rpartition("/")[2].lower() == str(name).lower()
        return bool(hub) and not same and self.inherits("model.name", "model.huggingface_id")


def environments(root: Path = ROOT) -> list[str]:
    """Returns the names of the environments, from `environments/*.yaml`; a lock file's has a period and is none."""
    return sorted(path.stem for path in (root / "environments").glob("*.yaml") if _ENVIRONMENT.fullmatch(path.stem))


def name_fault(environment: str) -> str:
    """Returns what is wrong with the name of an environment, whether there is one or not; an empty text for nothing."""
    allowed = "a name has 1 to 16 letters, digits, - and _, and begins with a letter or digit"
    return "" if _ENVIRONMENT.fullmatch(environment) else allowed


def load(environment: str, sets: Sequence[str] = (), root: Path = ROOT, check: bool = True) -> Values:
    """Reads, merges and checks the values of `environment`; a `UserError` lists every fault, a sentence a line."""
    known = environments(root)
    fault = name_fault(environment)
    if fault:
        raise UserError(f"environment {shown(environment)}: {fault}; there are {', '.join(known) or 'none'}", USAGE)
    if environment not in known:
        raise UserError(
            f"environments/{environment}.yaml: there is no environment '{environment}'{suggest(environment, known)}; "
            f"there are {', '.join(known) or 'none'}; take one of them, or make new ENV={environment}",
            MISSING,
        )
    values = Values(environment, {}, sets=tuple(sets))
    for path in (root / "values.yaml", root / "environments" / f"{environment}.yaml"):
        name = path.relative_to(root).as_posix()
        data, lines = read_yaml(path, name=name)
        _merge(values, values.data, data, "", {key: f"{name}:{line}" for key, line in lines.items()})
    for assignment in sets:
        data, places = _assignment(assignment, schema.read(root))
        _merge(values, values.data, data, "", places)
    _remove_nulls(values.data, schema.read(root))
    if check:
        faults = schema.faults(values.data, values.where, root)
        if faults:
            raise UserError("\n".join(faults))
    return values


def _assignment(text: str, rules: schema.Schema) -> tuple[dict[str, Any], dict[str, str]]:
    key, equals, value = text.partition("=")
    path = key.split(".")
    if not equals or not all(path) or not text.isprintable():
        raise UserError(
            f"--set {shown(text)}: expected key=value, for example --set finetune.num_train_epochs=1", USAGE
        )
    data: Any = scalar(value)
    for part in path:
        rules = schema.below(rules, part)
    if isinstance(data, int | float) and rules.get("type") == "string":
        data = value.strip()  # a shell takes the quotes away that would make it text in a file
    keys = [".".join(path[: depth + 1]) for depth in range(len(path))] + [f"{key}.{below}" for below in _keys(data)]
    for part in reversed(path):
        data = {part: data}
    return data, dict.fromkeys(keys, COMMAND_LINE)


def _keys(data: Any) -> Iterator[str]:
    """Yields the dotted keys in a mapping."""
    for name, value in data.items() if isinstance(data, dict) else ():
        yield str(name)
        yield from (f"{name}.{below}" for below in _keys(value))


def _merge(values: Values, target: dict[str, Any], data: dict[str, Any], prefix: str, places: dict[str, str]) -> None:
    for name, value in data.items():
        key = prefix + name
        if isinstance(value, dict) and isinstance(target.get(name), dict):
            _merge(values, target[name], value, f"{key}.", places)
        else:
            _forget(values.places, key)
            target[name] = copy.deepcopy(value)
            values.places.update({at: place for at, place in places.items() if at == key or at.startswith(f"{key}.")})


def _remove_nulls(data: dict[str, Any], rules: schema.Schema) -> None:
    """Removes the keys that are null where the schema has no meaning for null."""
    for name in list(data):
        spec = schema.below(rules, name)
        if isinstance(data[name], dict):
            _remove_nulls(data[name], spec)
        elif data[name] is None and spec and not schema.takes_null(spec):
            del data[name]


def _forget(places: dict[str, str], key: str) -> None:
    for at in [at for at in places if at == key or at.startswith(f"{key}.")]:
        del places[at]


def parser_of(verb: str, description: str) -> argparse.ArgumentParser:
    """Returns the parser of `python -m scripts.<verb>`, a command about values."""
    parser = argparse.ArgumentParser(prog=f"python -m scripts.{verb}", description=description)
    add_arguments(parser)
    return parser


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds `--env` and `--set`, the two options that every command about values has."""
    known = environments()
    parser.add_argument(
        "--env", default="dev", metavar="|".join(known), help="environment, of environments/ (default dev)"
    )
    parser.add_argument("--set", action="extend", default=[], dest="sets", metavar="KEY=VALUE", nargs="+",
                        help="override a value, for example finetune.num_train_epochs=1")  # fmt: skip

    parser.add_argument("--sets", action="extend", dest="sets", metavar="TEXT", type=assignments,
                        help="several, in one text: a.b=1 c.d='two words'")  # fmt: skip


def assignments(text: str) -> list[str]:
    """Splits a text of assignments into words as a shell does, and does nothing else that a shell would."""
    try:
        return shlex.split(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{shown(text)}: a quotation mark or backslash has no partner") from None


def from_arguments(arguments: argparse.Namespace) -> Values:
    """Loads the values that `--env` and `--set` name."""
    return load(arguments.env, arguments.sets)
