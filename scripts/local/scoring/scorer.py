"""How Azure's no-code MLflow scorer reads a request to a chat model of flavour hftransformersv2, and what it refuses.

From azureml-assets at 2026-07-23 (mlflow_score_script.py), azureml-inference-server-http 1.5 (input_parsers.py,
routes.py) and azureml-evaluate-mlflow 0.0.91 (ChatCompletionPredictor). Its server says what is wrong with the body's
outline; whatever fails inside the scoring script is a 500 of one sentence, and only the log has the reason. What the
script would take and this server cannot do is refused in the same way.
"""

from __future__ import annotations

from typing import Any

from scripts.conversation import request
from scripts.local.scoring import contract
from scripts.local.scoring.contract import BadRequest, Question

FAILED_SCRIPT = "An unexpected error occurred in scoring script. Check the logs for more info."
SYSTEM = ("<<SYS>>\n", "\n<</SYS>>\n\n")  # what the script puts around a system prompt, whatever the model's template
# transformers' pipeline knows no such arguments, or has no answer to return with them.
NOT_TAKEN = ("seed", "stream", "stop")

OVERFLOWS = 1e-36  # below it transformers divides ordinary logits to infinity in fp32, and torch refuses to sample


class ScriptError(Exception):
    """The scoring script would fail: HTTP 500, with the reason in the log only."""


def parse(body: bytes) -> tuple[Question, list[str]]:
    """Returns the checked request with the turns as the model gets them, and what is given without effect.

    A `BadRequest` in the server's own words, or a `ScriptError`.
    """
    try:
        content = contract.decoded(body)
    except ValueError as error:
        said = f"POST body could not be decoded as JSON: {error}"
        raise BadRequest(said if body else "POST body is empty. Expecting a JSON dictionary.") from None
    if not isinstance(content, dict):
        raise BadRequest("POST body should be a JSON dictionary.")
    if "input_data" not in content:
        raise BadRequest("A value is not provided for the 'input_data' parameter.")
    ignored = [name for name in content if name not in ("input_data", "params")]
    if content.get("params"):
        ignored.append("params")
    try:
        question = contract.read(content["input_data"])
        _check(question)
    except BadRequest as error:
        raise ScriptError(str(error)) from None
    turns = [_turns(conversation) for conversation in question.conversations]
    return Question(turns, question.parameters, question.several, question.rows), ignored


def _check(question: Question) -> None:
    parameters = question.parameters
    for name in NOT_TAKEN:
        if getattr(parameters, name) not in (None, False, ()):
            raise BadRequest(f"input_data.parameters.{name}: transformers' text generation has no such argument.")
    if parameters.do_sample and parameters.temperature == 0:
        raise BadRequest("input_data.parameters.temperature: 0 has to be a strictly positive float to sample.")
    if parameters.do_sample and parameters.temperature < OVERFLOWS:
        raise BadRequest(f"input_data.parameters.temperature: {parameters.temperature} leaves nothing to sample.")
    for conversation in question.conversations:
        reason = request.refused(conversation)
        if reason:
            raise BadRequest(f"input_data.input_string: {reason}.")


def _turns(conversation: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the turns that reach the template: the system prompt wrapped, tool turns dropped, all stripped."""
    kept = []
    for message in conversation:
        text = message["content"].strip()
        if message["role"] == "system":
            text = f"{SYSTEM[0]}{text}{SYSTEM[1]}"
        if message["role"] != "tool":
            kept.append({"role": message["role"], "content": text})
    return kept
