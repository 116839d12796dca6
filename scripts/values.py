"""Values: what a user edits, merged and checked, with the file and line of every key.

`values.yaml` < `environments/<env>.yaml` < `--set key=value`. A later source replaces a scalar or a list, merges into a
mapping, and removes a key by giving it `null` (unless the schema gives null a meaning of its own there). The result is
checked against `values.schema.json`.
"""

from __future__ import annotations

import copy
import functools
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
_TEXT = "tag:yaml.org,2002:str"
_DEEPEST = 50

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


def _number(loader: _Loader, node: yaml.ScalarNode) -> int | float:
    """Reads a number of at most 64 bits; beyond that, readers of the rendered YAML do not agree on what it is."""
    text = loader.construct_scalar(node)
    value = int(text) if node.tag.endswith("int") else float(text)
    if abs(value) >= 2**63:
        raise ValueError(text)
    return value


for _tag in ("int", "float"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _number)

# Its name is a folder, a tag, and the first part of the jobs' names and of the registered models' versions.
_ENVIRONMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,15}")


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
    """Returns the names of the environments, from `environments/*.yaml`; a lock file's has a period and is none."""
    return sorted(path.stem for path in (root / "environments").glob("*.yaml") if _ENVIRONMENT.fullmatch(path.stem))


def load(environment: str, sets: Sequence[str] = (), root: Path = ROOT, check: bool = True) -> Values:
    """Reads, merges and checks the values of `environment`; a `UserError` lists every fault, a sentence a line."""
    known = environments(root)
    if not _ENVIRONMENT.fullmatch(environment):
        raise UserError(
            f"environment {_shown(environment)}: a name has 1 to 16 letters, digits, - and _, and begins with a letter or "
            f"digit; there are {', '.join(known) or 'none'}",
            USAGE,
        )
    if environment not in known:
        raise UserError(
            f"environments/{environment}.yaml: there is no environment '{environment}'{suggest(environment, known)}; "
            f"there are {', '.join(known) or 'none'}; take one of them or write that file",
            MISSING,
        )
    values = Values(environment, {})
    for path in (root / "values.yaml", root / "environments" / f"{environment}.yaml"):
        name = path.relative_to(root).as_posix()
        data, lines = read_yaml(path, name=name)
        _merge(values, values.data, data, "", {key: f"{name}:{line}" for key, line in lines.items()})
    for assignment in sets:
        data, places = _assignment(assignment, _schema(root))
        _merge(values, values.data, data, "", places)
    _remove_nulls(values.data, _schema(root))
    if check:
        faults = sorted(schema_faults(values, root), key=_place)
        if faults:
            raise UserError("\n".join(faults))
    return values


