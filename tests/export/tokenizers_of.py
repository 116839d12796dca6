"""Tokenizers of the kinds that chat models have, trained on a few texts: the real ones are not to be had offline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scripts.export.conversations import ODD
from tests.tiny_models import SENTENCES, TEMPLATE

# How the tokenizers of these models split text, from their tokenizer.json.
CL100K = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
QWEN = CL100K.replace(r"\p{N}{1,3}", r"\p{N}")
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|im_sep|>"]
PHI_4 = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '<|im_sep|>' + message['content'] + "
    "'<|im_end|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant<|im_sep|>' }}{% endif %}"
)
PHI_3 = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>\n' + message['content'] + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)


def byte_level(split: Any, template: str = TEMPLATE, normalizer: Any = None, **token: Any) -> Any:
    """Returns a byte-level BPE tokenizer with a way to split text; `token` is said of its control tokens."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    inner.decoder = decoders.ByteLevel()
    if normalizer:
        inner.normalizer = normalizer
    trainer = trainers.BpeTrainer(
        vocab_size=700, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    inner.train_from_iterator([*ODD, *SENTENCES] * 3, trainer)
    inner.add_special_tokens([AddedToken(each, special=True, normalized=False, **token) for each in SPECIAL])
    return _wrapped(inner, template, "<|im_end|>")


def cl100k(**token: Any) -> Any:
    """Returns one that splits text as Phi-4's (and DBRX's) does."""
    return byte_level(_split(CL100K), PHI_4, **token)


def qwen(**token: Any) -> Any:
    """Returns one that splits text as Qwen2's does, and composes it."""
    from tokenizers import normalizers

    return byte_level(_split(QWEN), normalizer=normalizers.NFC(), **token)


def smollm() -> Any:
    """Returns one that splits text as SmolLM2's does."""
    from tokenizers import pre_tokenizers

    split = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    tokenizer = byte_level(pre_tokenizers.Digits(individual_digits=True))
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(split)
    return tokenizer


def sentencepiece(rstrip: bool = True) -> Any:
    """Returns one as Llama 2's and Phi-3's: SentencePiece's BPE with bytes for what it does not know."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, trainers

    inner = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    inner.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=700, special_tokens=special, show_progress=False)
    inner.train_from_iterator(SENTENCES * 3, trainer)
    said = json.loads(inner.to_str())
    said["added_tokens"] = [each for each in said["added_tokens"] if not each["content"].startswith("<0x")]
    inner = Tokenizer.from_str(json.dumps(said))
    inner.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokens = ("<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
    inner.add_special_tokens([AddedToken(each, special=True, normalized=False, rstrip=rstrip) for each in tokens])
    return _wrapped(inner, PHI_3, "<|end|>")


def _split(pattern: str) -> Any:
    from tokenizers import Regex, pre_tokenizers

    return pre_tokenizers.Split(Regex(pattern), "isolated", invert=False)


def _wrapped(inner: Any, template: str, end: str) -> Any:
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token=end, pad_token=end, chat_template=template, model_max_length=256,
        clean_up_tokenization_spaces=False,
    )  # fmt: skip


def saved(tokenizer: Any, folder: Path) -> Any:
    """Returns a tokenizer as transformers loads it from a folder."""
    from transformers import AutoTokenizer

    tokenizer.save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder)
