"""`python -m scripts.review`: what the change that lies here does to each environment, against a base commit.

Exit codes: 0 nothing differs, 2 something does, 1 and more it failed. make ends with 2 whatever a program ends with, so
a script calls this module, or has the review written to a file (--result, RESULT=<file>): that is no failure then.
"""

from __future__ import annotations

import argparse
import datetime
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts import files
from scripts.errors import CHANGES, FAILED, USAGE, UserError, compared, main, suggest
from scripts.files import ROOT
from scripts.review import base, other_catalog, rehearsed, shown, tree
from scripts.review.compare import Review, compare
from scripts.review.seen import Seen
from scripts.values.read import environments

FORMATS = {"text": shown.text, "markdown": shown.markdown, "json": shown.as_json}


def run(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """The command: see `--help`."""
    parser = argparse.ArgumentParser(prog="python -m scripts.review", description=__doc__)
    parser.add_argument("--base", default=base.DEFAULT, metavar="COMMIT", help=f"default {base.DEFAULT}")
    parser.add_argument("--env", action="append", default=[], metavar="ENV", help="only this environment")
    parser.add_argument("--format", choices=FORMATS, default="text")
    parser.add_argument(
        "--result", type=Path, metavar="FILE", help="write it there, and end with 0 where something differs"
    )
    options = parser.parse_args(arguments)
    of = base.commit(options.base, root)
    with tempfile.TemporaryDirectory(prefix="review-") as folder:
        before = Path(folder, "clone")
        base.extract(of, before, root)
        found = review(before, root, options.env)
    told = FORMATS[options.format](found, f"{options.base} ({of[:12]})")
    if options.result:
        files.write(options.result, told)
    elif told:
        print(told, end="" if told.endswith("\n") else "\n")
    faults = [each for each in found if each.fault]
    if faults:
        names = ", ".join(each.environment for each in faults)
        raise UserError(f"what is wrong with {names} is said in the review; put it right, and review again", FAILED)
    return CHANGES if found and not options.result else 0


def review(before: Path, after: Path, only: Sequence[str] = (), today: str = "") -> list[Review]:
    """Returns what differs between two trees, an environment each; those that do not differ are left out."""
    today = today or datetime.date.today().isoformat()
    old, new = environments(before), environments(after)
    known = list(dict.fromkeys([*new, *old]))
    for name in only:
        if name not in known:
            there = f"{suggest(name, known)}; there are {', '.join(known)}"
            raise UserError(f"ENV={name}: there is no such environment, nor was there{there}", USAGE)
    chosen = [name for name in known if name in (only or known)]
    was = _base([name for name in chosen if name in old], before, after, today)
    made = differences(was, {name: tree.look(name, after, today) for name in chosen if name in new})
    for each in made:
        each.rehearsal = rehearsed.lines(each.environment, after)
    return made


def differences(was: Mapping[str, Seen], now: Mapping[str, Seen]) -> list[Review]:
    """Returns what differs between what two trees say."""
    found = [compare(name, was.get(name), now.get(name)) for name in dict.fromkeys([*now, *was])]
    return [each for each in found if each]


def _base(names: list[str], before: Path, after: Path, today: str) -> Mapping[str, Seen]:
    """Looks at the base by its own catalog; by today's, where today's programs cannot read that any more."""
    if names and not base.same_facts(before, after):
        found = other_catalog.look(names, before, today)
        if found is not None:
            return found
    return {name: tree.look(name, before, today) for name in names}


if __name__ == "__main__":
    main(lambda: compared(run))
