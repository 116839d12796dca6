"""What a chat model's endpoint answers, whole or as server-sent events; written and read here.

The same model answers in another shape with another server (azureml-assets at 2026-07-23):

    {"output": text}                                  the registry's vLLM image, asked at /score (api_server.py)
    [text], [{"0": text}]                             Azure's no-code MLflow scorer: what a chat model's predict gives,
                                                      through pandas (mlflow_score_script.py, azureml-evaluate-mlflow)
    {"choices": [{"message": {"content": text}}]}     the same vLLM image at /chat/completions
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from scripts.errors import FAILED, UserError, one_line

EVENTS = "text/event-stream"  # the media type of an answer that comes in pieces
_DATA, _DONE = "data: ", "[DONE]"
END = f"{_DATA}{_DONE}\n\n"

OUTPUT, LIST, RECORDS = "output", "list", "records"
SCORER = "scorer"  # the no-code scorer: records where a request has as many rows as answers, else a list
SHAPES = {
    OUTPUT: '{"output": "…"}',
    LIST: '["…"]',
    RECORDS: '[{"0": "…"}]',
    SCORER: '["…"], or [{"0": "…"}] for a conversation of one message',
}


def written(text: str, **more: Any) -> dict[str, Any]:
    """Returns an answer in the first shape, with what else belongs to it."""
    return {"output": text, **more}


def body(texts: Sequence[str], shape: str, rows: int) -> Any:
    """Returns what a server answers with: `texts`, one a conversation, to a request of so many rows.

    A row is a message, or a conversation where several came: pandas makes records of as many answers as there are rows.
    """
    if shape == OUTPUT:
        outputs = [written(text) for text in texts]
        return outputs if len(outputs) > 1 else outputs[0]
    if shape == LIST or (shape == SCORER and rows != len(texts)):
        return list(texts)
    return [{"0": text} for text in texts]


def event(content: dict[str, Any]) -> str:
    """Returns a piece of a streamed answer (`written`) or an {"error": …} as an event."""
    return f"{_DATA}{json.dumps(content, ensure_ascii=False)}\n\n"


def read(response: str) -> str:
    """Returns the text of a response, whatever its shape; a `UserError` shows a body that has none."""
    return told(response)[0]


def told(response: str) -> tuple[str, str]:
    """Returns the text of a response, and its shape in words; of several answers the first."""
    try:
        content = json.loads(response)
    except (ValueError, RecursionError):
        raise _unreadable("is not JSON", response) from None
    if isinstance(content, str):  # printed as JSON, `az ml online-endpoint invoke` quotes the body once more
        try:
            inner = json.loads(content)
        except (ValueError, RecursionError):
            inner = None
        found = _told(inner)
        return found if isinstance(inner, dict | list) and found else (content, '"…"')
    found = _told(content)
    if found:
        return found
    error = content.get("error") if isinstance(content, dict) else None
    raise _unreadable(f"is an error, {error}" if error else "has no answer in a known shape", response)


def _told(content: Any) -> tuple[str, str] | None:
    if isinstance(content, list) and content:
        if isinstance(content[0], str):
            return content[0], SHAPES[LIST]
        found = _told(content[0]) if isinstance(content[0], dict) else None
        return (found[0], f"[{found[1]}]") if found else None
    if not isinstance(content, dict):
        return None
    for key in ("output", "0"):
        text = content.get(key)
        if isinstance(text, list) and len(text) == 1:
            text = text[0]
        if isinstance(text, str):
            return text, f'{{"{key}": "…"}}'
    choices = content.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        message = choices[0].get("message")
        text = message.get("content") if isinstance(message, dict) else None
        if isinstance(text, str):
            return text, '{"choices": [{"message": {"content": "…"}}]}'
    return None


def _unreadable(why: str, response: str) -> UserError:
    return UserError(f"the endpoint's response {why}: {response.strip()[:500]!r}", FAILED)


def words(text: str) -> str:
    """Returns the words of a body that is no answer, in one line; empty where it has none.

    Azure's gateway and ARM say {"error": {"message"}}, the no-code scorer's server {"message"}, and some plain text.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return "" if text.lstrip().startswith("<") else one_line(text)[:300]
    if isinstance(content, dict):
        said = content.get("error", content)
        said = said.get("message", "") if isinstance(said, dict) else said
        return one_line(str(said))[:300] if said else ""
    return one_line(str(content))[:300] if content else ""


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
