"""Values: what a user edits, merged and checked, with the file and line of every key.

`values.yaml` < `environments/<env>.yaml` < `--set key=value`. A later source replaces a scalar or a list, merges into a
mapping, and removes a key by giving it `null`. The result is checked against `values.schema.json`.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from scripts.errors import MISSING, USAGE, UserError, suggest

ROOT = Path(__file__).resolve().parent.parent
COMMAND_LINE = "--set"

try:  # libyaml, where PyYAML was built with it, reads four times faster
    from yaml import CSafeLoader as _BaseLoader
except ImportError:  # pragma: no cover
    from yaml import SafeLoader as _BaseLoader


class _Loader(_BaseLoader):
    """YAML with 1.2's scalars: `5e-6` is a number and `yes`, `on` or `012` are text, as a reader would expect."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"^(?:true|false)$", "tf"),
    ("null", r"^(?:~|null|)$", ["~", "n", ""]),
    ("int", r"^[-+]?(?:0|[1-9][0-9]*)$", "-+0123456789"),
    ("float", r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][-+]?[0-9]+)?$", "-+0123456789."),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))
_Loader.add_constructor("tag:yaml.org,2002:float", lambda loader, node: float(loader.construct_scalar(node)))


@dataclass
class Values:
    """The merged values of one environment: `data` is plain nested dicts, `where` tells where a key was written."""

    environment: str
    data: dict[str, Any]
    places: dict[str, str] = field(default_factory=dict)

    def where(self, key: str) -> str:
        """Returns `file:line` of a dotted key, or of the nearest mapping above it that is written down."""
        while key and key not in self.places:
            key = key.rpartition(".")[0]
        return self.places.get(key, "values.yaml")

    def source(self, key: str) -> str:
        """Returns who set a dotted key: `values`, `environment` or `--set` (empty if nobody did)."""
        place = self.places.get(key, "")
        if place.startswith("environments/"):
            return "environment"
        return COMMAND_LINE if place == COMMAND_LINE else "values" * bool(place)


def environments(root: Path = ROOT) -> list[str]:
    """Returns the names of the environments, from `environments/*.yaml` without the lock files."""
    return sorted(path.stem for path in (root / "environments").glob("*.yaml") if not path.stem.endswith(".lock"))


def load(environment: str, sets: Sequence[str] = (), root: Path = ROOT, check: bool = True) -> Values:
    """Reads, merges and checks the values of `environment`; a `UserError` lists every fault, a sentence a line."""
    known = environments(root)
    if environment not in known:
        raise UserError(
            f"environments/{environment}.yaml: there is no environment '{environment}'{suggest(environment, known)}; "
            f"there are {', '.join(known) or 'none'}; take one of them or write that file",
            MISSING,
        )
    values = Values(environment, {})
    for path in (root / "values.yaml", root / "environments" / f"{environment}.yaml"):
        data, lines = read_yaml(path)
        name = path.relative_to(root).as_posix()
        _merge(values, values.data, data, "", {key: f"{name}:{line}" for key, line in lines.items()})
    for assignment in sets:
        data, places = _assignment(assignment)
        _merge(values, values.data, data, "", places)
    if check:
        faults = sorted(schema_faults(values, root), key=_place)
        if faults:
            raise UserError("\n".join(faults))
    return values


