"""What a chat model's endpoint is asked: one record for those who ask and for the server that is asked.

    {"input_data": {"input_string": [{"role", "content"}, ...], "parameters": {...}}, "params": {}}

The shape is the contract of the registry's chat-completion models; `params` is where MLflow's own server looks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ROLES = ("system", "user", "assistant", "tool")
SENT = ("role", "content")  # what a server should read of a message


@dataclass(frozen=True)
class Rule:
    """What a parameter may be; `words` says it to the user."""

    kinds: tuple[type, ...]
    words: str
    least: float = float("-inf")
    most: float = float("inf")
    above: float = float("-inf")

    def allows(self, value: object) -> bool:
        """Whether a value is of the right kind (true is no number here) and within the limits."""
        if not isinstance(value, self.kinds) or isinstance(value, bool) != (self.kinds == (bool,)):
            return False
        return isinstance(value, int | float) and self.least <= value <= self.most and value > self.above


# How to answer. The limits are the local scoring server's; what Azure's own takes beyond them is unverified.
PARAMETERS = {
    "temperature": Rule((int, float), "a number from 0 to 100", 0, 100),
    "top_p": Rule((int, float), "a number above 0, up to 1", above=0, most=1),
    "top_k": Rule((int,), "a whole number, 0 for no limit", 0),
    "do_sample": Rule((bool,), "true or false"),
    "max_new_tokens": Rule((int,), "a whole number from 1", 1),
    "seed": Rule((int,), "a whole number from 0", 0, 2**63 - 1),
    "return_full_text": Rule((bool,), "true or false"),
    "stream": Rule((bool,), "true or false"),
}


def body(messages: Sequence[Mapping[str, Any]], parameters: Mapping[str, Any]) -> bytes:
    """Returns a request's bytes, as `az ml online-endpoint invoke` writes them; messages' other keys stay here.

    A temperature of 0 is sent as do_sample false, which it means: transformers refuses to sample at 0.
    """
    kept = [{key: message[key] for key in SENT if key in message} for message in messages]
    sent = {**parameters}
    if sent.get("temperature") == 0 and sent["temperature"] is not False:
        sent = {name: value for name, value in sent.items() if name not in ("temperature", "top_p", "top_k")}
        sent["do_sample"] = False
    return json.dumps({"input_data": {"input_string": kept, "parameters": sent}, "params": {}}).encode()


def refused(messages: Sequence[Mapping[str, Any]]) -> str:
    """Returns why Azure's no-code MLflow scorer refuses a conversation, in its own words; empty where it takes it.

    Its rules (azureml-evaluate-mlflow 0.0.91, ChatCompletionPredictor): a system turn at most, at the start; then user
    and assistant in turns, a user's last. Turns of other roles are dropped.
    """
    if not messages:
        return "Conversation is empty"
    if messages[-1].get("role") != "user":
        return "Last role should be 'user'"
    expected = "system" if messages[0].get("role") == "system" else "user"
    following = {"system": "user", "user": "assistant", "assistant": "user"}
    for message in messages:
        role = str(message.get("role"))
        if role in following and role != expected:
            at_start = "System prompts can only be set at the start of the conversation"
            return at_start if role == "system" else f"Invalid turn. Expected {role} input"
        expected = following.get(role, expected)
    return ""
