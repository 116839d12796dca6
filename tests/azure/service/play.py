"""Asks a fresh emulator what the real service was asked, and compares the answers: `make conformance`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import signal
import ssl
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from scripts import terminal
from scripts.errors import FAILED, UserError, main
from scripts.probe.exchanges import Exchange, compare, echoed, fitting, load, recorded_places, resource
from scripts.probe.paths import query, template
from scripts.probe.shapes import Difference
from tests.conftest import WORKSPACE, Emulated

ARM = "https://management.azure.com"
DATA = f"https://{WORKSPACE['region']}.api.azureml.ms"
PREVIEW, STABLE = "2023-08-01-preview", "2024-04-01"  # what the SDK asks with, and what other clients do
REFUSED = "refused"
ENDED = {"Succeeded", "Failed", "Canceled"}
EXCEPTIONS = Path(__file__).with_name("exceptions.yaml")


@dataclasses.dataclass
class Result:
    """What came of one question: the differences from the newest row, and the row to which the answer is nearest."""

    say: str
    row: Exchange
    status: int
    differences: list[Difference]
    near: Exchange | None = None
    near_differences: list[Difference] = dataclasses.field(default_factory=list)
    exceptions: list[dict[str, str]] = dataclasses.field(default_factory=list)

    @property
    def same_status(self) -> bool:
        """Says whether the status is the recorded one."""
        return self.status >= 400 if self.row.status == REFUSED else self.status == self.row.status

    @property
    def same(self) -> bool:
        """Says whether nothing differs from what was recorded last."""
        return self.same_status and not self.differences

    @property
    def recorded(self) -> bool:
        """Says whether the answer is one that was recorded, if not the last one: with another request, or earlier."""
        return self.same_status and not self.near_differences

    def named(self) -> bool:
        """Says whether every difference is one that the list of exceptions names."""
        found = [*self.near_differences, *([] if self.same_status else [status_difference()])]
        return all(any(covers(exception, self, each) for exception in self.exceptions) for each in found)

    def line(self) -> str:
        """Returns the disagreement in a line."""
        head = f"{self.row.ask} ({self.say}, {(self.near or self.row).id})"
        if not self.same_status:
            return f"{head}: answered {self.status}, Azure {self.row.status}"
        found = self.near_differences or self.differences
        more = f"; {len(found) - 3} more" if len(found) > 3 else ""
        return f"{head}: {'; '.join(str(each) for each in found[:3])}{more}"


def status_difference() -> Difference:
    """Returns what an exception names where the status differs."""
    return Difference("status", "status", "")


def covers(exception: dict[str, str], result: Result, difference: Difference) -> bool:
    """Says whether an exception is about a difference of a question."""
    wheres = exception["where"] if isinstance(exception["where"], list) else [exception["where"]]
    return exception["ask"] in (result.row.ask, "any") and any(
        difference.where == where or (where.endswith("*") and difference.where.startswith(where[:-1]))
        for where in wheres
    )


class Player:
    """Sends questions, keeps what came of each, and knows the words that they need."""

    def __init__(self, env: dict[str, str], workspace: dict[str, str] = WORKSPACE) -> None:
        self.table = load()
        self.echoed, self.places = echoed(self.table), recorded_places(self.table)
        self.env = env
        self.ws = (
            f"/subscriptions/{workspace['subscription_id']}/resourceGroups/{workspace['resource_group']}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{workspace['workspace']}"
        )
        self.locations = (
            f"/subscriptions/{workspace['subscription_id']}/providers/Microsoft.MachineLearningServices"
            f"/locations/{workspace['region']}"
        )
        trusted = ssl.create_default_context(cafile=env["REQUESTS_CA_BUNDLE"])
        self.client = httpx.Client(proxy=env["HTTPS_PROXY"], verify=trusted, timeout=60, trust_env=False)
        self.token = ""
        self.results: list[Result] = []
        self.exceptions = exceptions()

    def send(self, method: str, url: str, body: Any = None, **more: Any) -> httpx.Response:
        """Sends a request: a path of ARM, or a whole URL; with the token, unless headers are given."""
        url = url if url.startswith("http") else ARM + url
        api = more.pop("api", PREVIEW)
        if template(url).split(":")[0] not in ("blob", "identity", "scoring") and "api-version=" not in url:
            url += f"{'&' if '?' in url else '?'}api-version={api}"
        headers = more.pop("headers", None) or {"Authorization": f"Bearer {self.token}"}
        if body is not None:
            more["json"] = body
        return self.client.request(method, url, headers=headers, **more)

    def ask(
        self,
        say: str,
        method: str,
        url: str,
        body: Any = None,
        status: int | str = 200,
        case: Iterable[str] = (),
        rule: Callable[[Any], bool] | None = None,
        **more: Any,
    ) -> httpx.Response:
        """Asks, and compares with the newest row of this question, status and case.

        `rule`: what is known beside the shape, as a function of the body; its docstring or name says what.
        """
        response = self.send(method, url, body, **more)
        self.judge(say, response, f"{method} {template(str(response.request.url))}", status, tuple(case), rule)
        return response

    def judge(
        self,
        say: str,
        response: httpx.Response,
        asked: str | None,
        status: int | str,
        case: tuple[str, ...] = (),
        rule: Callable[[Any], bool] | None = None,
    ) -> None:
        """Compares a response that came with the table, and keeps the result; `asked` None: of an operation's poll."""
        polled = asked is None
        asked = asked or f"GET {template(str(response.request.url))}"
        rows = fitting(self.table, asked, status, case, query(str(response.request.url)).get("api-version", ""))
        row = rows[0] if rows else None
        if row is None and polled:  # the emulator says where to poll, and what: never recorded is a disagreement
            row = Exchange(f"no row for {', '.join(case)}", asked, "never")
        if row is None:
            raise UserError(f"{say}: the table has no row for {asked} with status {status} and case {', '.join(case)}")
        content = content_of(response)
        headers = {name.lower(): value for name, value in response.headers.items()}
        broken = []
        if rule is not None and response.status_code < 400 and not holds(rule, content):
            broken = [Difference("rule", rule.__name__, (rule.__doc__ or "").strip())]
        result = Result(say, row, response.status_code, [], row, [], self.exceptions)
        if result.same_status:
            found = [(each, compare(each, headers, content, self.echoed)) for each in rows]
            result.differences = found[0][1] + broken
            known = self.places[resource(row)]  # a resource has what any answer about it had
            nearer = [
                (
                    each,
                    [
                        one
                        for one in differences
                        if one.kind != "extra" or one.where.removeprefix(".value[]") not in known
                    ],
                )
                for each, differences in found
            ]
            result.near, near = min(nearer, key=lambda pair: len(pair[1]))
            result.near_differences = near + broken
        self.results.append(result)

    def follow(self, response: httpx.Response, say: str, seconds: float = 90) -> str:
        """Polls the operation that a response began; judges its first and its last poll; returns how it ended."""
        where = response.headers.get("azure-asyncoperation") or response.headers.get("location")
        if response.status_code >= 400 or not where:
            return ""
        deadline, first = time.monotonic() + seconds, True
        while time.monotonic() < deadline:
            poll = self.send("GET", where)
            content = content_of(poll)
            state = content.get("status", "") if isinstance(content, dict) else ""
            over = state in ENDED or (not state and poll.status_code != 202)
            if first or over:
                words = (f"state:{state}",) if state else ()
                self.judge(f"{say}: {'the end' if over else 'first poll'}", poll, None, poll.status_code, words)
            if over:
                return str(state)
            first = False
            time.sleep(0.1)
        raise UserError(f"{say}: the operation did not end within {seconds:g} s")

    def until(self, url: str, key: str, words: Iterable[str], seconds: float = 90) -> str:
        """Waits until a key of a resource's properties is one of some words and returns it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            content = content_of(self.send("GET", url))
            word = content.get("properties", {}).get(key) if isinstance(content, dict) else None
            if word in words:
                return str(word)
            time.sleep(0.2)
        raise UserError(f"{url}: {key} was none of {', '.join(words)} within {seconds:g} s")


def holds(rule: Callable[[Any], bool], content: Any) -> bool:
    """Says whether a rule holds; a key that is not there is a rule that does not."""
    try:
        return rule(content)
    except (KeyError, IndexError, TypeError):
        return False


def content_of(response: httpx.Response) -> Any:
    """Returns the body as JSON, else as text; None where it is empty."""
    try:
        return response.json() if response.content else None
    except ValueError:
        return response.text


def exceptions() -> list[dict[str, str]]:
    """Returns the differences that are there on purpose, each with its reason."""
    return yaml.safe_load(EXCEPTIONS.read_text())["exceptions"] or []


@contextmanager
def fresh() -> Iterator[Emulated]:
    """An emulator of its own, in a home that goes with it."""
    with tempfile.TemporaryDirectory(prefix="azureml-conformance-") as home:
        emulated = Emulated(Path(home), WORKSPACE)
        emulated.up()
        try:
            yield emulated
        finally:
            emulated.down()


def summary(results: list[Result]) -> str:
    """Returns the last line."""
    return (
        f"{len(results)} asked, {sum(each.same_status for each in results)} agree in status, "
        f"{sum(each.same for each in results)} in shape"
    )


def run() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="make conformance", description=__doc__)
    parser.add_argument("--all", action="store_true", help="print also what the exceptions name")
    parser.add_argument("--only", default="", help="print only lines with this word")
    parser.add_argument("--full", action="store_true", help="print every difference")
    parser.add_argument("--json", type=Path, help="write every result to a file")
    options = parser.parse_args()
    from tests.azure.service.scenes import play

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the emulator ends too
    with fresh() as emulated:
        results = play(Player(emulated.env))
    for each in sorted(results, key=lambda each: each.same_status):
        if not each.same and (options.all or not each.named()) and options.only in each.line():
            print(terminal.wrapped(each.line(), "    ", ""))
            for difference in each.near_differences[3:] if options.full else []:
                print(terminal.wrapped(difference, "      ", "    "))
    if options.json:
        rows = [
            {"say": each.say, "row": each.row.id, "ask": each.row.ask, "azure": each.row.status, "status": each.status,
             "differences": each.differences} for each in results
        ]  # fmt: skip
        options.json.write_text(json.dumps(rows, indent=1))
    unnamed = sum(not each.named() for each in results)
    others = sum(each.recorded and not each.same for each in results)
    print(terminal.wrapped(f"{others} more answers are as in another recording: an earlier one, or of another request"))
    allowed = yaml.safe_load(EXCEPTIONS.read_text())["unnamed"]
    print(summary(results))
    if unnamed > allowed:
        print(
            f"error: {unnamed} disagreements that {EXCEPTIONS.name} does not name; committed are {allowed}",
            file=sys.stderr,
        )
        return FAILED
    return 0


if __name__ == "__main__":
    main(run)
