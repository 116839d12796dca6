"""Writes GGUF files: a whole model, and one that has the same tokenizer and next to no weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scripts.export import vocabulary as vocabularies
from scripts.export import weights as all_weights
from scripts.export.vocabulary import Vocabulary
from scripts.export.weights import Weights

WIDTH = 32  # of the model that is only there for its tokenizer


def whole(
    path: Path, name: str, version: str, weights: Weights, vocabulary: Vocabulary, split: str, context: int
) -> None:
    """Writes a model; only one tensor is in memory at a time."""
    import gguf
    import numpy

    writer = gguf.GGUFWriter(path, weights.architecture)
    writer.add_name(name)
    writer.add_version(version)
    writer.add_file_type(gguf.LlamaFileType[{"F32": "ALL_F32"}.get(weights.kind, f"MOSTLY_{weights.kind}")])
    all_weights.describe(writer, weights, context)
    vocabularies.write(writer, vocabulary, split)
    for tensor in weights.tensors:
        kind = gguf.GGMLQuantizationType[tensor.kind]
        writer.add_tensor_info(tensor.name, tensor.shape, numpy.dtype(numpy.float32), tensor.bytes, raw_dtype=kind)
    factors = all_weights.factors(weights.config)
    if factors is not None:
        writer.add_tensor_info("rope_freqs.weight", factors.shape, factors.dtype, factors.nbytes)
    _begin(writer)
    writer.write_ti_data_to_file()
    for numbers in all_weights.numbers(weights):
        writer.write_tensor_data(numbers)
    if factors is not None:
        writer.write_tensor_data(factors)
    writer.close()


def tokenizer_only(path: Path, name: str, vocabulary: Vocabulary, split: str) -> None:
    """Writes a Llama of one narrow layer with the whole tokenizer: some megabytes, which llama.cpp loads at once."""
    import gguf
    import numpy

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(name)  # which decides how llama.cpp reads what stands behind a control token
    writer.add_context_length(WIDTH)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(WIDTH)
    writer.add_head_count(1)
    writer.add_layer_norm_rms_eps(1e-5)
    vocabularies.write(writer, vocabulary, split)
    square = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
    shapes = {"token_embd": (len(vocabulary.tokens), WIDTH), "output_norm": (WIDTH,), "blk.0.attn_norm": (WIDTH,),
              "blk.0.ffn_norm": (WIDTH,), **{f"blk.0.{name}": (WIDTH, WIDTH) for name in square}}  # fmt: skip
    for tensor, shape in shapes.items():
        writer.add_tensor(f"{tensor}.weight", numpy.zeros(shape, numpy.float32 if len(shape) == 1 else numpy.float16))
    _begin(writer)
    writer.write_tensors_to_file()
    writer.close()


def _begin(writer: Any) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
