"""What became of the columns and keys of a split's rows: what was used, what was not, and what was changed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from scripts.dataset.checks import shown

COLUMNS = 200  # that are named


@dataclass
class Accounts:
    """The columns of one split, each with the number of rows that it was used in, or had a value in for nothing."""

    layouts: Counter[str] = field(default_factory=Counter)  # how rows held their conversation, by the layout's name
    used: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)  # what was done to turns and keys, in a few words

    def account(self, column: str, is_used: bool) -> None:
        """Enters a column of one row, as used or not."""
        if is_used:
            self.used[column] += 1
        else:
            self.ignore(column)

    def ignore(self, column: str, rows: int = 1) -> None:
        """Enters a column that was not used in some rows; where every row has others, the last share a name."""
        name = shown(column)[1:-1]
        self.ignored[name if name in self.ignored or len(self.ignored) < COLUMNS else "further columns"] += rows

    def change(self, phrases: set[str]) -> None:
        """Enters what was done to one row; phrases may name its keys, so their number is limited too."""
        for phrase in phrases:
            self.changed[phrase if phrase in self.changed or len(self.changed) < COLUMNS else "further changes"] += 1

    def plain(self) -> dict[str, dict[str, int]]:
        """Returns the accounts as plain data, the largest first."""
        kinds = {"layouts": self.layouts, "used": self.used, "ignored": self.ignored, "changed": self.changed}
        return {name: _sorted(counts) for name, counts in kinds.items()}


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted((+counts).items(), key=lambda each: (-each[1], each[0])))
