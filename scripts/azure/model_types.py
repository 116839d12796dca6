"""What the component does by the type of a model: compute activations again, flash attention. Facts from
catalog/model_types.json.

Three answers: True, False, and None where nobody outside the registry model can know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scripts.azure.catalog import read_catalog
from scripts.azure.component_rules import Parameters, applies

_FACTS = read_catalog("model_types.json")
RECOMPUTED: tuple[str, ...] = tuple(_FACTS["gradient_checkpointing"])
FLASH: tuple[str, ...] = tuple(_FACTS["flash_attention"])
_WANTS_DEEPSPEED: tuple[str, ...] = tuple(_FACTS["half_precision_wants_deepspeed"]["types"])

Config = Mapping[str, Any] | None  # the finetune configuration; None where it lies in a registry model, unseen


def recomputes(given: Parameters, kind: str, config: Config) -> bool | None:
    """Tells whether activations are computed again in the backward pass (gradient checkpointing), not kept."""
    if _trainer(config).get("gradient_checkpointing"):
        return True
    if applies("activations-kept", given):
        return False
    return True if kind in RECOMPUTED else None if config is None else False


def flash_attention(given: Parameters, kind: str, config: Config, bf16: bool) -> bool | None:
    """Tells whether flash attention 2 is used on a card with bfloat16 or without."""
    if not bf16 or applies("32-bit", given):
        return False
    if kind in FLASH:
        return True
    if config is None:
        return None
    loading = config.get("load_model_kwargs")
    words = loading if isinstance(loading, Mapping) else {}
    return words.get("attn_implementation") == "flash_attention_2" or words.get("use_flash_attention_2") is True


def wants_deepspeed(given: Parameters, kind: str) -> bool:
    """Tells whether 16 bits without DeepSpeed were seen to fail with models of this type."""
    return kind in _WANTS_DEEPSPEED and not given["apply_deepspeed"] and not applies("32-bit", given)


def _trainer(config: Config) -> Mapping[str, Any]:
    words = (config or {}).get("hf_trainer_args")
    return words if isinstance(words, Mapping) else {}
