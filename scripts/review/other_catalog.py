"""`python -m scripts.review.other_catalog ROOT ENV …`: what a tree says, by the catalog of that tree, as JSON.

Facts are read once in a process, so another catalog takes a process of its own, which is told before it reads any.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
from pathlib import Path

from scripts import files
from scripts.azure import catalog
from scripts.errors import main
from scripts.files import ROOT
from scripts.review import base
from scripts.review.seen import Seen
from scripts.shape import shaped


def look(environments: list[str], root: Path, today: str) -> dict[str, Seen] | None:
    """Returns what another tree says by its own catalog; None where the programs of today cannot read that."""
    words = [sys.executable, "-m", "scripts.review.other_catalog", str(root), today, *environments]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    return shaped(dict[str, Seen], json.loads(done.stdout)) if not done.returncode else None


def run(arguments: list[str] | None = None) -> int:
    """The command: see above."""
    parser = argparse.ArgumentParser(prog="python -m scripts.review.other_catalog", description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("today")
    parser.add_argument("environments", nargs="+")
    options = parser.parse_args(arguments)
    _complete(options.root)
    catalog.FOLDER = options.root / base.CATALOG
    from scripts.estimate import basis
    from scripts.review import tree

    basis.KNOWN_SOURCES = options.root / base.KNOWN_SOURCES
    seen = {name: tree.look(name, options.root, options.today) for name in options.environments}
    print(json.dumps({name: dataclasses.asdict(each) for name, each in seen.items()}))
    return 0


def _complete(root: Path) -> None:
    """Gives the tree those files of the catalog that it did not have yet."""
    for path in [*(ROOT / base.CATALOG).glob("*.json"), ROOT / base.KNOWN_SOURCES]:
        target = root / path.relative_to(ROOT)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            files.write(target, path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main(run)
