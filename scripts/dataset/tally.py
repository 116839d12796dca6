"""Counts of what came in, what was kept, what was dropped and why, with the first bad rows of every check."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from scripts.dataset.checks import CHECKS, DROP, EXAMPLES, FAIL, KEEP, Finding

PASS, WARN = "pass", "warn"


@dataclass
class Tally:
    """The books of one run. A row is dropped once, under the first check that says so: in = kept + dropped."""

    policies: dict[str, str]
    rows_in: Counter = field(default_factory=Counter)
    kept: Counter = field(default_factory=Counter)
    dropped: dict[str, Counter] = field(default_factory=dict)
    found: dict[str, Counter] = field(default_factory=dict)
    estimated: set[str] = field(default_factory=set)  # checks whose counts are from a sample
    examples: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)

    def find(self, split: str, place: tuple[str, str], finding: Finding) -> bool:
        """Books a finding about the row at `place` (file, row); returns whether the row may be passed on."""
        self.found.setdefault(finding.check, Counter())[split] += 1
        examples = self.examples.setdefault((finding.check, split), [])
        if len(examples) < EXAMPLES:
            examples.append({
                "file": place[0], "row": place[1], "path": finding.path, "found": finding.found,
                "expected": finding.expected, "fix": CHECKS[finding.check].fix,
            })  # fmt: skip
        return self.policies[finding.check] == KEEP

    def estimate(self, check: str, split: str, rows: int) -> None:
        """Raises the count of a check that has found something in a sample to what that means for all rows."""
        if split in self.found.get(check, ()):
            self.found[check][split] = max(self.found[check][split], rows)
            self.estimated.add(check)

    def drop(self, split: str, check: str) -> None:
        """Books a row as left out because of `check`."""
        self.dropped.setdefault(split, Counter())[check] += 1

    def status(self, check: str, strict: bool) -> str:
        """Returns pass, warn or fail for a check; `strict` judges a file as it stands, where nothing drops the row."""
        if not self.found.get(check):
            return PASS
        policy = self.policies[check]
        if policy == FAIL or (strict and policy == DROP and CHECKS[check].invalid):
            return FAIL
        return WARN

    def verdict(self, strict: bool = False) -> dict[str, Any]:
        """Returns the outcome as plain data: the worst status, rows by split, and every check with its examples."""
        checks = []
        for name, check in CHECKS.items():
            found = self.found.get(name, Counter())
            checks.append({
                "name": name, "title": check.title, "status": self.status(name, strict), "policy": self.policies[name],
                "count": found.total(), "splits": dict(found), "estimated": name in self.estimated,
                "examples": [example for (at, _), some in self.examples.items() if at == name for example in some],
            })  # fmt: skip
        statuses = {check["status"] for check in checks}
        worst = FAIL if FAIL in statuses else WARN if WARN in statuses else PASS
        rows = {
            split: {"in": count, "kept": self.kept[split], "dropped": dict(self.dropped.get(split, Counter()))}
            for split, count in self.rows_in.items()
        }
        return {"status": worst, "rows": rows, "checks": checks}
