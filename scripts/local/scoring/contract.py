"""The server's reading of a request (scripts/conversation/request.py says what clients send).

The messages may be wrapped in one more list, and several conversations may come in one request; the response is a list
of answers then. What Azure's own server would trip over is refused here with a sentence that names the key.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any

from scripts.conversation.request import PARAMETERS, ROLES, SENT
from scripts.errors import suggest

MOST_CONVERSATIONS = 64  # in one request
MOST_STOPS = 64  # all are looked for after every token
SHOWN = 80  # characters of what was found that a sentence repeats


class BadRequest(Exception):
    """The client's mistake, in a sentence: HTTP 400."""


@dataclass(frozen=True)
class Parameters:
    """How to answer; the defaults are those of the models' own generation."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0  # 0: no limit
    do_sample: bool = False
    max_new_tokens: int = 256
    stop: tuple[str, ...] = ()
    seed: int | None = None
    return_full_text: bool = False
    stream: bool = False


@dataclass(frozen=True)
class Question:
    """A checked request: its conversations, whether it held several (the response is a list then), and its rows.

    A row is what `input_string` lists: a message, or a conversation.
    """

    conversations: list[list[dict[str, Any]]]
    parameters: Parameters
    several: bool
    rows: int


def parse(body: bytes) -> Question:
    """Returns the checked request; a `BadRequest` names the key that is wrong, what was found and what is allowed."""
    try:
        content = decoded(body)
    except ValueError as error:
        raise BadRequest(f"The body is not JSON: {error}.") from None
    if not isinstance(content, dict):
        raise BadRequest(f'The body is {_kind(content)}; it must be an object such as {{"input_data": {{...}}}}.')
    _only(content, ("input_data", "params"), "")
    if "input_data" not in content:
        raise BadRequest("A value is not provided for the 'input_data' parameter.")
    return read(content["input_data"], content.get("params"))


def decoded(body: bytes) -> Any:
    """Returns the value of a JSON text; a ValueError for what is none, or cannot be said again in an answer."""
    try:
        content = json.loads(body)
        json.dumps(content, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError("it has half of a pair of surrogates, which is no character") from None
    return content


def read(data: Any, params: Any = None) -> Question:
    """Returns the checked `input_data`, with what stands in the other place for parameters."""
    if not isinstance(data, dict):
        raise BadRequest(f"input_data: found {_kind(data)}; it must be an object with input_string and parameters.")
    _only(data, ("input_string", "parameters"), "input_data")
    if "input_string" not in data:
        raise BadRequest("input_data.input_string: missing; give the list of messages.")
    given: dict[str, Any] = {}
    for where, part in (("input_data.parameters", data.get("parameters")), ("params", params)):
        if part is None:
            continue
        if not isinstance(part, dict):
            raise BadRequest(f'{where}: found {_kind(part)}; it must be an object such as {{"max_new_tokens": 200}}.')
        for name, value in part.items():
            given[name] = _parameter(where, name, value)
    conversations, several = _conversations(data["input_string"])
    parameters = Parameters(**given)
    if parameters.stream and several:
        raise BadRequest("input_data.parameters.stream: only one conversation at a time can be streamed.")
    return Question(conversations, parameters, several, len(data["input_string"]))


def _conversations(given: Any) -> tuple[list[list[dict[str, Any]]], bool]:
    where = "input_data.input_string"
    if not isinstance(given, list):
        raise BadRequest(f"{where}: found {_kind(given)}; it must be a list of messages.")
    if not given:
        raise BadRequest(f"{where}: the list of messages is empty.")
    if not isinstance(given[0], list):
        return [_messages(where, given)], False
    if len(given) > MOST_CONVERSATIONS:
        raise BadRequest(f"{where}: found {len(given)} conversations; at most {MOST_CONVERSATIONS} fit in one request.")
    checked = [_messages(f"{where}[{number}]", conversation) for number, conversation in enumerate(given)]
    return checked, len(checked) > 1


def _messages(where: str, messages: Any) -> list[dict[str, Any]]:
    if not isinstance(messages, list):
        raise BadRequest(f"{where}: found {_kind(messages)} beside conversations; each must be a list of messages.")
    if not messages:
        raise BadRequest(f"{where}: the list of messages is empty.")
    for number, message in enumerate(messages):
        at = f"{where}[{number}]"
        if not isinstance(message, dict):
            raise BadRequest(f'{at}: found {_kind(message)}; a message is {{"role": "user", "content": "..."}}.')
        for key in SENT:
            if key not in message:
                raise BadRequest(f"{at}.{key}: missing{suggest(key, message)}.")
            if not isinstance(message[key], str):
                raise BadRequest(f"{at}.{key}: found {_kind(message[key])}; it must be a string.")
        if message["role"] not in ROLES:
            near = suggest(message["role"], ROLES)
            raise BadRequest(f"{at}.role: found '{shown(message['role'])}'; allowed are {', '.join(ROLES)}{near}.")
    return messages


def _parameter(where: str, name: str, value: Any) -> Any:
    if name == "stop":
        stops = [value] if isinstance(value, str) else value
        if not isinstance(stops, list) or not all(isinstance(stop, str) and stop for stop in stops):
            raise BadRequest(f"{where}.stop: found {_kind(value)}; it must be a string or a list of strings.")
        if len(stops) > MOST_STOPS:
            raise BadRequest(f"{where}.stop: found {len(stops)} strings; at most {MOST_STOPS} are looked for.")
        return tuple(stops)
    if name not in PARAMETERS:
        allowed = sorted(field.name for field in fields(Parameters))
        raise BadRequest(f"{where}.{shown(name)}: unknown{suggest(name, allowed)}; allowed are {', '.join(allowed)}.")
    if not PARAMETERS[name].allows(value):
        raise BadRequest(f"{where}.{name}: found {shown(json.dumps(value))}; it must be {PARAMETERS[name].words}.")
    return value


def _only(content: dict[str, Any], allowed: tuple[str, ...], where: str) -> None:
    for name in content:
        if name not in allowed:
            path = f"{where}.{shown(name)}" if where else shown(name)
            raise BadRequest(f"{path}: unknown{suggest(name, allowed)}; allowed are {', '.join(allowed)}.")


def shown(text: str) -> str:
    """Returns the beginning of a text, in one line."""
    text = text if text.isprintable() else json.dumps(text)[1:-1]
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _kind(value: Any) -> str:
    """Returns JSON's word for a value."""
    words = {bool: "true or false", str: "a string", list: "a list", dict: "an object", type(None): "null"}
    return words.get(type(value), "a number")
