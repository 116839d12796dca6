"""Packed attention in one call, as CUDA has it: its spans, with the kernel's arithmetic in plain torch."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.attention.varlen
import torch.nn.functional as F
from transformers import AutoModelForCausalLM

from scripts.local.engine import attention, packed
from tests.engine.test_engine_packed import alike, assert_same, gradients, rows
from tests.tiny_models import make_model


def plain_varlen(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, query_ends: torch.Tensor, key_ends: torch.Tensor,
    longest_query: int, longest_key: int, *, scale: float, window_size: tuple[int, int],
) -> torch.Tensor:  # fmt: skip
    """What the documentation of varlen_attn says, a span at a time: the last query sees the last key."""
    assert query.shape[1] == key.shape[1]
    assert query_ends.dtype == key_ends.dtype == torch.int32
    parts = []
    for (a, b), (c, d) in zip(pairwise(query_ends.tolist()), pairwise(key_ends.tolist()), strict=True):
        assert b - a <= longest_query
        assert d - c <= longest_key
        distance = torch.arange(d - c)[d - c - (b - a) :, None] - torch.arange(d - c)
        seen = (distance >= 0) & ((distance <= window_size[0]) | (window_size[0] < 0))
        q, k, v = (part.transpose(0, 1) for part in (query[a:b], key[c:d], value[c:d]))
        parts.append(F.scaled_dot_product_attention(q, k, v, attn_mask=seen, scale=scale).transpose(0, 1))
    return torch.cat(parts)


@pytest.mark.parametrize("changes", [{}, {"model_type": "mistral", "sliding_window": 7}], ids=["whole", "window"])
@pytest.mark.parametrize("made", [rows, alike])
def test_one_call_gives_what_a_call_a_row_gives(
    tmp_path: Path, changes: dict[str, Any], made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.nn.attention.varlen, "varlen_attn", plain_varlen)
    folder, given = make_model(tmp_path / "model", **changes), made(7)
    found = []
    for name in (attention.PER_ROW, attention.ONE_CALL):
        model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation=name)
        packed.trained_loss(model, given, 1.0).backward()
        found.append(gradients(model))
    assert_same(*found)
