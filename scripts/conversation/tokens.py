"""From a conversation to tokens, and which of them are trained: for trainer, scoring server, evaluator, data report.

The tokens are exactly those of `tokenizer.apply_chat_template`. Trained are the answers: for every assistant turn, what
follows the generation prompt (`<|im_start|>assistant\\n`), up to and with the token that ends the turn. So the model is
trained on precisely what it has to produce when it serves, and learns to stop.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from typing import Any

from scripts.errors import UserError


@dataclass(frozen=True)
class Encoded:
    """Token ids of a conversation, and for each whether the model is trained to produce it."""

    ids: list[int]
    trained: list[bool]

    def cut(self, length: int) -> Encoded:
        """Returns the first `length` tokens: the component truncates at the end, it does not split."""
        return Encoded(self.ids[:length], self.trained[:length])


def text(tokenizer: Any, messages: list[dict[str, Any]], tools: Any = None, answer: bool = False) -> str:
    """Returns the conversation as the tokenizer's template writes it; with `answer`, the generation prompt after it."""
    if not getattr(tokenizer, "chat_template", None):
        raise UserError(
            "The tokenizer has no chat template, so nobody can say how a conversation becomes tokens; add "
            "chat_template.jinja (or `chat_template` in tokenizer_config.json) to the model's folder, or set "
            "`finetune_chat_template` in the file of finetune_config_path."
        )
    written: str = tokenizer.apply_chat_template(messages, tools=tools, tokenize=False, add_generation_prompt=answer)
    return written


def prompt(tokenizer: Any, messages: list[dict[str, Any]], tools: Any = None, system_role: bool = True) -> list[int]:
    """Returns the tokens that the model continues with its answer."""
    messages = messages if system_role else fold_system(messages)
    coded = tokenizer(text(tokenizer, messages, tools, answer=True), add_special_tokens=False)
    return list(coded["input_ids"])


def encode(tokenizer: Any, messages: list[dict[str, Any]], tools: Any = None, system_role: bool = True) -> Encoded:
    """Returns the whole conversation as tokens with the trained ones marked.

    An assistant turn that opens the conversation answers nothing and is not trained. A `UserError` if the template
    writes a turn differently once another follows: training on it would teach what serving never asks for.
    """
    messages = messages if system_role else fold_system(messages)
    whole = text(tokenizer, messages, tools)
    spans = _answer_spans(tokenizer, messages, tools, whole)
    coded = tokenizer(whole, add_special_tokens=False, return_offsets_mapping=True)
    ids, offsets = coded["input_ids"], coded["offset_mapping"]
    starts = [first for first, _ in offsets]
    special = set(tokenizer.all_special_ids)
    trained = [False] * len(ids)
    for start, end in spans:
        first, last = bisect.bisect_left(starts, start), bisect.bisect_left(starts, end)
        while last > first and offsets[last - 1][1] > end:  # a token that also holds what follows the turn
            last -= 1
        # What the template writes after the token that ends the turn (a line break, often) is never generated.
        ending = next((at for at in range(last - 1, first - 1, -1) if ids[at] in special), last - 1)
        trained[first : ending + 1] = [True] * (ending + 1 - first)
    return Encoded(ids, trained)


def fold_system(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Prepends the system message to the first user message, for models with `system_role_supported: "false"`.

    The component's rule and its words: one system message, at the beginning, and a user message to take it.
    """
    systems = [at for at, message in enumerate(messages) if message.get("role") == "system"]
    if not systems:
        return messages
    if systems != [0]:
        raise UserError("Only one system role should be present and should be at the beginning of messages.")
    first = next((at for at, message in enumerate(messages) if message.get("role") == "user"), None)
    if first is None:
        raise UserError(
            "The system message needs a user message to be prepended to, as this model knows no system role."
        )
    joined = {**messages[first], "content": f"{messages[0]['content']}\n\n{messages[first]['content']}"}
    return [*messages[1:first], joined, *messages[first + 1 :]]


def _answer_spans(tokenizer: Any, messages: list[dict[str, Any]], tools: Any, whole: str) -> list[tuple[int, int]]:
    """Finds where in `whole` each answer stands, by writing the conversation up to it with and without it."""
    spans = []
    for turn, message in enumerate(messages):
        if turn == 0 or message.get("role") != "assistant":
            continue
        before = text(tokenizer, messages[:turn], tools, answer=True)
        with_answer = text(tokenizer, messages[: turn + 1], tools) if turn + 1 < len(messages) else whole
        if not with_answer.startswith(before) or not whole.startswith(with_answer):
            raise UserError(
                f"The chat template writes the assistant's turn {turn + 1} differently once it is answered or "
                "followed by another turn, so what is trained would not be what is served; set a template that only "
                "ever appends (`finetune_chat_template` in the file of finetune_config_path)."
            )
        spans.append((len(before), len(with_answer)))
    return spans
