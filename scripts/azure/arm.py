"""Azure Resource Manager itself, asked for what the SDK of Azure ML has no call for: one GET a question, never more."""

from __future__ import annotations

import base64
import contextlib
import json
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from scripts.azure import answers
from scripts.azure.client import ARM
from scripts.errors import CouldNotAskError, MayNotAskError

HOST = "https://management.azure.com"
SECONDS = 60  # Microsoft.Compute's list of sizes takes many
RETRIES = 2
PAGES = 50


class Arm:
    """Asks as one login; an instance may be used by several threads. Another login or transport is for tests."""

    def __init__(self, credential: Any = None, transport: Any = None) -> None:
        from azure.core import PipelineClient
        from azure.core.pipeline.policies import (
            BearerTokenCredentialPolicy,
            ProxyPolicy,
            RequestIdPolicy,
            RetryPolicy,
        )

        from scripts.azure.login import Login

        self._login = credential or Login()
        self.skew: float | None = None  # seconds that this machine's clock is ahead of the last answer's Date
        self._client: Any = PipelineClient(
            HOST,
            transport=transport,
            policies=[
                RequestIdPolicy(),
                ProxyPolicy(),
                RetryPolicy(retry_total=RETRIES),
                BearerTokenCredentialPolicy(self._login, ARM),
            ],
        )

    def get(self, what: str, path: str, version: str, todo: str = "", **query: str) -> dict[str, Any] | None:
        """Returns the answer to a GET, None where there is no such thing.

        Raises MayNotAskError with `todo` where the service refuses, CouldNotAskError where nobody answers.
        """
        return answers.ask(what, self._get, what, HOST + path, {"api-version": version, **query}, todo)

    def pages(self, what: str, path: str, version: str, todo: str = "", **query: str) -> Iterator[dict[str, Any]]:
        """Yields the items of a list, page by page; nothing where there is no such list."""
        page = self.get(what, path, version, todo, **query)
        for _ in range(PAGES):
            yield from (page or {}).get("value") or ()
            more = (page or {}).get("nextLink")
            if not more:
                return
            if urlsplit(more).hostname != urlsplit(HOST).hostname:  # it would be sent the token
                raise CouldNotAskError(f"its next page is on another host, {more[:80]}", what)
            page = answers.ask(what, self._get, what, more, {}, todo)

    def token_tenant(self) -> str:
        """Returns the directory that the login's token is of, an empty text where the token does not say."""
        token = answers.ask("the login's token", self._login.get_token, ARM)
        part = str(token.token).split(".")[1:2] if token else []
        try:
            claims = json.loads(base64.urlsafe_b64decode(part[0] + "=" * (-len(part[0]) % 4))) if part else {}
        except ValueError:
            return ""
        return str(claims.get("tid", "")) if isinstance(claims, dict) else ""

    def _compare_clocks(self, date: str | None, here: float) -> None:
        with contextlib.suppress(ValueError):
            if date:
                self.skew = here - parsedate_to_datetime(date).timestamp()

    def _get(self, what: str, address: str, query: dict[str, str], todo: str) -> dict[str, Any]:
        from azure.core.exceptions import HttpResponseError
        from azure.core.rest import HttpRequest

        request = HttpRequest("GET", address, params=query, headers={"Accept": "application/json"})
        sent = time.time()
        response = self._client.send_request(request, connection_timeout=10, read_timeout=SECONDS)
        self._compare_clocks(response.headers.get("Date"), (sent + time.time()) / 2)
        try:
            response.raise_for_status()
            content = response.json()
        except HttpResponseError as error:
            if answers.is_missing(error) or answers.is_unanswered(error):
                raise
            raise MayNotAskError(answers.sentence(error), what, todo) from error
        except ValueError:
            raise CouldNotAskError("the answer is no JSON", what) from None
        return content if isinstance(content, dict) else {}
