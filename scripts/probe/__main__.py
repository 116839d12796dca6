"""`python -m scripts.probe --env ENV`: asks the workspace what the table of exchanges asks, and says where it differs.

Only questions that read are asked (GET), nothing is made and no secret is asked for. What is printed has no id, name or
address in it, so that it can be pasted into a bug report; what differs is what the table should learn.
"""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from scripts.errors import CouldNotAskError, main, one_line
from scripts.probe.exchanges import Exchange, compare, echoed, load
from scripts.probe.paths import PROVIDER, masked, template
from scripts.probe.shapes import Difference
from scripts.values.read import Values, from_arguments, parser_of

ARM = "https://management.azure.com"
PREVIEW = "2023-08-01-preview"  # where a row does not say with which version of the API it was recorded
WIDTH = 80
OK, UNAUTHORIZED = 200, 401  # a login that has ended, or a workspace that is not to be seen, answers no question
NOBODY = "azureml-probe-none"  # a name that is not there
COLLECTIONS = (
    "computes datastores data models environments components jobs onlineEndpoints batchEndpoints schedules connections"
)
VERSIONED = ("data", "models", "environments", "components")


@dataclasses.dataclass(frozen=True)
class Answer:
    """What the workspace answered to a question, with the row that it is nearest to and its differences from that."""

    ask: str
    status: int
    row: Exchange | None
    differences: tuple[Difference, ...] = ()
    message: str = ""

    def lines(self) -> Iterator[str]:
        """Yields what is printed: nothing that belongs to anybody."""
        if self.row is None:
            yield f"otherwise  {self.ask}"
            yield f"answers {self.status}, which is not in the table{': ' * bool(self.message)}{self.message}"
        elif self.differences:
            yield f"otherwise  {self.ask}"
            yield f"{self.status} as in {self.row.id} ({self.row.dates}), but:"
            yield from map(str, self.differences)
        else:
            yield f"the same   {self.ask}"


class Probe:
    """Asks a workspace, and keeps what it answered."""

    def __init__(self, values: Values) -> None:
        from azure.core import PipelineClient
        from azure.core.pipeline.policies import BearerTokenCredentialPolicy, RetryPolicy

        from scripts.azure.client import ARM as AUDIENCE
        from scripts.azure.login import Login

        azure = values.data["azure"]
        self.ws = (
            f"/subscriptions/{azure['subscription_id']}/resourceGroups/{azure['resource_group']}"
            f"{PROVIDER}/workspaces/{azure['workspace']}"
        )
        self.rows = load()
        self.echoed = echoed(self.rows)
        policies = [RetryPolicy(), BearerTokenCredentialPolicy(Login(), AUDIENCE)]
        self.client: Any = PipelineClient(ARM, policies=policies)
        self.answers: list[Answer] = []

    def ask(self, path: str) -> Any:
        """Asks for a path of ARM, compares the answer, keeps it, and returns its body."""
        from azure.core.exceptions import ServiceRequestError, ServiceResponseError
        from azure.core.rest import HttpRequest

        question = f"GET {template(ARM + path)}"
        known = [row for row in self.rows if row.ask == question]
        newest = max(known, key=lambda row: row.last, default=None)
        api = (newest.api if newest else "") or PREVIEW
        url = f"{ARM}{path}{'&' if '?' in path else '?'}api-version={api}"
        try:
            response = self.client.send_request(HttpRequest("GET", url))
        except (ServiceRequestError, ServiceResponseError) as error:
            raise CouldNotAskError(one_line(masked(str(error), url)), question) from None
        try:
            body = response.json() if response.text() else None
        except ValueError:
            body = response.text()
        if response.status_code == UNAUTHORIZED or (path == self.ws and response.status_code != OK):
            raise CouldNotAskError(one_line(masked(_said(body) or f"HTTP {response.status_code}", url)), question)
        headers = {name.lower(): value for name, value in response.headers.items()}
        self.answers.append(self.compared(question, url, response.status_code, headers, body, known))
        return body

    def compared(
        self, question: str, url: str, status: int, headers: dict[str, str], body: Any, known: list[Exchange]
    ) -> Answer:
        """Returns an answer with the recorded row that it is nearest to, the newer one of two."""
        best: tuple[int, str, Exchange, list[Difference]] | None = None
        for row in known:
            if row.status == status:
                found = compare(row, headers, body, self.echoed)
                if best is None or len(found) < best[0] or (len(found) == best[0] and row.last > best[1]):
                    best = (len(found), row.last, row, found)
        said = _said(body)
        if best is None:
            return Answer(question, status, None, (), one_line(masked(said, url)))
        recorded = (best[2].error or {}).get("words", "")
        shown = f"says {masked(said, url)!r}, Azure: {recorded!r}"  # the one difference in which names can stand
        hidden = tuple(each._replace(what=shown) if each.kind == "words" else each for each in best[3])
        return Answer(question, status, best[2], hidden)

    def names(self, body: Any) -> list[str]:
        """Returns the names in a page."""
        items = body.get("value") if isinstance(body, dict) else None
        return [str(each.get("name")) for each in items or [] if isinstance(each, dict) and each.get("name")]

    def all(self, region: str) -> None:
        """Asks everything: the workspace, its region, one of each resource, and one that is not there."""
        self.ask(self.ws)
        for what in ("usages", "quotas", "vmSizes"):
            self.ask(f"/{'/'.join(self.ws.split('/')[1:3])}{PROVIDER}/locations/{region}/{what}")
        for collection in COLLECTIONS.split():
            place = f"{self.ws}/{collection}"
            self.ask(f"{place}/{NOBODY}")
            for name in self.names(self.ask(place))[:1]:
                one = f"{place}/{quote(name)}"
                self.ask(one)
                inside = (
                    "versions" if collection in VERSIONED else "deployments" if collection == "onlineEndpoints" else ""
                )
                for second in self.names(self.ask(f"{one}/{inside}"))[:1] if inside else []:
                    self.ask(f"{one}/{inside}/{quote(second)}")


def _said(body: Any) -> str:
    error = body.get("error") if isinstance(body, dict) else None
    return f"{error.get('code')}: {error.get('message')}" if isinstance(error, dict) else ""


def report(answers: list[Answer]) -> str:
    """Returns what is printed, at most WIDTH columns wide, what differs at the end."""
    lines = []
    for answer in sorted(answers, key=lambda answer: answer.row is None or bool(answer.differences)):
        head, *rest = answer.lines()
        lines += textwrap.wrap(head, WIDTH, subsequent_indent=" " * 11, break_on_hyphens=False) or [head]
        for each in rest:
            lines += textwrap.wrap(
                each, WIDTH, initial_indent="    ", subsequent_indent="      ", break_on_hyphens=False
            )
    otherwise = sum(answer.row is None or bool(answer.differences) for answer in answers)
    lines.append(f"{len(answers)} questions asked, {otherwise} answered otherwise than recorded")
    return "\n".join(lines)


def run() -> int:
    """The command."""
    values = from_arguments(parser_of("probe", __doc__.split("\n")[0]).parse_args())
    probe = Probe(values)
    with probe.client:
        probe.all(str(values.data["azure"]["region"]))
    print(report(probe.answers))
    return 0


if __name__ == "__main__":
    main(run)
