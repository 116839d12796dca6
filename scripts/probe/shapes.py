"""The shape of a JSON value: what it is made of, without what it says; learnt from values, compared with values.

A shape is written in YAML as the value would be: an object has the shapes of its keys, a list the shape of its items,
and a leaf says its kinds in one text, as `time | none`. `key?` need not be there, `*` is any key of a map, and the key
`|` of an object says what may stand in its place (`none`, or `[]` with the items under the key `[]`). In some keys the
word itself matters: `=Succeeded | =Failed`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from types import MappingProxyType
from typing import Any, NamedTuple

Shape = Any  # str, list or dict, as YAML reads it
Words = Mapping[str, Set[str]]

# In these keys a client acts on the word itself, so that it is kept and compared.
WORDS = frozenset(
    "type kind jobType computeType datastoreType credentialsType secretsType jobServiceType endpointComputeType "
    "scaleType tokenType token_type createdByType provisioningState status osType vmPriority code modelType dataType "
    "authMode stage publicNetworkAccess allocationState serviceDataAccessAuthIdentity systemDatastoresAuthMode tier "
    "environmentType pendingUploadType credentialType unit".split()
)
# Of these, what a request said or who sent it comes back, so that any word which was recorded in the key is right.
ECHOED = frozenset(
    "credentialsType jobType dataType modelType createdByType authMode stage computeType datastoreType kind".split()
)
KIND = ("jobType", "computeType", "datastoreType")  # what else a resource has depends on the word in these keys
# What may stand in these keys is up to the user, or to how much there is, and not to a recording.
FREE = {
    "name": "text",
    "description": "none | text",
    "displayName": "none | text",
    "nextLink": "none | url",
    "latestVersion": "none | text",
    "nextVersion": "none | text",
    "runId": "text",
    "rootRunId": "text",
    "experimentId": "text",
    "computeId": "arm id | empty | none",
    "environmentId": "arm id | asset | none",
    "codeId": "arm id | none",
    "componentSpec": "any",
    "codeConfiguration": "any",
    "distribution": "any",
    "limits": "any",
}
KINDS = {
    "time": re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d.*"),
    "arm id": re.compile(r"/subscriptions/.*", re.IGNORECASE),
    "guid": re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
    "url": re.compile(r"(https?|wss?)://.*"),
    "asset": re.compile(r"azureml:.*"),
    "duration": re.compile(r"P(\d+D)?(T(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?"),
    "empty": re.compile(r""),
}


class Difference(NamedTuple):
    """One difference of a value from a shape: what kind, where, and in words."""

    kind: str  # missing, null, extra, type, word
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where} {self.what}"


def kind(value: Any) -> str:
    """Returns the kind of a leaf, or `object` or `list`."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes/no"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return next((name for name, pattern in KINDS.items() if pattern.fullmatch(value)), "text")
    return "object" if isinstance(value, dict) else "list"


def describe(value: Any, key: str = "") -> Shape:
    """Returns the shape of a value that was answered under a key."""
    if key in FREE and (FREE[key] == "any" or not isinstance(value, dict | list)):
        return FREE[key]
    if key == "tags" and isinstance(value, dict):
        return {"*": "none | text"}
    if isinstance(value, dict):
        return {f"{name}?" if name == "nextLink" else name: describe(each, name) for name, each in value.items()}
    if isinstance(value, list):
        shape: Shape = None
        for each in value:
            shape = merge(shape, describe(each, key))
        return [] if shape is None else [shape]
    word = key in WORDS and kind(value) == "text" and re.fullmatch(r"[\w ./-]+", value) is not None
    return f"={value}" if word else kind(value)


def leaves(shape: Shape) -> list[str]:
    """Returns the kinds and words that a shape allows where it is a leaf."""
    if isinstance(shape, dict):
        shape = shape.get("|", "")
    return [each for each in shape.split(" | ") if each] if isinstance(shape, str) else []


def merge(one: Shape, other: Shape) -> Shape:
    """Returns the shape of values that have one of two shapes; None is the shape of nothing seen."""
    if one is None or other is None or one == other:
        return other if one is None else one
    if isinstance(one, list) and isinstance(other, list):
        items = merge(one[0] if one else None, other[0] if other else None)
        return [] if items is None else [items]
    if isinstance(one, str) and isinstance(other, str):
        return " | ".join(sorted({*leaves(one), *leaves(other)}))
    return _merge_objects(_object(one), _object(other))


def _object(shape: Shape) -> dict[str, Shape]:
    """Returns a shape in the form of an object, with what else it may be under `|`."""
    if isinstance(shape, list):
        return {"|": "[]", "[]": shape[0] if shape else {}}
    return {"|": shape} if isinstance(shape, str) else dict(shape)


def _only_else(shape: dict[str, Shape]) -> bool:
    return not set(shape) - {"|", "[]"} and "|" in shape


