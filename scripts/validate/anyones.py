"""`python -m scripts.validate --file FILE…`, and `azureml-validate`, the program of a pre-commit hook: anyone's YAML.

It needs PyYAML alone; where azure-ai-ml is installed too, keys that its schemas do not have are named.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import gc
import sys
from collections import Counter
from pathlib import Path

from scripts import errors, files
from scripts.errors import UserError
from scripts.validate import foreign, report, rules, sdk
from scripts.validate.documents import Document, Finding
from scripts.validate.report import Report


def look(named: list[str], today: datetime.date) -> Report:
    """Returns what the rules find in files, folders or patterns; what is none of Azure ML's is skipped."""
    found: list[Finding] = []
    looked: list[str] = []
    paths = foreign.paths(named)
    for path in paths:
        document = foreign.read(path, today)
        if document is not None:
            looked.append(foreign.printable(path.as_posix()))
            found += rules.check(document) if isinstance(document, Document) else [document]
    found = [dataclasses.replace(each, key=foreign.printable(each.key), sentence=foreign.printable(each.sentence))
             for each in found]  # fmt: skip
    name = foreign.printable(", ".join(named))
    return Report(name, tuple(looked), report.in_order(found), len(paths) - len(looked))


def add_outputs(parser: argparse.ArgumentParser) -> None:
    """Adds what says where findings go, and in which form."""
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write the findings there too, as JUnit XML")
    parser.add_argument("--sarif", type=Path, metavar="FILE", help="write the findings there too, as SARIF 2.1.0")


def hand_out(made: Report, options: argparse.Namespace, summary: str, with_rule: bool) -> int:
    """Writes and prints a report; returns its exit code."""
    for path in filter(None, (options.junit, options.sarif)):
        if path.as_posix() in made.files:
            raise UserError(f"{path}: is what was looked at; write the findings to another file", errors.USAGE)
    if options.junit:
        files.write(options.junit, report.junit(made))
    if options.sarif:
        files.write(options.sarif, report.sarif(made))
    if options.output == "json":
        print(report.as_json(made))
        return made.code
    for finding in made.findings:
        print(f"{finding.level}: {finding}" + f" [{finding.rule}]" * with_rule, file=sys.stderr)
    print(summary)
    return made.code


def summary(made: Report) -> str:
    """Returns how many files were looked at, and what was found in them."""
    counts = Counter(each.level for each in made.findings)
    words = ", ".join(f"{number} {level}{'s' * (number != 1)}" for level, number in sorted(counts.items()))
    more = f"\n{report.by_rule(made)}" if words else ""
    return f"{len(made.files)} files of Azure ML, {made.skipped} others skipped: {words or 'no fault'}{more}"


def run(arguments: list[str] | None = None) -> int:
    """The command: prints the findings; 4 if there is an error, 0 where there are warnings alone."""
    parser = argparse.ArgumentParser(prog="azureml-validate", description="Check any YAML of Azure ML offline.")
    parser.add_argument("--file", nargs="+", required=True, metavar="FILE", help="files, folders or patterns")
    parser.add_argument(
        "--today", type=datetime.date.fromisoformat, metavar="DATE", default=datetime.date.today(),
        help="another day than today, to see what will be retired",
    )  # fmt: skip
    add_outputs(parser)
    options = parser.parse_args(arguments)
    gc.disable()  # a short process that imports much: collecting meanwhile costs a tenth of the time
    made = look(options.file, options.today)
    if made.files and not sdk.is_installed():
        print("note: azure-ai-ml is not installed, so unknown keys were not looked for", file=sys.stderr)
    return hand_out(made, options, summary(made), with_rule=True)


def main() -> None:
    """The program `azureml-validate`."""
    errors.main(run)
