"""Attention over conversations that lie behind each other in one row, each kept apart: registered with transformers.

Two ways to the same numbers. On a CPU each conversation is a call of its own, as matrix products where that is faster.
On CUDA in 16 bits all of them are one call a layer: on an H200 with Phi-3-mini's shape and rows of 1,001 to 2,000
tokens 11,809 tokens/s against 4,646 (Trainer + PEFT: 7,753), with the same distance from fp32 (NOTES.md).
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from transformers import AttentionInterface

from scripts.conversation.tokens import Encoded

PER_ROW, ONE_CALL = "packed", "packed_in_one_call"
PLAIN_ATTENTION = 1024  # tokens up to which matrix products beat torch's fused kernel on a CPU


@dataclass(frozen=True)
class Group:
    """Conversations whose first `shared` tokens, none of them trained, are the same and stand there once."""

    shared: int
    rows: list[Encoded]

    @property
    def lengths(self) -> list[int]:
        """How many tokens of each conversation follow the shared ones."""
        return [len(row.ids) - self.shared for row in self.rows]


def name(device: str, dtype: torch.dtype) -> str:
    """Returns the attention function for a device: the kernel of variable length is CUDA's, and for 16 bits."""
    return ONE_CALL if device == "cuda" and dtype.itemsize == 2 else PER_ROW


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    groups: Sequence[Group],
    scaling: float | None = None,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attention within each packed conversation; tensors are [1, heads, tokens, head width]."""
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    lengths = [length for group in groups for length in (group.shared, *group.lengths)]
    parts = zip(query.split(lengths, 2), key.split(lengths, 2), value.split(lengths, 2), strict=True)
    outputs = []
    for group in groups:
        first, before_k, before_v = next(parts)
        if group.shared:
            outputs.append(_causal(first, before_k, before_v, scale, sliding_window))
        for _row in group.rows:
            q, k, v = next(parts)
            if group.shared:
                k, v = torch.cat((before_k, k), 2), torch.cat((before_v, v), 2)
            outputs.append(_causal(q, k, v, scale, sliding_window))
    return torch.cat(outputs, 2).transpose(1, 2).contiguous(), None


def _causal(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, scale: float, window: int | None) -> torch.Tensor:
    """Causal attention of the last tokens of a conversation, `q`, over all of it."""
    length, past = q.shape[2], k.shape[2] - q.shape[2]
    if q.device.type == "cpu" and q.dtype == torch.bfloat16 and k.shape[2] <= PLAIN_ATTENTION:
        return _plain_attention(q, k, v, scale, window)
    if past or (window and length > window):
        mask = _mask(length, past, window, q.dtype, q.device)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale, enable_gqa=True)
    return F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale, enable_gqa=True)


def _plain_attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, scale: float, window: int | None
) -> torch.Tensor:
    """Softmax(QK')V as matrix products; the query heads that share a key head are one taller matrix."""
    _, heads, length, width = q.shape
    _, groups, seen, _ = k.shape
    tall = (q * scale).reshape(groups, -1, width)
    scores = torch.bmm(tall, k[0].transpose(1, 2)).view(groups, -1, length, seen)
    chances = torch.softmax(scores + _mask(length, seen - length, window, q.dtype, q.device), -1)
    return torch.bmm(chances.view(groups, -1, seen), v[0]).view(1, heads, length, -1)


@functools.lru_cache(maxsize=64)
def _mask(length: int, past: int, window: int | None, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """An additive mask: a token sees itself and what came before, `past` tokens and more, `window` at most."""
    at = torch.arange(past + length, device=device)
    distance = at[past:, None] - at[None, :]
    hidden = (distance < 0) | (distance >= window) if window else distance < 0
    return torch.zeros(length, past + length, dtype=dtype, device=device).masked_fill_(hidden, float("-inf"))


@dataclass(frozen=True)
class Spans:
    """The groups as variable-length attention takes them: where each span of queries and of its keys ends."""

    keys: torch.Tensor | None  # which token each key is; None where every token is a key once, in its order
    query_ends: torch.Tensor
    key_ends: torch.Tensor
    longest_query: int
    longest_key: int


def spans(groups: Sequence[Group], model: Any) -> Spans | None:
    """Returns what the one call needs: a span for what a group shares and one a conversation, whose tokens see both.

    None for a model whose attention is another.
    """
    if model.config._attn_implementation != ONE_CALL:
        return None
    keys: list[int] = []
    queries, seen = [], []  # lengths
    start = 0
    for group in groups:
        at = start + group.shared
        if group.shared:
            keys += range(start, at)
            queries.append(group.shared)
            seen.append(group.shared)
        for length in group.lengths:
            keys += [*range(start, start + group.shared), *range(at, at + length)]
            queries.append(length)
            seen.append(group.shared + length)
            at += length
        start = at
    ends = [
        torch.tensor([0, *itertools.accumulate(part)], dtype=torch.int32, device=model.device)
        for part in (queries, seen)
    ]
    alone = len(keys) == start
    return Spans(None if alone else torch.tensor(keys, device=model.device), ends[0], ends[1], max(queries), max(seen))


def _attend_in_one_call(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    spans: Spans,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """As `_attend`, all conversations in one kernel: flash attention of variable length, which CUDA has in 16 bits."""
    from torch.nn.attention.varlen import varlen_attn

    # [tokens, heads, width]; heads are repeated, since only newer releases of torch take fewer heads of keys
    q, k, v = (part.squeeze(0).transpose(0, 1) for part in (query, key, value))
    if spans.keys is not None:
        k, v = k.index_select(0, spans.keys), v.index_select(0, spans.keys)
    times = q.shape[1] // k.shape[1]
    if times > 1:
        k, v = k.repeat_interleave(times, 1), v.repeat_interleave(times, 1)
    output: Any = varlen_attn(
        q.contiguous(), k.contiguous(), v.contiguous(), spans.query_ends, spans.key_ends, spans.longest_query,
        spans.longest_key, scale=scaling, window_size=(sliding_window - 1 if sliding_window else -1, 0),
    )  # fmt: skip
    return output.unsqueeze(0), None


AttentionInterface.register(PER_ROW, _attend)
AttentionInterface.register(ONE_CALL, _attend_in_one_call)
