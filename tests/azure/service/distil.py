"""`python -m tests.azure.service.distil FILE…`: adds to the table of exchanges what recordings show.

It reads what Microsoft's own tests record: test proxy files of the SDK (`Entries`), recordings of Azure PowerShell, and
cassettes of the CLI (YAML). Kept of an exchange are its question, status, headers, shape and error codes; no id, name
or key of anybody. A row is learnt for each question, status and case; more recordings of it widen its shape.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import dataclasses
import email.utils
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from scripts.errors import UserError, main
from scripts.files import write
from scripts.probe.exchanges import FOLDER, HEADERS, Exchange, described, known, load, stable
from scripts.probe.paths import masked, query, template
from scripts.probe.shapes import describe, merge

# Words of a request that decide its answer.
SAID = ("computeType", "jobType", "dataType", "modelType", "authMode", "endpointComputeType", "datastoreType")


class Record(NamedTuple):
    """One recorded exchange, whatever tool recorded it; header names are small, bodies are JSON or text."""

    method: str
    url: str
    asked: Any
    status: int
    headers: dict[str, str]
    answered: Any


def decoded(body: Any) -> Any:
    """Returns a recorded body as JSON where it is that."""
    if isinstance(body, dict) and set(body) <= {"string", "encoding"}:  # the CLI's cassettes
        body = body.get("string")
    if isinstance(body, bytes):
        body = body.decode(errors="replace")
    if isinstance(body, str):
        with contextlib.suppress(ValueError):
            return json.loads(body)
    return body if body != "" else None


def _flat(headers: dict[str, Any]) -> dict[str, str]:
    return {name.lower(): str(value[0] if isinstance(value, list) else value) for name, value in headers.items()}


def records(path: Path) -> Iterator[Record]:
    """Yields the exchanges of a recording; raises a `UserError` where it is none of the known kinds."""
    text = path.read_text(encoding="utf-8-sig")
    content = yaml.load(text, yaml.CSafeLoader) if path.suffix in (".yaml", ".yml") else json.loads(text)
    if isinstance(content, dict) and "Entries" in content:
        for each in content["Entries"]:
            asked, answered = decoded(each.get("RequestBody")), decoded(each.get("ResponseBody"))
            headers = _flat(each["ResponseHeaders"])
            yield Record(each["RequestMethod"], each["RequestUri"], asked, each["StatusCode"], headers, answered)
    elif isinstance(content, dict) and "interactions" in content:
        for each in content["interactions"]:
            sent, came = each["request"], each["response"]
            asked, answered = decoded(sent.get("body")), decoded(came.get("body"))
            yield Record(sent["method"], sent["uri"], asked, came["status"]["code"], _flat(came["headers"]), answered)
    elif isinstance(content, dict) and all("Request" in each and "Response" in each for each in content.values()):
        for each in content.values():
            sent, came = each["Request"], each["Response"]
            body = base64.b64decode(came["Content"]) if came.get("isContentBase64") else came.get("Content")
            headers = _flat({**came["Headers"], **(came.get("ContentHeaders") or {})})
            asked, answered = decoded(sent.get("Content")), decoded(body)
            yield Record(sent["Method"], sent["RequestUri"], asked, came["StatusCode"], headers, answered)
    else:
        raise UserError(f"{path}: no recording of a known kind: neither Entries, nor interactions, nor PowerShell's")


def code_of(error: dict[str, Any]) -> str:
    """Returns the code of an error that says most."""
    return str([error["code"], *error.get("details", []), *error.get("chain", [])][-1])


def case_of(record: Record, before: dict[str, int]) -> tuple[str, ...]:
    """Returns what tells an exchange from others of the same question and status."""
    case, answered = [], record.answered if isinstance(record.answered, dict) else {}
    properties = answered.get("properties") if isinstance(answered.get("properties"), dict) else {}
    sent = record.asked.get("properties") if isinstance(record.asked, dict) else None
    sent = sent if isinstance(sent, dict) else {}
    case += [f"{key}={properties[key]}" for key in SAID if isinstance(properties.get(key), str)]
    case += [f"{key}={answered[key]}" for key in ("secretsType",) if key in answered]
    case += [
        f"{key}={record.asked[key]}"
        for key in ("containerType",)
        if isinstance(record.asked, dict) and key in record.asked
    ]
    if record.method == "PUT" and sent.get("isArchived") is True:
        case.append("isArchived=true")
    state = properties.get("provisioningState") or properties.get("status") or answered.get("status")
    if isinstance(state, str):
        case.append(f"state:{state}")
    if isinstance(answered.get("value"), list):
        case.append("page" if answered["value"] else "empty page")
    if record.method in ("PUT", "DELETE") and (seen := before.get(record.url.partition("?")[0])):
        case.append("there before" if seen < 400 else "not there before")
    if "x-ms-meta-upload_status" in record.headers:
        case.append("uploaded")
    if template(record.url).startswith("blob:") and (part := query(record.url).get("comp")):
        case.append(f"comp={part}")
    return tuple(case)


def rows(path: Path, source: str) -> Iterator[Exchange]:
    """Yields a row for each exchange of a recording that touches Azure ML."""
    before: dict[str, int] = {}
    for number, record in enumerate(records(path)):
        asked = template(record.url)
        if asked.startswith("other:") or not re.match(r"\w+:|\{(ws|registry|group|subscription)\}", asked):
            continue
        day = (
            email.utils.parsedate_to_datetime(record.headers["date"]).date().isoformat()
            if "date" in record.headers
            else ""
        )
        error = record.answered.get("error") if isinstance(record.answered, dict) else None
        kept = described(error) if isinstance(error, dict) and record.status >= 400 else None
        if kept:
            kept["words"] = masked(kept["words"], record.url)
        yield Exchange(
            id="",
            ask=f"{record.method} {asked}",
            status=record.status,
            case=(*case_of(record, before), *([f"code:{code_of(kept)}"] if kept else [])),
            api=query(record.url).get("api-version", ""),
            headers={name: known(name, record.headers[name]) for name in HEADERS if name in record.headers},
            answer=None if kept or record.answered is None else describe(record.answered),
            error=kept,
            dates=day,
            source=f"{source or path.name} entry {number}",
        )
        before[record.url.partition("?")[0]] = record.status


def combined(table: Iterable[Exchange], new: Iterable[Exchange]) -> list[Exchange]:
    """Returns the table with new rows in it. One of the same question, status, case and year widens the row that
    is there; another year has rows of its own, since the service changes and the newest one judges.
    """
    result = list(table)
    places = {(row.ask, row.status, row.case, row.last[:4], stable(row.api)): index for index, row in enumerate(result)}
    for row in new:
        key = (row.ask, row.status, row.case, row.last[:4], stable(row.api))
        if key in places:
            result[places[key]] = widened(result[places[key]], row)
        else:
            places[key] = len(result)
            result.append(row)
    return named(result)


def widened(old: Exchange, row: Exchange) -> Exchange:
    """Returns a row that allows what was recorded before and now."""
    days = sorted(day for day in {*old.dates.split(".."), *row.dates.split("..")} if day)
    newest = row if row.last >= old.last else old
    return dataclasses.replace(
        old,
        api=newest.api,
        headers={name: value for name, value in newest.headers.items() if name in old.headers and name in row.headers},
        answer=merge(old.answer, row.answer),
        error=newest.error,
        seen=old.seen + row.seen,
        dates="..".join(dict.fromkeys((days[0], days[-1]))) if days else "",
        source=newest.source,
    )


def file_of(row: Exchange) -> str:
    """Returns the name of the file in which a row stands: its resource's."""
    asked = row.ask.partition(" ")[2]
    if asked.startswith(("blob:", "identity:", "scoring:")):
        return asked.partition(":")[0]
    if "Operation" in asked or "/operations/" in asked:
        return "operations"
    for word in ("registries", "{registry}"):
        if word in asked:
            return "registries"
    if asked.startswith("data:/history"):
        return "runHistory"
    inside = re.sub(r"^.*?\{ws\}/?|^\{\w+\}/?|^data:/", "", asked).split("/")
    word = "deployments" if "deployments" in inside and "onlineEndpoints" in inside else inside[0]
    if "providers" in asked:
        word = asked.rsplit("/", 1)[-1]
    word = re.sub(r"\W", "", word) or "workspaces"
    return {
        "diagnose": "workspaces",
        "resyncKeys": "workspaces",
        "dataversion": "data",
        "experiments": "jobs",
        "usages": "quota",
        "quotas": "quota",
        "vmSizes": "quota",
    }.get(word, word)


