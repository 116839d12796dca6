"""Models of Llama's shape without transformers: fewer operations a token, and no imports of 100 MB and two seconds.

The stand-in of every local run is one. What has another shape, or keys of Llama's config that are not read here, is
left to transformers (transformed.py); a test compares the two.
"""

from __future__ import annotations

import json
import mmap
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from scripts.conversation import model_folder, tokenizer
from scripts.files import read_json
from scripts.local.scoring import blocked
from scripts.local.scoring.cache import Part, Shape, attend

DTYPES = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32}  # safetensors' names
PLAIN = {"hidden_act": "silu", "attention_bias": False, "mlp_bias": False, "quantization_config": None}


def takes(folder: Path) -> bool:
    """Whether this answers as transformers would with the MLflow model in a folder."""
    weights = model_folder.weights(folder)
    if weights is None or (folder / model_folder.ADAPTER).is_dir() or torch.cuda.is_available():
        return False
    config = _config(weights)
    plain = all(config.get(key, value) == value for key, value in PLAIN.items())
    return (
        config.get("model_type") == "llama"
        and plain
        and _rope(config).get("rope_type", "default") == "default"
        and any(weights.glob("*.safetensors"))
        and tokenizer.faithful(weights)
    )


class Llama:
    """A model of Llama's shape, in the weights' own type, on a processor."""

    def __init__(self, folder: Path) -> None:
        config = _config(folder)
        heads = config["num_attention_heads"]
        width = config.get("head_dim") or config["hidden_size"] // heads
        groups = config.get("num_key_value_heads") or heads
        dtype = getattr(torch, model_folder.dtype(folder))
        context = config.get("max_position_embeddings") or 2048  # transformers' default
        self.shape = Shape(config["num_hidden_layers"], groups, width, context, dtype, torch.device("cpu"))
        self.turned = heads + groups  # heads of queries and keys, which are turned by their position
        self.eps = config.get("rms_norm_eps", 1e-6)
        base = _rope(config).get("rope_theta") or config.get("rope_theta") or 10000.0
        self.frequencies = 1.0 / base ** (torch.arange(0, width, 2, dtype=torch.float) / width)
        said = read_json(folder / "generation_config.json", model_folder.ANEW, dict[str, Any]) or config
        ends = said.get("eos_token_id")
        self.ends = {end for end in (ends if isinstance(ends, list) else [ends]) if end is not None}
        weights = _Weights(folder, dtype)
        self.layers = [_Layer(weights, f"model.layers.{at}.") for at in range(self.shape.layers)]
        self.norm = weights.one("model.norm").clone()
        tied = config.get("tie_word_embeddings", False)
        self.head = weights.product("model.embed_tokens" if tied else "lm_head")
        self.embedding = weights.one("model.embed_tokens")  # of which a token reads a row

    @torch.inference_mode()
    def logits(self, ids: torch.Tensor, part: Part) -> torch.Tensor:
        """Returns the logits [rows, vocabulary] of the last of `ids` [rows, tokens], which follow what is stored."""
        shape, (rows, tokens) = self.shape, ids.shape
        angles = part.positions.reshape(-1, 1, 1) * self.frequencies
        cos, sin = angles.cos().to(shape.dtype), angles.sin().to(shape.dtype)
        cos, sin = torch.cat((cos, cos), -1), torch.cat((-sin, sin), -1)
        states = F.embedding(ids.view(-1), self.embedding)
        for at, layer in enumerate(self.layers):
            mixed = layer.attention_in(self._normed(states, layer.before))
            heads = mixed.view(rows * tokens, -1, shape.width)
            turned, values = heads[:, : self.turned], heads[:, self.turned :]
            turned = turned * cos + turned.roll(shape.width // 2, -1) * sin
            query, key, value = (
                each.view(rows, tokens, -1, shape.width).transpose(1, 2)
                for each in (turned[:, : -shape.heads], turned[:, -shape.heads :], values)
            )
            answered = attend(part, at, query, key, value).reshape(rows * tokens, -1)
            states = states + layer.attention_out(answered)
            gate, up = layer.wide(self._normed(states, layer.between)).chunk(2, -1)
            states = states + layer.narrow(F.silu(gate).mul_(up))
        last = states.view(rows, tokens, -1)[:, -1]
        return self.head(self._normed(last, self.norm))

    def _normed(self, states: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        wide = states.float()
        return weight * (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.eps)).to(states.dtype)


class _Layer:
    """Weights of a layer; those that multiply the same are one matrix."""

    def __init__(self, weights: _Weights, name: str) -> None:
        attention, mlp = f"{name}self_attn.", f"{name}mlp."
        self.before = weights.one(f"{name}input_layernorm").clone()
        self.attention_in = weights.product(f"{attention}q_proj", f"{attention}k_proj", f"{attention}v_proj")
        self.attention_out = weights.product(f"{attention}o_proj")
        self.between = weights.one(f"{name}post_attention_layernorm").clone()
        self.wide = weights.product(f"{mlp}gate_proj", f"{mlp}up_proj")
        self.narrow = weights.product(f"{mlp}down_proj")


class _Weights:
    """Weights of a folder's files, mapped into memory: what is kept without a copy is read again when it is used."""

    def __init__(self, folder: Path, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self.found: dict[str, torch.Tensor] = {}
        self.files: list[mmap.mmap] = []
        for path in sorted(folder.glob("*.safetensors")):
            with path.open("rb") as file:
                begin = 8 + int.from_bytes(file.read(8), "little")
                described = json.loads(file.read(begin - 8))
                pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
            self.files.append(pages)
            for name, entry in described.items():
                if name != "__metadata__":
                    first, last = entry["data_offsets"]
                    kind = DTYPES[entry["dtype"]]
                    count = (last - first) // kind.itemsize
                    self.found[name] = torch.frombuffer(pages, dtype=kind, count=count, offset=begin + first).view(
                        entry["shape"]
                    )

    def one(self, name: str) -> torch.Tensor:
        """Returns a weight as it lies in the file."""
        return self.found[f"{name}.weight"].to(self.dtype)

    def product(self, *names: str) -> blocked.Product:
        """Returns what multiplies with these weights, one below the other; they are copied, and their memory let go."""
        made = blocked.linear(torch.cat([self.one(name) for name in names]) if names[1:] else self.one(names[0]))
        for pages in self.files:
            if hasattr(mmap, "MADV_DONTNEED"):
                pages.madvise(mmap.MADV_DONTNEED)
        return made


def _config(folder: Path) -> dict[str, Any]:
    return read_json(folder / "config.json", model_folder.ANEW, dict[str, Any]) or {}


def _rope(config: dict[str, Any]) -> dict[str, Any]:
    """Returns how positions turn the heads: rope_parameters since transformers 5, rope_scaling or nothing before."""
    found = config.get("rope_parameters") or config.get("rope_scaling") or {}
    return {"rope_type": found.get("type", "default"), **found}
