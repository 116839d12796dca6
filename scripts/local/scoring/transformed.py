"""Any chat model that transformers knows, with this server's attention: keys and values lie in its cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AttentionInterface, AutoModelForCausalLM

from scripts.local.engine import lora
from scripts.local.scoring import blocked
from scripts.local.scoring.cache import Part, Shape, attend

NAME = "rows"


class Transformed:
    """The model in `weights`, with the adapters of the MLflow model's `folder` that were not merged."""

    def __init__(self, weights: Path, folder: Path) -> None:
        model = lora.merged(AutoModelForCausalLM.from_pretrained(weights, dtype="auto"), folder)
        self.model: Any = model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
        blocked.put_in_blocks(self.model)
        self.model.set_attn_implementation(NAME)
        config = model.config
        self.shape = Shape(
            config.num_hidden_layers,
            getattr(config, "num_key_value_heads", None) or config.num_attention_heads,
            getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads,
            getattr(config, "max_position_embeddings", 1024),
            self.model.dtype,
            self.model.device,
        )
        ends = model.generation_config.eos_token_id
        self.ends = {end for end in (ends if isinstance(ends, list) else [ends]) if end is not None}

    def logits(self, ids: torch.Tensor, part: Part) -> torch.Tensor:
        """Returns the logits [rows, vocabulary] of the last of `ids` [rows, tokens], which follow what is stored."""
        return self.model(
            input_ids=ids, position_ids=part.positions, part=part, use_cache=False, logits_to_keep=1
        ).logits[:, -1]


def _attend(
    module: Any,  # a layer's attention, which knows its `layer_idx`
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    part: Part,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    return attend(part, module.layer_idx, query, key, value, scaling, sliding_window), None


AttentionInterface.register(NAME, _attend)
