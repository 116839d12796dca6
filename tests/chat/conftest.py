"""The chat page's server, with somebody who answers in the place of the endpoint and of the base model."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.chat import web
from scripts.chat.base import Base
from scripts.errors import UserError
from scripts.pages import markdown

PARAMETERS = {"temperature": 0.6, "top_p": 0.9, "do_sample": True, "max_new_tokens": 50}


TOLD: list[str] = []  # what is answered to "as told", in pieces


class Asked:
    """Stands for the endpoint: remembers what it was asked, and answers in pieces."""

    def __init__(self) -> None:
        self.requests: list[tuple[list[dict[str, str]], dict[str, Any]]] = []

    def __call__(self, messages: list[dict[str, str]], parameters: dict[str, Any]) -> Iterator[str]:
        self.requests.append((messages, parameters))
        question = messages[-1]["content"]
        if "as told" in question:
            yield from TOLD
            return
        if "fail" in question:
            raise UserError("endpoint e: HTTP 429: more requests at once than it takes")
        yield "You said "
        if "slowly" in question:
            time.sleep(1.5)
        yield f"<b>{question}</b>"


def base(messages: list[dict[str, str]], parameters: dict[str, Any]) -> Iterator[str]:
    if "no base" in messages[-1]["content"]:
        raise UserError("the base model's weights do not fit")
    yield "I am the base."


EXAMPLES = [
    {"messages": [{"role": "system", "content": f"Be brief {at}."}, {"role": "user", "content": f"question {at} "}],
     "truth": '{"a": "<script>"}', "html": str(markdown.rendered('{"a": "<script>"}'))}
    for at in range(5)
]  # fmt: skip


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def server(asked: Asked, tmp_path: Path) -> Iterator[web.Server]:
    server = web.Server(0, "model:1 </script> at endpoint", dict(PARAMETERS), asked, tmp_path / "saved.jsonl",
                        Base("weights here", ask=base), EXAMPLES)  # fmt: skip
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()
