"""`python -m tests.azure.service.coverage [--write]`: scripts/local/AZURE.md, what is here and how that is known.

It is made from the routes of the emulator, from the sentences in which it refuses, and from the tables of this folder.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from scripts.errors import FAILED, main
from scripts.files import ROOT, write
from scripts.probe.exchanges import Exchange, load
from scripts.probe.paths import template
from tests.azure.service import behaviours, play
from tests.azure.service.behaviours import Behaviour

PAGE = ROOT / "scripts" / "local" / "AZURE.md"
HOSTS = {
    "arm": "https://management.azure.com",
    "identity": "https://login.microsoftonline.com",
    "data": "https://eastus.api.azureml.ms",
    "blob": "https://account.blob.core.windows.net",
    "scoring": "https://endpoint.eastus.inference.ml.azure.com",
}
TITLES = {
    "arm": "Azure Resource Manager (management.azure.com)",
    "identity": "Sign-in (login.microsoftonline.com)",
    "data": "Azure ML's own hosts (<region>.api.azureml.ms)",
    "blob": "Storage (<account>.blob.core.windows.net)",
    "scoring": "Online endpoints (<endpoint>.<region>.inference.ml.azure.com)",
}
REFUSAL = re.compile(
    "local Azure ML (has|runs|serves|reads|trains|does not emulate)|not emulated by the local Azure ML", re.IGNORECASE
)
HEAD = """# What of Azure ML is here, and how that is known

Written by `make docs`; do not edit. From the routes of the emulator, from the sentences in which it
refuses, and from the tables in tests/azure/service: {exchanges} recorded exchanges with the real service and
{behaviours} behaviours that people and Microsoft's own repositories reported. `make conformance` asks the emulator what
the real service was asked; `make probe ENV=…` asks your own workspace and says where it answers otherwise.

In braces stand names: `{{ws}}` is a workspace's path, `{{registry}}` a registry's. "Recorded" counts the recordings of
that question by Microsoft's own tests, with the newest year; nothing there means that the answer follows the SDK and
the documentation, unverified.
"""


def cell(text: object) -> str:
    """Returns a text as a cell of a table."""
    return " ".join(str(text).split()).replace("|", "\\|")


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """Yields the lines of a table."""
    names = list(head)
    yield "| " + " | ".join(names) + " |"
    yield "|" + "---|" * len(names)
    for row in rows:
        yield "| " + " | ".join(cell(each) for each in row) + " |"
    yield ""


def sentence(docstring: str | None) -> str:
    """Returns the first paragraph of a docstring on a line."""
    return " ".join((docstring or "").split("\n\n")[0].split())


def asked(family: str, route: str) -> str:
    """Returns a route's template as the table of exchanges writes it."""
    path = re.sub(r"\{\w+:path\}", "x", route)
    words = template(HOSTS[family] + re.sub(r"\{(\w+)\}", r"x\1", path))
    return re.sub(r"\bx([a-z]+)\b", r"{\1}", words)


def evidence(rows: list[Exchange]) -> str:
    """Returns how often and until when something was recorded."""
    if not rows:
        return ""
    years = [row.last[:4] for row in rows if row.last]
    return f"{sum(row.seen for row in rows)}, {max(years)}" if years else str(sum(row.seen for row in rows))


def emulated(exchanges: list[Exchange]) -> Iterator[str]:
    """Yields the section about the routes."""
    from scripts.local.resources import absent
    from scripts.local.routes import TABLES

    yield "## Emulated\n"
    for family, title in TITLES.items():
        yield f"### {title}\n"
        rows = []
        for route in TABLES[family].table:
            if route in absent.arm.table:
                continue
            name = asked(family, route.template)
            mine = [row for row in exchanges if row.ask.partition(" ")[2] == name]
            mine = [row for row in mine if row.ask.partition(" ")[0] in route.methods]
            question = f"{' '.join(sorted(route.methods))} {name.removeprefix(f'{family}:')}"
            rows.append((question, sentence(route.handler.__doc__), evidence(mine)))
        rows.sort(key=lambda row: row[0].rpartition(" ")[2])
        yield from table(("question", "what is done", "recorded"), [(f"`{row[0]}`", *row[1:]) for row in rows])


def refusals() -> list[tuple[str, str]]:
    """Returns every sentence in which the emulator's code says what it has not, with its module; a value in it is …."""
    found = set()
    for room in ("resources", "jobs", "serving", "storage"):
        for path in (PAGE.parent / room).glob("*.py"):
            if path.name == "absent.py":  # a table of its own
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.JoinedStr):
                    parts = [each.value if isinstance(each, ast.Constant) else "…" for each in node.values]
                    text = "".join(map(str, parts))
                else:
                    text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
                if REFUSAL.search(text) and not text.startswith(("Refuses", "Finds", "Lists")):
                    found.add((" ".join(text.split()), f"{room}/{path.name}"))
    whole = {text for text, _ in found}
    return sorted(each for each in found if not any(each[0] != text and each[0] in text for text in whole))


