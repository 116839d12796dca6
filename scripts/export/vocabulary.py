"""A tokenizer as llama.cpp wants it, read from the one that transformers loads; what proves it right is proof.py."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from scripts.export.weights import UnknownError

# Types of tokens.
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
# How text is split before it is merged has a name in llama.cpp (llama-vocab.cpp) and a pattern in tokenizer.json, and
# nothing says which is which: the names are tried, the frequent ones first.
SPLITS = ("gpt-2", "smollm", "llama-bpe", "dbrx", "qwen2", "gpt-4o", "tekken", "starcoder", "refact", "command-r",
          "falcon", "mpt", "olmo", "stablelm2", "deepseek-llm", "deepseek-coder", "deepseek-v3", "chatglm-bpe",
          "exaone", "viking", "jais", "codeshell", "bloom", "minerva-7b", "superbpe", "trillion", "granite-docling",
          "seed-coder", "hunyuan", "kimi-k2", "qwen35")  # fmt: skip
IGNORE_MERGES = ("llama-bpe", "tekken")  # a word that is a token is that one, whatever the merges give


@dataclass(frozen=True)
class Vocabulary:
    """Tokens and how text becomes them; `splits` are the names that llama.cpp may have for how text is split."""

    model: str
    splits: tuple[str, ...]
    tokens: list[str]
    types: list[int]
    merges: list[str]
    scores: list[float]
    special: dict[str, int]
    template: str
    space_in_front: bool
    strips: bool  # white space beside a control token belongs to it, which llama.cpp knows of Phi-3 alone
    composes: bool  # text becomes NFC, which llama.cpp leaves to others

    @cached_property
    def control(self) -> list[str]:
        """The control tokens' texts."""
        return [token for token, kind in zip(self.tokens, self.types, strict=True) if kind == CONTROL]

    @property
    def apart(self) -> list[str]:
        """What llama.cpp is known to read otherwise, in sentences."""
        strips = "drops white space beside a control token, so also where a message begins or ends"
        composes = "joins a letter and its accent (NFC)"
        told = [what for what, so in ((strips, self.strips), (composes, self.composes)) if so]
        return [f"the model's own tokenizer {what}, llama.cpp does not: no odd text has such a place" for what in told]

    def tame(self, text: str) -> str:
        """Returns an odd text without what llama.cpp is known to read otherwise."""
        text = unicodedata.normalize("NFC", text) if self.composes else text
        return self._beside_control.sub(r"\1", text.strip()) if self.strips else text

    @cached_property
    def _beside_control(self) -> re.Pattern[str]:
        return re.compile(rf"\s*({'|'.join(map(re.escape, self.control))})\s*")


def read(tokenizer: Any, rows: int, ends: list[int]) -> Vocabulary:
    """Returns the vocabulary of a tokenizer for a model of so many rows, which stops at `ends`, the likeliest first.

    An `UnknownError` where it is neither byte-level BPE nor what SentencePiece's BPE became.
    """
    said = json.loads(tokenizer.backend_tokenizer.to_str())
    model = said["model"]
    byte_level = "ByteLevel" in _kinds(said["pre_tokenizer"])
    if model["type"] != "BPE" or byte_level == bool(model.get("byte_fallback")):
        raise UnknownError(f"its tokenizer is {model['type']}, neither byte-level BPE nor SentencePiece's BPE")
    added = {each["id"]: each for each in said["added_tokens"]}
    texts = {number: token for token, number in model["vocab"].items()}
    texts |= {number: each["content"] for number, each in added.items()}
    if texts and max(texts) >= rows:
        raise UnknownError(f"its tokenizer has {max(texts) + 1} tokens, and there are weights for {rows}")
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    types = [_type(texts.get(number), added.get(number), byte_level, model) for number in range(rows)]
    return Vocabulary(
        model="gpt2" if byte_level else "llama",
        splits=_splits(bool(model.get("ignore_merges"))) if byte_level else ("default",),
        tokens=[texts.get(number, f"[PAD{number}]") for number in range(rows)],
        types=types,
        merges=merges if byte_level else [],
        scores=[] if byte_level else _scores(texts, merges, rows),
        special=_special(tokenizer, ends),
        template=tokenizer.chat_template,
        space_in_front=bool(_kinds(said["normalizer"]) & {"Prepend"} or "Metaspace" in _kinds(said["pre_tokenizer"])),
        strips=any(each["special"] and (each["lstrip"] or each["rstrip"]) for each in added.values()),
        composes="NFC" in _kinds(said["normalizer"]),
    )


def _splits(ignore_merges: bool) -> tuple[str, ...]:
    """Returns the names to try; last those with which llama.cpp does otherwise with a word that is a token."""
    return tuple(sorted(SPLITS, key=lambda name: (name in IGNORE_MERGES) != ignore_merges))


def _kinds(part: Any) -> set[str]:
    """Returns the types in a part of tokenizer.json, which may be a sequence."""
    if not part:
        return set()
    inner = part.get("pretokenizers") or part.get("normalizers") or []
    return {part["type"]}.union(*map(_kinds, inner))


def _type(text: str | None, added: dict[str, Any] | None, byte_level: bool, model: dict[str, Any]) -> int:
    if text is None:
        return UNUSED
    if not byte_level and text == model.get("unk_token"):
        return UNKNOWN
    if added:
        return CONTROL if added["special"] else USER_DEFINED
    return BYTE if not byte_level and len(text) == 6 and text.startswith("<0x") else NORMAL


def _scores(texts: dict[int, str], merges: list[str], rows: int) -> list[float]:
    """Returns SentencePiece's scores, which order its merges: what is merged first has the highest."""
    first: dict[str, int] = {}
    for rank, merge in enumerate(merges):
        first.setdefault(merge.replace(" ", ""), rank)
    return [-float(first.get(texts.get(number, ""), len(merges))) for number in range(rows)]


def _special(tokenizer: Any, ends: list[int]) -> dict[str, int]:
    names = {"bos": tokenizer.bos_token_id, "unk": tokenizer.unk_token_id, "pad": tokenizer.pad_token_id}
    names |= dict(zip(("eos", "eot", "eom"), ends, strict=False))
    return {name: number for name, number in names.items() if number is not None}


def write(writer: Any, vocabulary: Vocabulary, split: str) -> None:
    """Writes the tokenizer into a GGUF file.

    Nothing is put in front of a text: the endpoint adds nothing to what the template writes, and the template writes a
    beginning where the model wants one.
    """
    writer.add_tokenizer_model(vocabulary.model)
    writer.add_tokenizer_pre(split)
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(vocabulary.types)
    if vocabulary.merges:
        writer.add_token_merges(vocabulary.merges)
    if vocabulary.scores:
        writer.add_token_scores(vocabulary.scores)
    for name, number in vocabulary.special.items():
        getattr(writer, f"add_{name}_token_id")(number)
    writer.add_add_bos_token(False)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(vocabulary.space_in_front)
    writer.add_chat_template(vocabulary.template)
