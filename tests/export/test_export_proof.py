"""1,000 conversations are the same tokens in both tokenizers, of every kind; and where not, the first one is named."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from scripts.errors import UserError
from scripts.export import conversations, proof, vocabulary
from scripts.export.vocabulary import Vocabulary
from scripts.export.weights import UnknownError
from tests.export import tokenizers_of

KINDS = {
    "as SmolLM2's": (tokenizers_of.smollm, "m", "smollm", 0),
    "as Phi-4's": (tokenizers_of.cl100k, "m", "dbrx", 0),
    "as Phi-4's, with its strips": (lambda: tokenizers_of.cl100k(lstrip=True, rstrip=True), "m", "dbrx", 1),
    "as Qwen2's": (tokenizers_of.qwen, "m", "", 1),
    "as Llama 2's": (lambda: tokenizers_of.sentencepiece(rstrip=False), "m", "default", 0),
    "as Phi-3's": (tokenizers_of.sentencepiece, "Phi-3-mini-4k-instruct-mine", "default", 1),
}
REFUSES = "{% if 'tab' in messages[0]['content'] %}{{ raise_exception('no tabs') }}{% endif %}"


def read(tokenizer: Any) -> Vocabulary:
    return vocabulary.read(tokenizer, len(tokenizer), [tokenizer.eos_token_id])


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_tokenizer_is_proven(tmp_path: Path, kind: str) -> None:
    make, name, split, apart = KINDS[kind]
    tokenizer = make()
    words = read(tokenizer)
    chosen = conversations.choose("nothing", words, tmp_path)
    wanted = proof.expected(tokenizer, chosen.conversations, system_role=True)
    assert len(wanted) == len(chosen.conversations) == 1000 and (chosen.own, chosen.general) == (0, 20)
    assert sum(len(each.tokens) for each in wanted) > 50_000
    found = proof.find_split(tmp_path / "probe.gguf", name, tokenizer, words, wanted)
    assert found == split or not split
    assert len(words.apart) == apart
    special = set(tokenizer.all_special_ids)
    assert any(special & set(tokenizer(m["content"], add_special_tokens=False)["input_ids"])
               for each in wanted for m in each.conversation.messages)  # fmt: skip


@pytest.mark.parametrize(("make", "changed", "said"), [
    # Split as GPT-2 does: digits are not taken one by one.
    (tokenizers_of.smollm, {"splits": ("gpt-2",)}, r"odd text \d+ differs at token \d+, behind '"),
    (tokenizers_of.smollm, {"splits": ("none such",)}, "llama.cpp loads no file with this tokenizer"),
    # llama.cpp knows this of models that are called Phi-3 alone.
    (tokenizers_of.sentencepiece, {}, r"odd text 1 differs at token 2, behind '<\|user\|>'"),
    (tokenizers_of.cl100k, {"template": tokenizers_of.PHI_3}, "odd text 1 differs at token 1, behind ''"),
    (tokenizers_of.cl100k, {"template": REFUSES + tokenizers_of.PHI_4}, r"odd text \d+: llama.cpp refuses it with"),
])  # fmt: skip
def test_the_first_conversation_that_differs_is_named(
    tmp_path: Path, make: Any, changed: dict[str, Any], said: str
) -> None:
    tokenizer = make()
    words = dataclasses.replace(read(tokenizer), **changed)
    wanted = proof.expected(tokenizer, conversations.choose("nothing", words, tmp_path).conversations, system_role=True)
    with pytest.raises(UserError, match=said) as raised:
        proof.find_split(tmp_path / "probe.gguf", "m", tokenizer, words, wanted)
    assert "\n" not in str(raised.value) and "FORMAT=huggingface" in str(raised.value) and raised.value.code == 1


def test_the_environments_own_conversations_come_first_of_all_kinds(tmp_path: Path) -> None:
    words = read(tokenizers_of.smollm())
    folder = tmp_path / "data" / "demo"
    folder.mkdir(parents=True)
    for split, count in (("train", 3), ("validation", 2), ("test", 0), ("heldout", 1)):
        lines = [json.dumps({"messages": [{"role": "user", "content": f"{split} {at}"}]}) + "\n" for at in range(count)]
        (folder / f"{split}.jsonl").write_text("".join(lines))
    chosen = conversations.choose("demo", words, tmp_path)
    names = [each.name for each in chosen.conversations[-6:]]
    assert (len(chosen.conversations), chosen.own, chosen.odd) == (1000, 6, 974)
    assert names == [*(f"data/demo/train.jsonl:{at}" for at in (1, 2, 3)), "data/demo/validation.jsonl:1",
                     "data/demo/validation.jsonl:2", "data/demo/heldout.jsonl:1"]  # fmt: skip
    assert chosen == conversations.choose("demo", words, tmp_path)
    with (folder / "train.jsonl").open("a") as file:
        file.writelines(json.dumps({"messages": [{"role": "user", "content": str(at)}]}) + "\n" for at in range(5000))
    many = conversations.choose("demo", words, tmp_path)
    assert len(many.conversations) == 1000 and many.own > 800 and many.odd > 50
    (folder / "train.jsonl").write_text("")
    (folder / "heldout.jsonl").write_text("{\n")
    with pytest.raises(UserError, match=r"data/demo/heldout\.jsonl:1: is no conversation; make data ENV=demo"):
        conversations.choose("demo", words, tmp_path)


def test_a_tokenizer_of_another_kind_is_said() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.WordLevel({"a": 0, "b": 1}, unk_token="a"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    with pytest.raises(UnknownError, match="its tokenizer is WordLevel, neither byte-level BPE nor"):
        vocabulary.read(PreTrainedTokenizerFast(tokenizer_object=inner), 2, [1])
    with pytest.raises(UnknownError, match=r"its tokenizer has \d+ tokens, and there are weights for 10"):
        vocabulary.read(tokenizers_of.smollm(), 10, [1])
