"""`python -m scripts.preflight --env ENV`: runs the checks; exit 0 (pass), 1 (a check failed), 5 (could not ask)."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path

from scripts import files, render
from scripts.azure.live import Live
from scripts.errors import complain, main
from scripts.preflight import checklist, context, results
from scripts.values.read import from_arguments, parser_of


def run(arguments: list[str] | None = None) -> int:
    """The command: see `--help`."""
    parser = parser_of("preflight", "Check a run before it is paid for.")
    parser.add_argument("--offline", action="store_true", help="only the checks that need no account")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    parser.add_argument("--brief", action="store_true", help="only complaints, memory and money")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write the results there too, as JUnit XML")
    parser.add_argument("--today", type=datetime.date.fromisoformat, metavar="DATE", help="another day than today")
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help="write the results there, as JSON: the run's record"
    )
    parser.add_argument("--az", default="", metavar="PROGRAM", help="what answers to az, to ask its version")
    parser.add_argument("--warn", action="store_true", help="print failures, but exit 0: a person has decided to go on")
    options = parser.parse_args(arguments)
    values = from_arguments(options)
    if options.record:  # the check of a target that runs the YAML
        render.require_fresh(values)
    made = context.build(values, None if options.offline else Live(values), options.today, options.az)
    found = checklist.run(made)
    if options.junit:
        files.write(options.junit, results.junit(values.environment, found))
    print(
        results.as_json(values.environment, found) if options.output == "json" else results.table(found, options.brief)
    )
    code = results.exit_code(found)
    unasked = [result.finding.sentence for result in found if result.unasked]
    if unasked:
        complain(f"{len(unasked)} check{'s' * (len(unasked) != 1)} had no answer: {unasked[0]}")
    if options.record:
        overridden = bool(code) and options.warn
        files.write_private(options.record, results.as_json(values.environment, found, overridden=overridden) + "\n")
    if code and options.warn:
        print(f"PREFLIGHT=warn: going on although preflight ends with {code}", file=sys.stderr)
        return 0
    if reason := results.stop(found):
        complain(f"{reason}")
    return code


if __name__ == "__main__":
    main(run)