def named(table: Iterable[Exchange]) -> list[Exchange]:
    """Returns the rows with ids that stay: the resource, the method, the status and a number."""
    table = list(table)
    counts: dict[str, int] = {}
    result = []
    taken = {row.id for row in table if row.id}
    for row in table:
        if not row.id:
            stem = f"{file_of(row)}-{row.ask.partition(' ')[0].lower()}-{row.status}"
            while (identifier := f"{stem}-{counts.setdefault(stem, 1)}") in taken:
                counts[stem] += 1
            taken.add(identifier)
            row = dataclasses.replace(row, id=identifier)
        result.append(row)
    return result


class Flow(dict):  # type: ignore[type-arg]
    """A mapping that is written on a line."""


class FlowList(list):  # type: ignore[type-arg]
    """A list that is written on a line."""


class Dumper(yaml.CSafeDumper):
    """Writes rows as blocks, and what they hold on lines."""


MAP, SEQUENCE = "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"
Dumper.add_representer(Flow, lambda dumper, value: dumper.represent_mapping(MAP, value, flow_style=True))
Dumper.add_representer(FlowList, lambda dumper, value: dumper.represent_sequence(SEQUENCE, value, flow_style=True))


def flowing(value: Any) -> Any:
    """Returns a value of which every mapping and list is written on a line."""
    if isinstance(value, dict):
        return Flow({key: flowing(each) for key, each in value.items()})
    return FlowList(flowing(each) for each in value) if isinstance(value, list | tuple) else value


