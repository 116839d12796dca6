"""What a chat model's endpoint answers: {"output": text}, whole or as server-sent events; written and read here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from scripts.errors import FAILED, UserError

EVENTS = "text/event-stream"  # the media type of an answer that comes in pieces
_DATA, _DONE = "data: ", "[DONE]"
END = f"{_DATA}{_DONE}\n\n"


def written(text: str, **more: Any) -> dict[str, Any]:
    """Returns what an endpoint answers with."""
    return {"output": text, **more}


def event(content: dict[str, Any]) -> str:
    """Returns a piece of a streamed answer (`written`) or an {"error": …} as an event."""
    return f"{_DATA}{json.dumps(content, ensure_ascii=False)}\n\n"


def read(response: str) -> str:
    """Returns the text of a response; models answer `{"output": …}`, and some a list of those."""
    try:
        content = json.loads(response)
        if isinstance(content, str):  # printed as JSON, `az ml online-endpoint invoke` quotes the body once more
            content = json.loads(content)
        if isinstance(content, list):
            content = content[0]
        output = content["output"]
        if not isinstance(output, str):
            raise ValueError(output)
    except (ValueError, KeyError, IndexError, TypeError):
        raise UserError(f"the endpoint's response has no output: {response.strip()[:200]!r}", FAILED) from None
    return output


def pieces(chunks: Iterable[str]) -> Iterator[str]:
    """Yields the texts of a streamed answer; a `UserError` if it holds an error, or something that is no event."""
    for line in _lines(chunks):
        data = line.removeprefix(_DATA)
        if data in (line, _DONE):
            continue
        try:
            content = json.loads(data)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise UserError(f"the stream has something that is no event: {data[:100]!r}", FAILED)
        if "error" in content:
            error = content["error"]
            raise UserError(str(error.get("message", error) if isinstance(error, dict) else error), FAILED)
        if content.get("output"):
            yield str(content["output"])


def _lines(chunks: Iterable[str]) -> Iterator[str]:
    """Splits at line feeds alone: what was said may hold other separators, at which httpx's own lines would end."""
    rest = ""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split("\n")
        yield from (line.removesuffix("\r") for line in lines)
    yield rest
