"""The table of exchanges: what was asked of the real service and what it answered, a file a resource."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from scripts.errors import UserError
from scripts.files import ROOT
from scripts.probe.paths import template
from scripts.probe.shapes import Difference, Shape, Words, differences, leaves, places, recorded_words

FOLDER = ROOT / "tests" / "azure" / "service" / "exchanges"
# Headers that a client acts on; of the others only that they were recorded is known, and nobody needs them.
HEADERS = (
    "location azure-asyncoperation x-ms-async-operation-timeout retry-after content-type etag last-modified "
    "x-ms-error-code content-range content-md5 "
    "azureml-model-deployment x-ms-blob-type x-ms-meta-upload_status x-ms-meta-name "
    "x-ms-meta-version x-ms-run-function-failed ms-azureml-model-error-statuscode ms-azureml-model-error-reason"
).split()


@dataclasses.dataclass(frozen=True)
class Exchange:
    """One row: what was asked (`PUT {ws}/computes/{name}`), in which case, and what came back.

    `answer` is None where the body was empty. `error`: its code, the chain of inner codes, the codes of its details,
    its keys and its words; an answer that is an error has no other shape. `states`: of the operation, in order.
    """

    id: str
    ask: str
    status: int | str  # "refused" where a source tells of the refusal and not of its status
    case: tuple[str, ...] = ()
    api: str = ""
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    answer: Shape = None
    error: dict[str, Any] | None = None
    states: tuple[str, ...] = ()
    seen: int = 1
    dates: str = ""
    source: str = ""

    @property
    def last(self) -> str:
        """The day on which it was last recorded."""
        return self.dates[-10:]


def load(folder: Path = FOLDER) -> list[Exchange]:
    """Returns all rows; raises a `UserError` that names the file of a row which is not one."""
    import yaml

    rows = []
    for path in sorted(folder.glob("*.yaml")):
        for row in yaml.load(path.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            try:
                rows.append(Exchange(**row | {key: tuple(row.get(key, ())) for key in ("case", "states")}))
            except TypeError as error:
                raise UserError(f"{path}: {row.get('id', row)}: {error}") from None
    return rows


def echoed(rows: Iterable[Exchange]) -> Words:
    """Returns the words that were recorded in the keys in which a request's own word, or the moment's, comes back."""
    # A job's: how far it was when it was asked for.
    found: dict[str, set[str]] = {".properties.status": {"Completed", "Canceled", "Failed"}}
    for row in rows:
        recorded_words(row.answer, found)
        if isinstance(row.answer, dict) and isinstance(properties := row.answer.get("properties"), dict):
            found[".properties.status"] |= {each[1:] for each in leaves(properties.get("status", "")) if each[0] == "="}
    return found


def pick(
    rows: Iterable[Exchange], ask: str, status: int | str, case: Iterable[str] = (), api: str = ""
) -> Exchange | None:
    """Returns the newest row of a question with a status in a case, the most often seen of a day; None without one.

    A preview version of the API answers keys that the stable one does not: its rows come first where it is asked.
    """
    return next(iter(fitting(rows, ask, status, case, api)), None)


def stable(api: str) -> bool:
    """Says whether a version of the API is one of the stable ones of today, which leave out the previews' keys."""
    return api >= "2024" and not api.endswith("preview")


def resource(row: Exchange) -> str:
    """Returns what a row is about: the path of the resource, one or a page of them."""
    return row.ask.partition(" ")[2].removesuffix("/{name}").removesuffix("/{version}").removesuffix("/{deployment}")


def recorded_places(rows: Iterable[Exchange]) -> dict[str, set[str]]:
    """Returns, by resource, every place in which something was recorded in some answer about it."""
    found: dict[str, set[str]] = {}
    for row in rows:
        places(row.answer, found.setdefault(resource(row), set()))
    return found