def text(table: Iterable[Exchange]) -> str:
    """Returns the rows of a file as YAML."""
    parts = ["# What Azure ML was recorded to answer. Written by python -m tests.azure.service.distil.\n"]
    for row in table:
        kept = {key: flowing(value) for key, value in dataclasses.asdict(row).items()}
        kept = {key: value for key, value in kept.items() if value not in (None, [], {}, "") or key == "answer"}
        if kept["answer"] is None:
            del kept["answer"]
        parts.append(yaml.dump([kept], Dumper=Dumper, sort_keys=False, width=118, allow_unicode=True))
    return "\n".join(parts)


def save(table: Iterable[Exchange], folder: Path = FOLDER) -> None:
    """Writes the table, a file a resource."""
    files: dict[str, list[Exchange]] = {}
    for row in table:
        files.setdefault(file_of(row), []).append(row)
    for name, each in files.items():
        write(
            folder / f"{name}.yaml",
            text(sorted(each, key=lambda row: (row.ask.partition(" ")[2], row.ask, str(row.status)))),
        )


def run() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.azure.service.distil", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="recordings")
    parser.add_argument("--source", default="", help="where they are from: owner/repository path@commit")
    parser.add_argument("--dry-run", action="store_true", help="print the rows and write nothing")
    options = parser.parse_args()
    new = [row for path in options.files for row in rows(path, options.source)]
    if not new:
        raise UserError("no exchange with Azure ML in it")
    if options.dry_run:
        print(text(combined([], new)))
        return 0
    old = load()
    table = combined(old, new)
    save(table)
    print(f"{len(new)} exchanges read, {len(table) - len(old)} rows more; {len(table)} in all", file=sys.stderr)
    return 0


if __name__ == "__main__":
    main(run)