def read_yaml(path: Path, loader: type = _Loader) -> tuple[dict[str, Any], dict[str, int]]:
    """Reads a YAML mapping; returns it with the line of every dotted key. A `UserError` names file, line and fault.

    `loader` says by which rules: ours (YAML 1.2's scalars) unless given, PyYAML's SafeLoader for what the SDK will read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; restore it or run in the project's folder", MISSING) from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    try:
        node = yaml.compose(text, Loader=loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise UserError(f"{path.name}{line}: not valid YAML: {problem}; check indentation, quotes and colons") from None
    if node is None:
        return {}, {}
    if not isinstance(node, yaml.MappingNode):
        raise UserError(f"{path.name}:1: expected a mapping of keys to values, found {_kind(node)}")
    constructor = loader("")
    try:
        lines = dict(_lines(node, "", path.name))
        return constructor.construct_document(node), lines
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise UserError(f"{path.name}:{mark.line + 1 if mark else 1}: {getattr(error, 'problem', error)}") from None
    finally:
        constructor.dispose()


def scalar(text: str) -> Any:
    """Reads one YAML value from the command line: `3` is a number, `true` a boolean, `"16"` and `abc` are text."""
    try:
        return yaml.load(text, Loader=_Loader)  # a SafeLoader with fewer resolvers
    except yaml.YAMLError:
        return text


def schema_faults(values: Values, root: Path = ROOT) -> Iterator[str]:
    """Yields a sentence for everything in the values that `values.schema.json` does not allow."""
    from jsonschema import Draft202012Validator

    schema = json.loads((root / "values.schema.json").read_text(encoding="utf-8"))
    for error in Draft202012Validator(schema).iter_errors(values.data):
        yield from _explain(values, error)


def _place(sentence: str) -> tuple[str, int]:
    file, _, rest = sentence.partition(":")
    line = rest.partition(":")[0]
    return file, int(line) if line.isdigit() else 0


def _explain(values: Values, error: Any) -> Iterator[str]:
    key = ".".join(str(part) for part in error.absolute_path)
    rule, found = error.validator, error.instance
    if rule == "additionalProperties":
        allowed = sorted(error.schema.get("properties", {}))
        for name in found:
            if name not in allowed:
                path = f"{key}.{name}".lstrip(".")
                hint = suggest(name, allowed)
                long = hint and len(allowed) > 12
                listed = "values.schema.json lists what is allowed" if long else f"allowed: {', '.join(allowed)}"
                yield f"{values.where(path)}: {path}: unknown key{hint}; {listed}"
        return
    if rule == "required":
        for name in error.validator_value:
            if name not in found:
                path = f"{key}.{name}".lstrip(".")
                yield f"{values.where(path)}: {path}: missing; add it{_described(error.schema, name)}"
        return
    if rule == "anyOf":  # unions of simple types: say what may stand here, not how each branch failed
        kinds = [_kind_word(branch) for branch in error.validator_value]
        expected = " or ".join(kinds)
    elif rule == "enum":
        allowed = ", ".join(json.dumps(each) for each in error.validator_value)
        expected = f"one of {allowed}{suggest(found, error.validator_value)}"
    elif rule == "type":
        expected = _kind_word({"type": error.validator_value})
        if error.validator_value == "string" and isinstance(found, int | float):
            expected += f', so put it in quotes: "{found}"'
    elif rule in ("minimum", "exclusiveMinimum"):
        expected = f"{'at least' if rule == 'minimum' else 'more than'} {error.validator_value}"
    elif rule in ("maximum", "exclusiveMaximum"):
        expected = f"{'at most' if rule == 'maximum' else 'less than'} {error.validator_value}"
    elif rule in ("minLength", "maxLength"):
        expected = f"{'at least' if rule == 'minLength' else 'at most'} {error.validator_value} characters"
    elif rule == "pattern":
        words = error.schema.get("description", f"text that matches {error.validator_value}").rstrip(".")
        expected = words[0].lower() + words[1:]
    else:
        expected = error.message
    yield f"{values.where(key)}: {key or 'values'}: found {_shown(found)}, expected {expected}"


def _described(schema: dict[str, Any], name: str) -> str:
    text = schema.get("properties", {}).get(name, {}).get("description", "")
    return f" ({text.rstrip('.')})" if text else ""


def _kind_word(schema: dict[str, Any]) -> str:
    if "enum" in schema or "const" in schema:
        return "one of " + ", ".join(json.dumps(each) for each in schema.get("enum", [schema.get("const")]))
    kinds = schema.get("type", "a value")
    words = {"object": "a mapping", "array": "a list", "string": "text", "integer": "a whole number", "number": "a number",
             "boolean": "true or false", "null": "nothing"}  # fmt: skip
    return " or ".join(words.get(kind, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds))


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:77] + "..."


def _kind(node: yaml.Node) -> str:
    return {yaml.SequenceNode: "a list", yaml.ScalarNode: "a single value"}.get(type(node), "something else")


def _lines(node: yaml.MappingNode, prefix: str, name: str) -> Iterator[tuple[str, int]]:
    seen: dict[str, int] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise UserError(f"{name}:{line}: a key must be plain text")
        key = f"{prefix}{key_node.value}"
        if key in seen:
            raise UserError(f"{name}:{line}: {key}: written twice, first in line {seen[key]}; keep one of them")
        seen[key] = line
        yield key, line
        if isinstance(value_node, yaml.MappingNode):
            yield from _lines(value_node, f"{key}.", name)
        elif isinstance(value_node, yaml.SequenceNode):
            for number, item in enumerate(value_node.value):
                yield f"{key}.{number}", item.start_mark.line + 1


def _assignment(text: str) -> tuple[dict[str, Any], dict[str, str]]:
    key, equals, value = text.partition("=")
    path = key.split(".")
    if not equals or not all(path):
        raise UserError(f"--set {text}: expected key=value, for example --set finetune.num_train_epochs=1", USAGE)
    data: Any = scalar(value)
    for part in reversed(path):
        data = {part: data}
    return data, {".".join(path[: depth + 1]): COMMAND_LINE for depth in range(len(path))}


def _merge(values: Values, target: dict[str, Any], data: dict[str, Any], prefix: str, places: dict[str, str]) -> None:
    for name, value in data.items():
        key = prefix + name
        if value is None and name in target:
            del target[name]
            _forget(values.places, key)
        elif isinstance(value, dict) and isinstance(target.get(name), dict):
            _merge(values, target[name], value, f"{key}.", places)
        else:
            _forget(values.places, key)
            target[name] = copy.deepcopy(value)
            values.places.update({at: place for at, place in places.items() if at == key or at.startswith(f"{key}.")})


def _forget(places: dict[str, str], key: str) -> None:
    for each in [each for each in places if each == key or each.startswith(f"{key}.")]:
        del places[each]


def add_arguments(parser: Any, several: bool = False) -> None:
    """Adds `--env` and `--set`, the two options that every command about values has."""
    known = environments()
    parser.add_argument(
        "--env", default="dev", metavar="|".join(known), help="environment, of environments/ (default dev)"
    )
    parser.add_argument("--set", action="append", default=[], dest="sets", metavar="KEY=VALUE", nargs="+",
                        help="override a value, for example finetune.num_train_epochs=1")  # fmt: skip


def from_arguments(arguments: Any) -> Values:
    """Loads the values that `--env` and `--set` name."""
    return load(arguments.env, flat(arguments.sets))


def flat(sets: Iterable[Iterable[str]]) -> list[str]:
    """Flattens what `--set a=1 b=2 --set c=3` collects."""
    return [assignment for group in sets for assignment in group]
