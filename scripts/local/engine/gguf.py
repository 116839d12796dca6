"""Reads a Llama model in llama.cpp's GGUF into the files that transformers loads: weights, config, tokenizer.

transformers' own reader does the same more generally in three times the time, and its result cannot be saved as it is;
a test compares the two bit for bit.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scripts.errors import UserError

# transformers' modules of a Llama; the package gguf has llama.cpp's names. q and k come permuted, see `halves`.
LAYER = ("input_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
         "post_attention_layernorm", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")  # fmt: skip
TOP = ("model.embed_tokens", "model.norm", "lm_head")
CONTROL_TOKEN = 3  # GGUF's token type of <|im_start|> and its like


def convert(source: Path, folder: Path, dtype: str) -> None:
    """Writes the model of the GGUF file `source` into `folder`, weights in `dtype` ("float32" or "bfloat16")."""
    import gguf
    import torch
    from safetensors.torch import save_file

    reader = gguf.GGUFReader(source)
    facts = _facts(reader)
    if facts["general.architecture"] != "llama" or facts["tokenizer.ggml.model"] != "gpt2":
        raise UserError(
            f"{source}: the architecture is '{facts['general.architecture']}' with tokenizer "
            f"'{facts['tokenizer.ggml.model']}'; this reader knows 'llama' with 'gpt2'. Convert the model to "
            "safetensors with transformers and name that folder instead."
        )
    config = _config(facts, tied=not any(tensor.name == "output.weight" for tensor in reader.tensors))
    weights, modules = {}, _modules(config["num_hidden_layers"])
    heads = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}
    for tensor in reader.tensors:
        weight = torch.from_numpy(gguf.quants.dequantize(tensor.data, tensor.tensor_type).copy())
        name, _, kind = tensor.name.rpartition(".")
        rotated = heads.get(modules[name].rpartition(".")[2])
        weight = halves(weight, rotated) if rotated else weight
        weights[f"{modules[name]}.{kind}"] = weight.to(getattr(torch, dtype))
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config["dtype"] = dtype
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    _tokenizer(facts).save_pretrained(folder)


def convert_tokenizer(source: Path, folder: Path) -> None:
    """Writes the tokenizer of the GGUF file alone, which takes a second and a few megabytes."""
    import gguf

    _tokenizer(_facts(gguf.GGUFReader(source))).save_pretrained(folder)


def _facts(reader: Any) -> dict[str, Any]:
    return {name: field.contents() for name, field in reader.fields.items()}


def _modules(layers: int) -> dict[str, str]:
    """Returns transformers' name of every module by llama.cpp's: blk.3.attn_q is model.layers.3.self_attn.q_proj."""
    import gguf

    table = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, layers)
    names = [*TOP, *(f"model.layers.{layer}.{name}" for layer in range(layers) for name in LAYER)]
    return {str(table.get_name(name)): name for name in names}


def halves(weight: Any, heads: int) -> Any:
    """Returns the rows of q or k as transformers rotates them: the two halves of a head, not neighbours."""
    shape = weight.shape
    return weight.reshape(heads, -1, 2, *shape[1:]).transpose(1, 2).reshape(shape).contiguous()


def neighbours(weight: Any, heads: int) -> Any:
    """Returns the rows of q or k as llama.cpp rotates them: what `halves` undoes."""
    shape = weight.shape
    return weight.reshape(heads, 2, -1, *shape[1:]).transpose(1, 2).reshape(shape).contiguous()


def _config(facts: dict[str, Any], tied: bool) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": facts["llama.embedding_length"],
        "intermediate_size": facts["llama.feed_forward_length"],
        "num_hidden_layers": facts["llama.block_count"],
        "num_attention_heads": facts["llama.attention.head_count"],
        "num_key_value_heads": facts["llama.attention.head_count_kv"],
        "head_dim": facts["llama.rope.dimension_count"],
        "max_position_embeddings": facts["llama.context_length"],
        "rms_norm_eps": facts["llama.attention.layer_norm_rms_epsilon"],
        "rope_theta": facts["llama.rope.freq_base"],
        "vocab_size": len(facts["tokenizer.ggml.tokens"]),
        "tie_word_embeddings": tied,
        "bos_token_id": facts["tokenizer.ggml.bos_token_id"],
        "eos_token_id": facts["tokenizer.ggml.eos_token_id"],
        "pad_token_id": facts["tokenizer.ggml.padding_token_id"],
    }


def _tokenizer(facts: dict[str, Any]) -> Any:
    """Builds the byte-level BPE tokenizer; `tokenizer.ggml.pre` says how text is split before (smollm: by digit)."""
    from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE
    from transformers import PreTrainedTokenizerFast

    tokens, types = facts["tokenizer.ggml.tokens"], facts["tokenizer.ggml.token_type"]
    merges = [tuple(merge.split(" ")) for merge in facts["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(BPE({token: number for number, token in enumerate(tokens)}, merges))
    split: list[Any] = [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
    if facts.get("tokenizer.ggml.pre") == "smollm":
        split.insert(0, pre_tokenizers.Digits(individual_digits=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(split)
    tokenizer.decoder = decoders.ByteLevel()
    control = [token for token, kind in zip(tokens, types, strict=True) if kind == CONTROL_TOKEN]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in control])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=tokens[facts["tokenizer.ggml.bos_token_id"]],
        eos_token=tokens[facts["tokenizer.ggml.eos_token_id"]],
        unk_token=tokens[facts["tokenizer.ggml.unknown_token_id"]],
        pad_token=tokens[facts["tokenizer.ggml.padding_token_id"]],
        chat_template=facts["tokenizer.chat_template"],
        model_max_length=facts["llama.context_length"],
        clean_up_tokenization_spaces=False,
    )