def refused(exchanges: list[Exchange]) -> Iterator[str]:
    """Yields the section about what is refused."""
    from scripts.local.resources.absent import KINDS

    yield "## Refused\n"
    yield "Resources of a workspace whose lists are empty, of which one that is asked for is not there, as in a"
    yield "workspace that has none, and which cannot be made:\n"
    asks = {row.ask for row in exchanges if row.status == 404}
    asked_for = {each.path: f"GET {{ws}}/{each.path}/{{name}}" in asks for each in KINDS}
    known = {True: "yes", False: "unverified"}
    rows = [(f"`{each.path}`", each.name, each.instead, known[asked_for[each.path]]) for each in KINDS]
    yield from table(("resource", "what it is", "instead", "its 404 is recorded"), rows)
    yield "What a request may ask for and is refused, as the code says it (… is what was asked):\n"
    yield from table(("sentence", "where"), [(text, f"`{where}`") for text, where in refusals()])
    yield "Recorded, and not there for another reason:\n"
    left = yaml.safe_load(play.EXCEPTIONS.with_name("not_played.yaml").read_text())
    others = [row for row in left if not row["why"].startswith("the local Azure ML has no ")]
    reasons = [(f"`{row['ask']}`", row["why"]) for row in others]
    yield from table(("question", "why"), reasons)
    yield "Every other question is answered with 404 `NotEmulated`, and a host that is not emulated with 403.\n"


def differences() -> Iterator[str]:
    """Yields the section about what is answered otherwise on purpose."""
    yield "## Answered otherwise on purpose\n"
    named = play.exceptions()
    if named:
        rows = []
        for each in named:
            wheres = each["where"] if isinstance(each["where"], list) else [each["where"]]
            where = ", ".join(f"`{one}`" if one else "the answer itself" for one in wheres)
            rows.append((f"`{each['ask']}`", where, each["why"]))
        yield from table(("question", "where in the answer", "why"), rows)
    unnamed = yaml.safe_load(play.EXCEPTIONS.read_text())["unnamed"]
    if unnamed:
        yield f"Up to {unnamed} more answers differ in their shape: `make conformance` prints each.\n"
    elif not named:
        yield "Nothing.\n"


def reported(rows: list[Behaviour]) -> Iterator[str]:
    """Yields the sections about the behaviours."""
    columns = ("what is asked", "what Azure answers", "source", "date")

    def lines(each: Behaviour) -> tuple[str, str, str, str]:
        status = f"{each.http}: " if each.http else ""
        return each.ask, status + each.answer, each.source, each.date

    yield "## Unverified\n"
    yield "Nobody who was asked, and nothing that was found, says for sure what the service does.\n"
    yield from table(columns, [lines(each) for each in rows if each.unverified])
    yield "## Reported, and kept to here\n"
    yield "Where: chain (Makefile, templates), check (validate, preflight), emulator. What no test holds may fail.\n"
    kept = [each for each in rows if not each.unverified and set(each.held) & set(behaviours.ENFORCED)]
    where = [", ".join(place for place in each.held if place in behaviours.ENFORCED) for each in kept]
    yield from table(
        (*columns, "where", "tests"),
        [(*lines(each), place, len(each.tests) or "none") for each, place in zip(kept, where, strict=True)],
    )
    yield "## Reported, and not modelled here\n"
    others = [each for each in rows if not each.unverified and not set(each.held) & set(behaviours.ENFORCED)]
    yield from table(columns, [lines(each) for each in others])


def page() -> str:
    """Returns the whole page."""
    exchanges, rows = load(), behaviours.load()
    parts = [HEAD.format(exchanges=len(exchanges), behaviours=len(rows))]
    for section in (emulated(exchanges), refused(exchanges), differences(), reported(rows)):
        parts += section
    return "\n".join(parts).rstrip() + "\n"


def run() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="make docs", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the page; without it say whether it is stale")
    options = parser.parse_args()
    made, where = page(), Path(PAGE).relative_to(ROOT)
    if options.write:
        write(PAGE, made)
        print(f"{where}: written")
        return 0
    if not PAGE.exists() or PAGE.read_text() != made:
        print(f"{where} is stale: make docs writes it", file=sys.stderr)
        return FAILED
    print(f"{where} is up to date")
    return 0


if __name__ == "__main__":
    main(run)