def _merge_objects(one: dict[str, Shape], other: dict[str, Shape]) -> dict[str, Shape]:
    merged: dict[str, Shape] = {}
    special = {"|", "[]", "*"}
    for name in [*one, *(name for name in other if name not in one)]:
        plain = name.removesuffix("?")
        if name in special:
            merged[name] = merge(one.get(name), other.get(name))
            continue
        if plain in merged or f"{plain}?" in merged:
            continue
        first, second = (each.get(plain, each.get(f"{plain}?")) for each in (one, other))
        always = all(plain in each or _only_else(each) for each in (one, other))
        merged[plain if always else f"{plain}?"] = merge(first, second)
    return merged


def differences(
    shape: Shape, value: Any, where: str = "", echoed: Words = MappingProxyType({})
) -> Iterator[Difference]:
    """Yields where a value is not of a shape: nothing that was recorded may be missing, nothing more may be there.

    `echoed`: the words that were recorded anywhere in the keys in which a request's own word comes back.
    """
    allowed = leaves(shape)
    if "any" in allowed:
        return
    if isinstance(value, dict):
        if not isinstance(shape, dict) or _only_else(shape):
            yield Difference("type", where, f"is an object, Azure sends {words(shape)}")
        else:
            yield from _object_differences(shape, value, where, echoed)
    elif isinstance(value, list):
        items = (
            shape if isinstance(shape, list) else [shape["[]"]] if isinstance(shape, dict) and "[]" in shape else None
        )
        if items is None:
            yield Difference("type", where, f"is a list, Azure sends {words(shape)}")
        elif items:
            alike = [item for item in value if not _is_of_another_kind(items[0], item)]
            yield from dict.fromkeys(
                each for item in alike for each in differences(items[0], item, f"{where}[]", echoed)
            )
    elif not any(_fits(each, value) for each in allowed) and not _echoes(value, where, echoed):
        said = repr(value) if isinstance(value, str) and any(each.startswith("=") for each in allowed) else kind(value)
        which = "word" if said != kind(value) else "type"
        yield Difference(which, where, f"is {said}, Azure sends {words(shape)}")


def _is_of_another_kind(shape: Shape, item: Any) -> bool:
    """Tells an item of a page that the page's recording says nothing about: a pipeline job among command jobs."""
    if not (isinstance(shape, dict) and isinstance(item, dict)):
        return False
    recorded, properties = shape.get("properties"), item.get("properties")
    if not (isinstance(recorded, dict) and isinstance(properties, dict)):
        return False
    return any(name in recorded and f"={properties.get(name)}" not in leaves(recorded[name]) for name in KIND)


def _object_differences(
    shape: dict[str, Shape], value: dict[str, Any], where: str, echoed: Words
) -> Iterator[Difference]:
    plain = {name.removesuffix("?"): part for name, part in shape.items() if name not in ("|", "[]", "*")}
    for name, part in shape.items():
        if name in plain and name not in value:
            null = part == "none"
            yield Difference("null" if null else "missing", f"{where}.{name}", f"is missing, Azure sends {words(part)}")
    for name, each in value.items():
        if name in plain:
            yield from differences(plain[name], each, f"{where}.{name}", echoed)
        elif "*" in shape:
            yield from differences(shape["*"], each, f"{where}.*", echoed)
        elif plain:  # an empty object was seen: its keys are the user's
            yield Difference("extra", f"{where}.{name}", "is there, Azure sends none")


def _echoes(value: Any, where: str, echoed: Words) -> bool:
    return isinstance(value, str) and (
        value in echoed.get(where.rpartition(".")[2], ()) or value in echoed.get(where, ())
    )


def _fits(option: str, value: Any) -> bool:
    if option.startswith("="):
        return isinstance(value, str) and value == option[1:]
    if option in ("text", "empty"):  # what was empty was only left empty
        return isinstance(value, str)
    return kind(value) == option or (
        option in KINDS and isinstance(value, str) and bool(KINDS[option].fullmatch(value))
    )


def recorded_words(shape: Shape, found: dict[str, set[str]], key: str = "") -> None:
    """Adds to `found` the words that a shape has in the keys in which a request's own word comes back."""
    if isinstance(shape, dict):
        for name, each in shape.items():
            recorded_words(each, found, name.removesuffix("?"))
    elif isinstance(shape, list):
        for each in shape:
            recorded_words(each, found, key)
    elif key in ECHOED:
        found.setdefault(key, set()).update(each[1:] for each in leaves(shape) if each.startswith("="))


def places(shape: Shape, found: set[str], where: str = "") -> None:
    """Adds to `found` every place of a shape; the items of a page are the resource itself."""
    if isinstance(shape, dict):
        for name, each in shape.items():
            if name == "[]":
                places(each, found, f"{where}[]")
            elif name != "|":
                found.add(f"{where}.{name.removesuffix('?')}")
                places(each, found, f"{where}.{name.removesuffix('?')}")
    elif isinstance(shape, list):
        for each in shape:
            places(each, found, "" if where == ".value" else f"{where}[]")


def words(shape: Shape) -> str:
    """Returns a shape in a few words."""
    if isinstance(shape, dict) and not _only_else(shape):
        return " | ".join(["object", *leaves(shape)])
    return "list" if isinstance(shape, list) else " | ".join(leaves(shape)).replace("=", "") or "nothing"
