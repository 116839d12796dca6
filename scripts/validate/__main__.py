"""`python -m scripts.validate`: everything that can be known of an environment's YAML offline and without an account.

The values against their schema; the rendered files through the SDK's own loaders; then what those let through: the
component's interface, bindings, references without a version, names and limits.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path

from scripts import render
from scripts.errors import INVALID, main
from scripts.files import ROOT
from scripts.validate import bounds, job, meaning, references, sdk
from scripts.validate import documents as documents_module
from scripts.validate.documents import Finding
from scripts.values import facts as facts_module
from scripts.values.read import Values, from_arguments, parser_of


def validate(values: Values, root: Path = ROOT) -> list[Finding]:
    """Returns every finding, in the order of files and lines; what our own checks say of a line, the SDK need not."""
    documents = documents_module.read(values.environment, root)
    facts = facts_module.load(values, root)
    findings = [
        *meaning.check(values, facts),
        *job.check(documents["job"], facts.component),
        *bounds.check(documents),
        *references.check(documents),
    ]
    said = {finding.where for finding in findings}
    findings += [finding for finding in sdk.check(list(documents.values())) if finding.where not in said]
    return sorted(dict.fromkeys(findings), key=_place)


def notes(values: Values) -> list[str]:
    """Returns what is no fault, and may be a slip all the same."""
    own = f"environments/{values.environment}.yaml"
    if any(place.startswith(f"{own}:") for place in values.places.values()):
        return []
    return [f"{own} sets nothing: all is as in values.yaml"]


def _place(finding: Finding) -> tuple[str, int]:
    file, _, line = finding.where.partition(":")  # of what was given on the command line there is no line
    return file, int(line or 0)


def run(arguments: list[str] | None = None) -> int:
    """The command: prints the findings and returns 0 or `INVALID`."""
    parser = parser_of("validate", "Check an environment's YAML offline.")
    gc.disable()  # a short process that imports much: collecting meanwhile costs a tenth of the time
    values = from_arguments(parser.parse_args(arguments))
    findings = validate(values)
    for note in filter(None, [*notes(values), render.lag(values)]):
        print(f"note: {note}", file=sys.stderr)
    for finding in findings:
        print(f"error: {finding}", file=sys.stderr)
    count = len(documents_module.read(values.environment))
    print(f"{values.environment}: {count} files, {len(findings) or 'no'} fault{'' if len(findings) == 1 else 's'}")
    return INVALID if findings else 0


if __name__ == "__main__":
    main(run)
