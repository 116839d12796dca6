"""A model's weights and shape as llama.cpp wants them: the inverse of scripts/local/engine/gguf.py, for more kinds.

Follows llama.cpp's convert_hf_to_gguf.py; a test compares the logits of every architecture here with transformers'. The
weights keep their type (but for vectors, which llama.cpp wants in float32), and are read one at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.conversation import model_folder
from scripts.errors import one_line
from scripts.files import read_json, refuse
from scripts.local.engine import gguf as engine

# transformers' architectures, with llama.cpp's name, and whether q and k are permuted there.
ARCHITECTURES = {
    "LlamaForCausalLM": ("llama", True),
    "MistralForCausalLM": ("llama", True),
    "Phi3ForCausalLM": ("phi3", False),
    "Qwen2ForCausalLM": ("qwen2", False),
}
TYPES = {"BF16": "BF16", "F16": "F16", "F32": "F32"}  # safetensors' words, and ggml's
COMPUTED = "rotary_emb.inv_freq"  # of old checkpoints: what a model can work out


class UnknownError(Exception):
    """What of the model has no place in a GGUF file as it is written here; `str(error)` says it."""


@dataclass(frozen=True)
class Tensor:
    """A tensor of the GGUF file, and where its numbers are; `heads` of q and k where they are permuted."""

    name: str
    source: str
    file: Path
    shape: tuple[int, ...]
    kind: str
    heads: int = 0

    @property
    def bytes(self) -> int:
        """How many it takes in the file, without padding."""
        count = 1
        for length in self.shape:
            count *= length
        return count * (4 if self.kind == "F32" else 2)


@dataclass(frozen=True)
class Weights:
    """All tensors of a model, and its config."""

    config: Any
    architecture: str
    tensors: list[Tensor]

    @property
    def bytes(self) -> int:
        """What the tensors take together."""
        return sum(tensor.bytes for tensor in self.tensors)

    @property
    def kind(self) -> str:
        """The type of most of the weights."""
        return max(self.tensors, key=lambda tensor: tensor.bytes).kind

    @property
    def rows(self) -> int:
        """For how many tokens there are weights."""
        return next(tensor.shape[0] for tensor in self.tensors if tensor.name == "token_embd.weight")

    @property
    def context(self) -> int:
        """How many tokens are seen alike: llama.cpp has no sliding window for these architectures, and looks at all."""
        window = getattr(self.config, "sliding_window", None)
        if not getattr(self.config, "use_sliding_window", True):
            window = None
        return min(self.config.max_position_embeddings, window or self.config.max_position_embeddings)


def read(folder: Path) -> Weights:
    """Returns what is in a folder of transformers; an `UnknownError` where llama.cpp would compute something else."""
    import gguf

    config = _config(folder)
    name, permuted = _architecture(config)
    arch = next(each for each, words in gguf.MODEL_ARCH_NAMES.items() if words == name)
    table = gguf.get_tensor_name_map(arch, config.num_hidden_layers)
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads} if permuted else {}
    tensors = []
    for file in sorted(folder.glob("*.safetensors")):
        with _opened(file) as opened:
            for source in sorted(opened.keys()):
                if source.endswith(COMPUTED) or (source == "lm_head.weight" and config.tie_word_embeddings):
                    continue
                target = table.get_name(source, try_suffixes=(".weight", ".bias"))
                piece = opened.get_slice(source)
                shape, kind = tuple(piece.get_shape()), TYPES.get(piece.get_dtype())
                if target is None or kind is None:
                    raise UnknownError(f"it has a tensor {source} of type {piece.get_dtype()}")
                rotated = heads.get(target.split(".")[-2], 0)
                tensors.append(Tensor(target, source, file, shape, kind if len(shape) > 1 else "F32", rotated))
    return Weights(config, name, tensors)


def _config(folder: Path) -> Any:
    from transformers import AutoConfig

    read_json(folder / "config.json", model_folder.ANEW, dict[str, Any])  # says what is wrong with a damaged one
    try:
        return AutoConfig.from_pretrained(folder)
    except (ValueError, KeyError) as error:  # code of its own, or none that transformers has
        raise UnknownError(f"its architecture is unknown to transformers ({one_line(error)})") from None


def _opened(file: Path) -> Any:
    from safetensors import SafetensorError, safe_open

    try:
        return safe_open(file, framework="pt")
    except SafetensorError as error:
        refuse(file, f"is no whole file of weights ({one_line(error)})", model_folder.ANEW)


def _architecture(config: Any) -> tuple[str, bool]:
    name = (config.architectures or ["?"])[0]
    if name not in ARCHITECTURES:
        raise UnknownError(f"its architecture is {name}, and known here are {', '.join(ARCHITECTURES)}")
    found, permuted = ARCHITECTURES[name]
    rope = config.rope_parameters["rope_type"]
    if rope != "default" and (rope not in ("llama3", "linear") or found != "llama"):
        raise UnknownError(f"its positions are scaled by {rope}")
    if config.hidden_act != "silu":
        raise UnknownError(f"its activation is {config.hidden_act}")
    if getattr(config, "quantization_config", None):
        raise UnknownError("its weights are quantized")
    return found, permuted


def describe(writer: Any, weights: Weights, context: int) -> None:
    """Writes the model's shape into a GGUF file."""
    config = weights.config
    rope = config.rope_parameters
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    writer.add_context_length(context)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(width)
    writer.add_value_length(width)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_dimension_count(int(rope.get("partial_rotary_factor", 1.0) * width))
    writer.add_rope_freq_base(rope["rope_theta"])
    writer.add_vocab_size(weights.rows)
    if weights.architecture == "phi3":
        writer.add_sliding_window(0)  # llama.cpp's word for none, as in Phi-4; `Weights.context` keeps within Phi-3's
        writer.add_rope_scaling_orig_ctx_len(config.max_position_embeddings)


def factors(config: Any) -> Any:
    """Returns by what every frequency of the positions is divided, None where by nothing: Llama 3.1 and later."""
    import torch
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    rope = config.rope_parameters
    if rope["rope_type"] == "default":
        return None
    scaled, _ = ROPE_INIT_FUNCTIONS[rope["rope_type"]](config, torch.device("cpu"))
    steps = torch.arange(0, 2 * len(scaled), 2).float() / (2 * len(scaled))
    return (1 / rope["rope_theta"] ** steps / scaled).float().numpy()


def numbers(weights: Weights) -> Iterator[Any]:
    """Yields the tensors' numbers in their order, each read when it is asked for; bfloat16 as the same 16 bits."""
    import torch

    for tensor in weights.tensors:
        with _opened(tensor.file) as opened:
            weight = opened.get_tensor(tensor.source)
        if tensor.heads:
            weight = engine.neighbours(weight, tensor.heads)
        if tensor.kind == "F32":
            weight = weight.float()
        yield (weight.view(torch.int16) if tensor.kind == "BF16" else weight).numpy()
