"""Proves that llama.cpp reads conversations as the model's own tokenizer does: the same template, the same tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.conversation import tokens as chat
from scripts.errors import FAILED, UserError
from scripts.export import gguf_file
from scripts.export.conversations import Conversation
from scripts.export.llama_cpp import LlamaCpp, RefusedError
from scripts.export.vocabulary import Vocabulary

SHOWN = 4  # tokens around the first one that differs


@dataclass(frozen=True)
class Expected:
    """What the model's own template and tokenizer make of a conversation.

    `text` and its tokens are all of it, with the beginning of one more answer; `prompt` ends before its last answer.
    """

    conversation: Conversation
    question: list[dict[str, Any]]  # as the template is given it
    text: str
    tokens: list[int]
    prompt: str


def expected(tokenizer: Any, conversations: Sequence[Conversation], system_role: bool) -> list[Expected]:
    """Returns what the model's own tokenizer makes of conversations, without those that its template refuses."""
    import jinja2

    found = []
    for each in conversations:
        whole, question = (
            messages if system_role else chat.fold_system(messages) for messages in (each.messages, each.question)
        )
        try:
            text = chat.text(tokenizer, whole, each.tools, answer=True)
            prompt = chat.text(tokenizer, question, each.tools, answer=True)
        except (jinja2.TemplateError, UserError):
            continue
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        found.append(Expected(each, question, text, ids, prompt))
    if not found:
        raise UserError("nothing is exported: the model's own chat template refuses every conversation", FAILED)
    return found


def find_split(probe: Path, name: str, tokenizer: Any, vocabulary: Vocabulary, wanted: Sequence[Expected]) -> str:
    """Returns llama.cpp's name for how text is split with which all conversations have the same tokens there.

    A `UserError` that names the first conversation that differs where no name does. `probe` is a file to try it with.
    """
    furthest: tuple[int, str] = (-1, "llama.cpp loads no file with this tokenizer")
    for split in vocabulary.splits:
        gguf_file.tokenizer_only(probe, name, vocabulary, split)
        try:
            llama = LlamaCpp(probe)
        except RefusedError:  # a name that this llama.cpp does not know
            continue
        agreed, difference = compare(llama, tokenizer, wanted)
        if not difference:
            return split
        furthest = max(furthest, (agreed, difference), key=lambda found: found[0])
    raise UserError(f"nothing is exported: {furthest[1]}; FORMAT=huggingface writes a folder of transformers", FAILED)


def compare(llama: LlamaCpp, tokenizer: Any, wanted: Sequence[Expected]) -> tuple[int, str]:
    """Returns how many conversations have the same tokens up to the first that differs, and a sentence about that."""
    for agreed, each in enumerate(wanted):
        name = each.conversation.name
        found = llama.tokens(each.text)
        if found != each.tokens:
            return agreed, _difference(name, each.tokens, found, tokenizer)
        if each.conversation.plain:
            try:
                written = llama.rendered(each.question)
            except RefusedError as error:
                return agreed, f"{name}: llama.cpp refuses it with the model's template ({error})"
            if written != each.prompt:
                own = tokenizer(each.prompt, add_special_tokens=False)["input_ids"]
                return agreed, _difference(name, own, llama.tokens(written), tokenizer)
    return len(wanted), ""


def _difference(name: str, own: list[int], other: list[int], tokenizer: Any) -> str:
    at = next((at for at, (one, two) in enumerate(zip(own, other, strict=False)) if one != two),
              min(len(own), len(other)))  # fmt: skip

    def shown(ids: list[int]) -> str:
        part = ids[at : at + SHOWN]
        return f"{part} {tokenizer.decode(part)!r}" if part else "nothing more"

    before = tokenizer.decode(own[max(0, at - SHOWN) : at])
    return (
        f"{name} differs at token {at + 1}, behind {before!r}: the model's own tokenizer has {shown(own)}, llama.cpp "
        f"{shown(other)}"
    )
