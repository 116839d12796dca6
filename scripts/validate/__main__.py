"""`python -m scripts.validate`: everything that can be known of YAML offline and without an account.

Of an environment: the values against their schema; the rendered files through the SDK's own loaders; then what those
let through: the component's interface, bindings, references without a version, names and limits. With --file: of
anyone's YAML, by the same rules.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from scripts import render
from scripts.azure import job_kinds
from scripts.errors import main
from scripts.files import ROOT
from scripts.validate import anyones, autoscale, finetuning, job, meaning, own, report, rules, sdk
from scripts.validate import documents as documents_module
from scripts.validate.documents import ERROR, Finding
from scripts.validate.report import Report
from scripts.values import facts as facts_module
from scripts.values.read import Values, from_arguments, parser_of


def validate(values: Values, root: Path = ROOT) -> list[Finding]:
    """Returns every finding, in the order of files and lines; what one of our checks says of a line, no other need."""
    documents = documents_module.read(values.environment, root)
    facts = facts_module.load(values, root)
    checks = finetuning if documents["job"].kind == "finetuning_job" else job
    component = _by("fine-tuning", checks.check(documents["job"], facts.component))
    findings = [
        *_by("values", meaning.check(values, facts)),
        *_by("values", finetuning.values(values)),
        *_by("values", autoscale.check(values)),
        *_by("house", own.check(documents)),
        *component,
        *_elsewhere(component, (found for each in documents.values() for found in rules.check(each, rules.OWN))),
    ]
    findings += _elsewhere(findings, _by("schema", sdk.check(list(documents.values()))))
    return list(report.in_order([replace(found, level=ERROR) for found in findings]))


def _elsewhere(findings: list[Finding], more: Iterable[Finding]) -> list[Finding]:
    """Returns what was found at other lines than those of which who looks closer has said something."""
    said = {finding.where for finding in findings}
    return [finding for finding in more if finding.where not in said]


def _by(rule: str, findings: Iterable[Finding]) -> list[Finding]:
    return [replace(found, rule=rule) for found in findings]


def notes(values: Values) -> list[str]:
    """Returns what is no fault, and may be a slip all the same."""
    own_file, said = f"environments/{values.environment}.yaml", []
    if not any(place.startswith(f"{own_file}:") for place in values.places.values()):
        said.append(f"{own_file} sets nothing: all is as in values.yaml")
    if job_kinds.chosen(values.data) == job_kinds.FINETUNING:
        said.append(f"{values.where('job.kind')}: job.kind: {job_kinds.EXPERIMENTAL}")
    return said


def run(arguments: list[str] | None = None) -> int:
    """The command: prints the findings and returns 0 or `INVALID`; of --file scripts.validate.anyones."""
    parser = parser_of("validate", "Check an environment's YAML, or anyone's (--file), offline.")
    parser.add_argument("--file", nargs="+", metavar="FILE", help="any YAML of Azure ML: files, folders or patterns")
    anyones.add_outputs(parser)
    words = sys.argv[1:] if arguments is None else arguments
    options, _ = parser.parse_known_args(words)
    if options.file:
        return anyones.run(words)
    options = parser.parse_args(words)
    gc.disable()  # a short process that imports much: collecting meanwhile costs a tenth of the time
    values = from_arguments(options)
    findings = validate(values)
    for note in filter(None, [*notes(values), render.lag(values)]):
        print(f"note: {note}", file=sys.stderr)
    names = tuple(each.name for each in documents_module.read(values.environment).values())
    made = Report(values.environment, names, tuple(findings))
    faults = len(findings)
    summary = f"{made.name}: {len(names)} files, {faults or 'no'} fault{'' if faults == 1 else 's'}"
    return anyones.hand_out(made, options, summary, with_rule=False)


if __name__ == "__main__":
    main(run)
