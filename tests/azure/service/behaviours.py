"""`python -m tests.azure.service.behaviours`: lists the behaviours that are enforced and that no test holds."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import yaml

from scripts.errors import UserError, main, suggest

TABLE = Path(__file__).with_name("behaviours.yaml")
ENFORCED = ("chain", "check", "emulator")
PLACES = (*ENFORCED, "documented", "unverified", "elsewhere")


@dataclasses.dataclass(frozen=True)
class Behaviour:
    """A row: what is asked, what the service answers, who saw it, where this project keeps to it, and the tests."""

    id: str
    ask: str
    answer: str
    source: str
    date: str
    held: tuple[str, ...]
    tests: tuple[str, ...]
    http: int | str | None = None
    ref: str = ""

    @property
    def todo(self) -> bool:
        """Says whether it is enforced somewhere and no test holds it."""
        return bool(set(self.held) & set(ENFORCED)) and not self.tests

    @property
    def unverified(self) -> bool:
        """Says whether nobody can say what the service does."""
        return "unverified" in self.held


def load(path: Path = TABLE) -> list[Behaviour]:
    """Returns the rows; raises a `UserError` that names a row which is wrong, and what is allowed."""
    rows = []
    for row in yaml.safe_load(path.read_text()):
        where = f"{path.name}: {row.get('id', row)}"
        try:
            behaviour = Behaviour(**row | {key: tuple(row.get(key, ())) for key in ("held", "tests")})
        except TypeError as error:
            raise UserError(f"{where}: {error}") from None
        for place in behaviour.held:
            if place not in PLACES:
                raise UserError(f"{where}: held: {place}{suggest(place, PLACES)}; allowed are {', '.join(PLACES)}")
        if not behaviour.held:
            raise UserError(f"{where}: held is empty; allowed are {', '.join(PLACES)}")
        if any(
            not isinstance(each, str) or not each for each in (row["ask"], row["answer"], row["source"], row["date"])
        ):
            raise UserError(f"{where}: ask, answer, source and date are texts, and none is empty")
        rows.append(behaviour)
    return rows


def run() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.azure.service.behaviours", description=__doc__)
    parser.add_argument("--held", choices=PLACES, help="only those of one place")
    options = parser.parse_args()
    rows = load()
    todo = [row for row in rows if row.todo and (options.held is None or options.held in row.held)]
    for row in todo:
        print(f"{row.ref or '-':8} {row.id:32} {', '.join(row.held)}")
    held = sum(bool(row.tests) for row in rows)
    unverified = sum(row.unverified for row in rows)
    print(f"{len(rows)} behaviours: {held} held by tests, {len(todo)} to do, {unverified} unverified")
    return 0


if __name__ == "__main__":
    main(run)
