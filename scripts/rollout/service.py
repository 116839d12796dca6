"""What a rollout asks beside az: answers of one deployment or another, the quota, the price."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from scripts.conversation import endpoint
from scripts.conversation.endpoint import AskError, Endpoint
from scripts.conversation.held_out import Case
from scripts.errors import MISSING, UserError
from scripts.targets import costs_nothing
from scripts.values.read import Values

BUSY, PATIENCE = (429, 503), 10  # what more than enough requests get, which the next second takes; so many seconds


@dataclass(frozen=True)
class Reply:
    """What came of a question: an answer, or an error in a sentence, after so many seconds."""

    text: str
    seconds: float
    error: str = ""


class Service(Protocol):
    """Who is asked."""

    def ask(self, deployment: str, case: Case) -> Reply:
        """Asks one deployment a question, whatever traffic it has."""

    def no_room(self) -> str:
        """Says why the quota does not bear one more deployment, an empty text where it does."""

    def price(self) -> str:
        """Returns what a deployment costs an hour, `, 0.53 USD an hour`; an empty text where nobody knows."""


class Live:
    """The endpoint's own deployments, by the SDK and HTTP."""

    def __init__(self, values: Values, on: str) -> None:
        self._values, self._on = values, on
        self._found: dict[str, Endpoint] = {}

    @cached_property
    def _client(self) -> Any:
        from scripts.azure import client

        return client.connect(self._values)

    @cached_property
    def _http(self) -> Any:
        return endpoint.http_client(self._values.data["deployment"]["request_timeout_ms"] / 1000 + 10)

    def ask(self, deployment: str, case: Case) -> Reply:
        """Asks as a client that decodes greedily; who is busy is asked again in a second."""
        found = self._endpoint(deployment)
        parameters = {**self._values.data["request"], "temperature": 0}
        until = time.monotonic() + PATIENCE
        while True:
            begun = time.monotonic()
            try:
                return Reply(found.ask(case.messages, parameters, self._http), time.monotonic() - begun)
            except UserError as error:
                busy = isinstance(error, AskError) and error.status in BUSY and time.monotonic() < until
                if not busy:
                    return Reply("", time.monotonic() - begun, str(error))
            time.sleep(1)

    def _endpoint(self, deployment: str) -> Endpoint:
        if deployment not in self._found:
            found = endpoint.deployment_of(self._client, self._on, deployment)
            if found is None:
                raise UserError(f"endpoint {self._on} has no deployment {deployment} any more", MISSING)
            self._found[deployment] = found
        return self._found[deployment]

    def no_room(self) -> str:
        """Asks the region for its quota, as preflight does, for one more deployment beside what stands."""
        from scripts.azure import live
        from scripts.preflight import context, quota
        from scripts.preflight.finding import FAIL

        found = quota.beside(context.build(self._values, live.Live(self._values)))
        return f"{found.sentence}; {found.todo}" if found.status == FAIL else ""

    def price(self) -> str:
        """Takes the price of the values, else of the lock or the catalog."""
        from scripts.estimate import price

        serves = self._values.data["deployment"]
        known = None if costs_nothing() else price.of_what_runs(self._values, "deployment", serves["instance_type"])
        return f", {known.per_hour * serves['instance_count']:.2f} {known.currency} an hour" if known else ""
