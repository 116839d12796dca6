"""Keys and values of every conversation being answered, one row each, and attention over them.

Rows in use are always 0 to n-1, so that a batch is a slice and never a copy. On a processor each row has addresses for
the longest conversation and memory only for what is stored: the system gives pages as they are written, and gets them
back when a conversation ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import sys
from dataclasses import dataclass

import torch
import torch.nn.functional as F

# MAP_NORESERVE of mman.h, which Python names from 3.13 on: Linux would else refuse more addresses than there is memory.
UNRESERVED = 0x4000 if sys.platform == "linux" else 0


@dataclass(frozen=True)
class Shape:
    """What of a model decides how it is asked: layers, heads of keys and their width, longest conversation."""

    layers: int
    heads: int
    width: int
    context: int
    dtype: torch.dtype
    device: torch.device


class Cache:
    """Keys and values [rows, heads, room, width] of each layer, for as many tokens together as `megabytes` hold."""

    def __init__(self, model: Shape, rows: int, context: int, megabytes: float) -> None:
        self.device = model.device
        size = model.layers * 2 * model.heads * model.width * model.dtype.itemsize  # bytes of a token
        self.tokens = int(megabytes * 2**20) // size  # that fit, of all rows together
        lazy = model.device.type == "cpu"
        # An accelerator takes the memory at once, so that every row has its share and no more.
        self.room = max(1, min(context, self.tokens if lazy else self.tokens // rows))
        self.lengths = [0] * rows  # tokens stored, by row
        self.row = -(-size * self.room // mmap.PAGESIZE) * mmap.PAGESIZE  # bytes, whole pages
        self.pages: mmap.mmap | None = None
        # Zeros: what a mask hides is still multiplied by 0, and 0 times a stray NaN would be NaN.
        if lazy:
            self.pages = _addresses(rows * self.row)
            flat = torch.frombuffer(self.pages, dtype=model.dtype).view(rows, -1)
        else:
            flat = torch.zeros(rows, self.row // model.dtype.itemsize, dtype=model.dtype, device=model.device)
        shape = (model.layers, 2, model.heads, self.room, model.width)
        stored = flat[:, : size * self.room // model.dtype.itemsize].unflatten(1, shape)
        self.keys = [stored[:, layer, 0] for layer in range(model.layers)]
        self.values = [stored[:, layer, 1] for layer in range(model.layers)]

    def move(self, source: int, target: int) -> None:
        """Puts a conversation into another row."""
        length = self.lengths[source]
        for stored in (*self.keys, *self.values):
            stored[target, :, :length] = stored[source, :, :length]
        self.lengths[target] = length

    def free(self, row: int) -> None:
        """Gives a row's memory back; it is zeros again."""
        self.lengths[row] = 0
        if self.pages is not None and hasattr(mmap, "MADV_DONTNEED"):
            self.pages.madvise(mmap.MADV_DONTNEED, row * self.row, self.row)


def _addresses(size: int) -> mmap.mmap:
    """Returns zeros that take memory only where something is written."""
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | UNRESERVED)
    if hasattr(mmap, "MADV_NOHUGEPAGE"):  # a huge page would take 2 MB for the first token of a head
        with contextlib.suppress(OSError):  # a kernel without huge pages
            pages.madvise(mmap.MADV_NOHUGEPAGE)
    return pages


def trim() -> None:
    """Gives back what reading a long prompt took of the C library's memory, which keeps freed parts for later."""
    with contextlib.suppress(AttributeError, OSError):  # glibc has it, others give back by themselves
        ctypes.CDLL(None).malloc_trim(0)


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
    part: Part,
    layer: int,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    scaling: float | None = None,
    sliding_window: int | None = None,
) -> torch.Tensor:
    """Stores the new tokens' keys and values [rows, heads, tokens, width], and attends to all tokens of their rows.

    Returns [rows, tokens, heads, width].
    """
    key, value = part.store(layer, key, value)
    rows, heads, tokens, width = query.shape
    mask = part.mask
    if sliding_window and part.end > sliding_window:
        at = torch.arange(part.end, device=query.device)
        behind = part.positions[..., None] - at
        mask = ((behind >= 0) & (behind < sliding_window))[:, None]
    if tokens == 1:  # the query heads that share a key head become tokens of it: no key is repeated
        query = query.view(rows, key.shape[1], -1, width)
        output = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scaling)
        return output.reshape(rows, 1, heads, -1)
    causal = mask is None
    output = F.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, scale=scaling, is_causal=causal, enable_gqa=True
    )
    return output.transpose(1, 2)
