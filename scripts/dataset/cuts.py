"""Cuts of a small set: a hash gives 5 % of 12 rows none at all, so the edges are moved until every part has a row.

A row's fraction is drawn from its text, and the edges move up to the next fractions there are: nothing else changes its
side, and a row stays where it is while the set grows until the cuts have rows of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

Cuts = list[tuple[str, float]]


@dataclass
class Drawn:
    """The smallest fractions that were drawn on each side of the cuts: as many as moving all edges could take."""

    most: int
    lowest: dict[int, Any] = field(default_factory=dict)

    def add(self, drawn: Any, sides: Any) -> None:
        """Takes the fractions of some rows, and the number of the side on which each is."""
        for side in np.unique(sides).tolist():
            some = np.concatenate((self.lowest.get(side, ()), drawn[sides == side]))
            self.lowest[side] = np.unique(some)[: self.most]


def moved(cuts: Cuts, drawn: Drawn) -> Cuts | None:
    """Returns cuts of which none is empty; None if none is, or if there are too few different rows."""
    fractions = np.unique(np.concatenate([*drawn.lowest.values(), ()]))
    out: Cuts = []
    begin, is_moved = 0.0, False
    for (part, _), edge in zip(cuts, np.cumsum([share for _, share in cuts]).tolist(), strict=True):
        end = max(begin, edge)
        after = fractions[fractions >= begin]
        if after.size < 2:
            return None
        if after[0] >= end:
            end, is_moved = float(after[0] + after[1]) / 2, True
        out.append((part, end - begin))
        begin = end
    return out if is_moved and (fractions >= begin).any() else None