def fitting(
    rows: Iterable[Exchange], ask: str, status: int | str, case: Iterable[str] = (), api: str = ""
) -> list[Exchange]:
    """Returns the rows of a question with a status in a case, the one that judges first: see `pick`."""
    found = [row for row in rows if row.ask == ask and row.status == status and set(case) <= set(row.case)]
    return sorted(found, key=lambda row: (stable(row.api) == stable(api), row.last, row.seen), reverse=True)


def compare(row: Exchange, headers: dict[str, str], body: Any, echoed: Words) -> list[Difference]:
    """Returns all differences of an answer (headers with small names, body: JSON, text, or None) from a row."""
    found = []
    for name, value in row.headers.items():
        if name == "content-type" and body in (None, ""):
            continue  # what has no body has no type; the body itself is compared below
        if name not in headers:
            found.append(Difference("header", name, f"is missing, Azure sends {value or 'it'}"))
        elif value and (ours := known(name, headers[name])) != value:
            found.append(Difference("header", name, f"is {ours}, Azure sends {value}"))
    if row.error:
        return found + error_differences(row.error, body)
    if row.answer is None:
        return found + ([Difference("extra", "body", "is there, Azure sends none")] if body not in (None, "") else [])
    if body is None and row.answer != "none":
        return [*found, Difference("missing", "body", "is missing, Azure sends one")]
    return found + list(differences(row.answer, body, echoed=echoed))


def known(name: str, value: str) -> str:
    """Returns what of a header's value is the same in every workspace; empty where only its presence matters."""
    if name in ("location", "azure-asyncoperation"):
        return template(value)
    return value.partition(";")[0] if name in ("content-type", "x-ms-async-operation-timeout", "retry-after") else ""


def inner_codes(error: dict[str, Any]) -> list[str]:
    """Returns the chain of inner codes: in `additionalInfo`, or in `innerError` of the older form."""
    infos = [each for each in error.get("additionalInfo") or [] if each.get("type") == "InnerError"]
    chain: list[str] = []
    inner = infos[0].get("info", {}).get("value") if infos else error.get("innerError")
    while isinstance(inner, dict):
        chain.append(str(inner.get("code")))
        inner = inner.get("innerError")
    return chain


def described(error: dict[str, Any]) -> dict[str, Any]:
    """Returns what the table keeps of an error: codes, keys, the kinds of additional information and the words."""
    kept: dict[str, Any] = {"code": error.get("code"), "chain": inner_codes(error)}
    kept["details"] = [each.get("code") for each in error.get("details") or []]
    kept["keys"] = sorted(error)
    kept["more"] = sorted({str(each.get("type")) for each in error.get("additionalInfo") or []})
    return {key: value for key, value in kept.items() if value} | {"words": str(error.get("message", ""))}


def error_differences(wanted: dict[str, Any], body: Any) -> list[Difference]:
    """Returns the differences of an error's codes, inner codes, details, keys and kinds of information."""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return [Difference("missing", "error", "is missing, Azure sends one")]
    ours, found = described(error), []
    for part in ("code", "chain", "details", "keys", "more"):
        if part not in wanted and (part in ("keys", "more") or "keys" not in wanted):
            continue  # a source that tells of a refusal seldom shows all of it
        if (there := ours.get(part)) != (there_in_azure := wanted.get(part)):
            found.append(Difference("error", f"error.{part}", f"is {there}, Azure sends {there_in_azure}"))
    if wanted.get("words") and not similar(wanted["words"], str(error.get("message", ""))):
        found.append(
            Difference("words", "error.message", f"is {error.get('message')!r}, Azure says {wanted['words']!r}")
        )
    return found


def similar(wanted: str, said: str) -> bool:
    """Says whether a sentence is the recorded one, whatever names stand in it: `{name}` and the like match any text."""
    if said.startswith(wanted):
        return True
    pattern = "".join(
        ".*" if each.startswith("{") else re.escape(each) for each in re.split(r"(\{[^{}]*\})", wanted.rstrip("…"))
    )
    return re.match(pattern, said, re.DOTALL) is not None
