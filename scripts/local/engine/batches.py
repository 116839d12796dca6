"""Which conversations a step trains on, and how they are cut into passes that fit in memory."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from scripts.conversation.tokens import Encoded


def batches(rows: Sequence[Encoded], size: int, seed: int, epoch: int) -> Iterator[list[Encoded]]:
    """Yields an epoch's rows, `size` at a time (the last may be fewer), in an order that seed and epoch decide."""
    order = list(range(len(rows)))
    random.Random(f"{seed}/{epoch}").shuffle(order)
    for start in range(0, len(order), size):
        yield [rows[at] for at in order[start : start + size]]


def passes(rows: Sequence[Encoded], most_tokens: int) -> list[list[Encoded]]:
    """Cuts a batch into groups of at most `most_tokens` tokens (a longer row stands alone): same gradient, less memory.

    Longest first into the first group with room, so that the groups come out few and full.
    """
    groups: list[list[Encoded]] = []
    room: list[int] = []
    for row in sorted(rows, key=lambda row: -len(row.ids)):
        at = next((at for at, left in enumerate(room) if len(row.ids) <= left), None)
        if at is None:
            groups.append([row])
            room.append(most_tokens - len(row.ids))
        else:
            groups[at].append(row)
            room[at] -= len(row.ids)
    return groups