def read_yaml(path: Path, loader: type = _Loader, name: str = "") -> tuple[dict[str, Any], dict[str, int]]:
    """Reads a YAML mapping; returns it with the line of every dotted key. A `UserError` names file, line and fault.

    `loader` says by which rules: ours (YAML 1.2's scalars) unless given, PyYAML's SafeLoader for what the SDK will read.
    `name` is what errors call the file.
    """
    name = name or path.name
    try:
        data, lines = _read(path.read_text(encoding="utf-8"), name, loader)
    except FileNotFoundError:
        raise UserError(f"{name}: no such file; restore it or run in the project's folder", MISSING) from None
    except UnicodeDecodeError as error:
        raise UserError(f"{name}: not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        if "cannot start any token" in problem:
            problem += " (a tab, perhaps: indent with blanks)"
        raise UserError(f"{name}{line}: not valid YAML: {problem}; check indentation, quotes and colons") from None
    if not isinstance(data, dict | None):
        kind = "a list" if isinstance(data, list) else "a single value"
        raise UserError(f"{name}:1: expected a mapping of keys to values, found {kind}")
    return data or {}, lines


def scalar(text: str) -> Any:
    """Reads one YAML value from the command line: `3` is a number, `true` a boolean, `"16"` and `abc` are text."""
    try:
        return _read(text, COMMAND_LINE, _Loader)[0]
    except (yaml.YAMLError, UserError):
        return text


@functools.cache
def _schema(root: Path) -> dict[str, Any]:
    try:
        return json.loads((root / "values.schema.json").read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise UserError(f"values.schema.json:{error.lineno}: not valid JSON: {error.msg}; restore it") from None


def schema_faults(values: Values, root: Path = ROOT) -> Iterator[str]:
    """Yields a sentence for everything in the values that `values.schema.json` does not allow."""
    from jsonschema import Draft202012Validator, ValidationError, validators

    def pattern(_validator: Any, wanted: str, found: Any, _schema: Any) -> Iterator[ValidationError]:
        # JSON Schema's $ is the very end of the text; Python's also stands before a last line break
        if isinstance(found, str) and not re.search(re.sub(r"\$$", r"\\Z", wanted), found):
            yield ValidationError(f"does not match {wanted}")

    for error in validators.extend(Draft202012Validator, {"pattern": pattern})(_schema(root)).iter_errors(values.data):
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
    if rule == "anyOf":  # the branch of the right type, if there is one, else what may stand here
        near = [each for each in error.context if each.validator != "type"]
        if near:
            yield from _explain(values, near[0])
            return
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
    text = "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in text)
    return text if len(text) <= 80 else text[:77] + "..."


def _read(text: str, name: str, loader: type) -> tuple[Any, dict[str, int]]:
    """Returns what a YAML text says, and the line of every dotted key in it."""
    reader = loader("")
    try:
        depth = 0
        for event in yaml.parse(text, Loader=loader):  # composing takes the program's stack a level of the text
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                line = event.start_mark.line + 1
                raise UserError(
                    f"{name}:{line}: nested deeper than {_DEEPEST} levels; nothing here needs more than a few"
                )
        node = yaml.compose(text, Loader=loader)
        if node is None:
            return None, {}
        lines = dict(_lines(node, "", 1, name, reader, set()))
        return reader.construct_document(node), lines
    finally:
        reader.dispose()


def _lines(node: yaml.Node, key: str, line: int, name: str, reader: Any, seen: set[int]) -> Iterator[tuple[str, int]]:
    """Yields the dotted keys below `node` with their lines; refuses what would mean other things than it seems to."""
    at = f"{name}:{line}: " + f"{key}: " * bool(key)
    if node.tag not in (reader.resolve(type(node), node.value, (True, False)), _TEXT):
        tag = node.tag.replace("tag:yaml.org,2002:", "!!")
        raise UserError(f"{at}a tag such as {tag} is not allowed; write the value alone")
    if isinstance(node, yaml.ScalarNode):
        try:
            reader.construct_object(node)
        except ValueError:
            found, kind = _shown(node.value), node.tag.rpartition(":")[2]
            raise UserError(f"{at}found {found}, no {kind} that can be read; correct it or put it in quotes") from None
        return
    if id(node) in seen:
        raise UserError(f"{at}an alias of a mapping or list is not allowed; write it out, so that every key has a line")
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield f"{key}.{number}", item.start_mark.line + 1
            yield from _lines(item, f"{key}.{number}", line, name, reader, seen)
        return
    first: dict[str, int] = {}
    for key_node, value_node in node.value:
        line, word = key_node.start_mark.line + 1, key_node.value
        if key_node.tag != _TEXT or not word.isprintable():
            raise UserError(f"{name}:{line}: a key must be plain text, found {_shown(word)}; put it in quotes")
        inner = f"{key}.{word}".lstrip(".")
        if word in first:
            raise UserError(f"{name}:{line}: {inner}: written twice, first in line {first[word]}; keep one of them")
        first[word] = line
        yield inner, line
        yield from _lines(value_node, inner, line, name, reader, seen)


def _assignment(text: str, schema: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    key, equals, value = text.partition("=")
    path = key.split(".")
    if not equals or not all(path) or not text.isprintable():
        raise UserError(
            f"--set {_shown(text)}: expected key=value, for example --set finetune.num_train_epochs=1", USAGE
        )
    data: Any = scalar(value)
    for part in path:
        schema = schema.get("properties", {}).get(part, {})
    if isinstance(data, int | float) and schema.get("type") == "string":
        data = value.strip()  # a shell takes the quotes away that would make it text in a file
    for part in reversed(path):
        data = {part: data}
    return data, {".".join(path[: depth + 1]): COMMAND_LINE for depth in range(len(path))}


def _merge(values: Values, target: dict[str, Any], data: dict[str, Any], prefix: str, places: dict[str, str]) -> None:
    for name, value in data.items():
        key = prefix + name
        if isinstance(value, dict) and isinstance(target.get(name), dict):
            _merge(values, target[name], value, f"{key}.", places)
        else:
            _forget(values.places, key)
            target[name] = copy.deepcopy(value)
            values.places.update({at: place for at, place in places.items() if at == key or at.startswith(f"{key}.")})


def _remove_nulls(data: dict[str, Any], schema: dict[str, Any]) -> None:
    """Removes the keys that are null where the schema has no meaning for null."""
    for name, spec in schema.get("properties", {}).items():
        if isinstance(data.get(name), dict):
            _remove_nulls(data[name], spec)
        elif data.get(name, "") is None and not _takes_null(spec):
            del data[name]


def _takes_null(spec: dict[str, Any]) -> bool:
    return any("null" in each.get("type", ()) for each in (spec, *spec.get("anyOf", ())))


def _forget(places: dict[str, str], key: str) -> None:
    for each in [each for each in places if each == key or each.startswith(f"{key}.")]:
        del places[each]


def add_arguments(parser: Any) -> None:
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
