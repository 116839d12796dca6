"""Keys and values of every conversation being answered, one row each, and attention over them.

The models stay those of transformers: an attention function, registered with its attention interface, stores the new
keys and values and attends to the stored ones. Rows in use are always 0 to n-1, so that a batch is a slice and never a
copy.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from transformers import AttentionInterface

NAME = "rows"
GROWTH = 256  # tokens by which the room of all rows grows


class Cache:
    """Keys and values [rows, heads, room, width] of each layer; the room grows with the longest conversation."""

    def __init__(self, model: Any, rows: int) -> None:
        config = model.config
        self.heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        self.width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self.rows, self.room, self.dtype = rows, 0, model.dtype
        self.layers = config.num_hidden_layers
        self.device = model.device
        self.lengths = [0] * rows  # tokens stored, by row
        self.keys = [self._empty(0) for _ in range(self.layers)]
        self.values = [self._empty(0) for _ in range(self.layers)]

    def _empty(self, room: int) -> torch.Tensor:
        # Zeros: what a mask hides is still multiplied by 0, and 0 times a stray NaN would be NaN.
        return torch.zeros(self.rows, self.heads, room, self.width, dtype=self.dtype, device=self.device)

    def reserve(self, length: int) -> None:
        """Makes room for conversations of `length` tokens."""
        if length <= self.room:
            return
        room = -(-length // GROWTH) * GROWTH
        for stored in (self.keys, self.values):
            for layer, old in enumerate(stored):
                stored[layer] = self._empty(room)
                stored[layer][:, :, : self.room] = old
        self.room = room

    def move(self, source: int, target: int) -> None:
        """Puts a conversation into another row."""
        length = self.lengths[source]
        for stored in (*self.keys, *self.values):
            stored[target, :, :length] = stored[source, :, :length]
        self.lengths[target] = length


class Part:
    """Which rows a forward pass is about: one row and many tokens (a prompt), or a token for each of many rows."""

    def __init__(self, cache: Cache, first: int, count: int, tokens: int) -> None:
        self.cache, self.rows = cache, slice(first, first + count)
        lengths = torch.tensor(cache.lengths[first : first + count], device=cache.device)
        self.positions = lengths[:, None] + torch.arange(tokens, device=cache.device)  # [rows, tokens]
        self.end = max(cache.lengths[first : first + count]) + tokens
        self.index = torch.arange(first, first + count, device=cache.device)[:, None]
        seen = torch.arange(self.end, device=cache.device) <= self.positions[..., None]
        # Nothing to hide: a whole prompt is plainly causal, and rows of one length all see everything.
        whole = self.end == tokens > 1
        self.mask = None if bool(seen.all()) or whole else seen[:, None]

    def store(self, layer: int, keys: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Stores the new keys and values [rows, heads, tokens, width]; returns all of these rows."""
        stored = []
        for everything, new in ((self.cache.keys[layer], keys), (self.cache.values[layer], values)):
            everything[self.index, :, self.positions] = new.transpose(1, 2)
            stored.append(everything[self.rows, :, : self.end])
        return stored[0], stored[1]


def attend(
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
    """Attention of the new tokens to all tokens of their rows; tensors are [rows, heads, tokens, width]."""
    key, value = part.store(module.layer_idx, key, value)
    rows, heads, tokens, width = query.shape
    mask = part.mask
    if sliding_window and part.end > sliding_window:
        at = torch.arange(part.end, device=query.device)
        behind = part.positions[..., None] - at
        mask = ((behind >= 0) & (behind < sliding_window))[:, None]
    if tokens == 1:  # the query heads that share a key head become tokens of it: no key is repeated
        query = query.view(rows, key.shape[1], -1, width)
        output = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scaling)
        return output.reshape(rows, 1, heads, -1), None
    causal = mask is None
    output = F.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, scale=scaling, is_causal=causal, enable_gqa=True
    )
    return output.transpose(1, 2), None


AttentionInterface.register(NAME, attend)
