"""What was found, for people and for machines: lines, JSON, JUnit XML and SARIF 2.1.0."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from scripts.errors import INVALID
from scripts.validate.documents import ERROR, Finding
from scripts.validate.rules import OTHERS, RULES

SARIF = "https://json.schemastore.org/sarif-2.1.0.json"


@dataclass(frozen=True)
class Report:
    """The files that were looked at, how many others were not, and what was found in them."""

    name: str
    files: tuple[str, ...]
    findings: tuple[Finding, ...]
    skipped: int = 0

    @property
    def code(self) -> int:
        """The exit code: `INVALID` if there is an error; warnings are said, and no more."""
        return INVALID if any(each.level == ERROR for each in self.findings) else 0

    def count(self, level: str) -> int:
        """Returns how many findings are of a level."""
        return sum(each.level == level for each in self.findings)


def place(where: str) -> tuple[str, int]:
    """Returns file and line of a place; 0 for what was given on the command line."""
    file, colon, line = where.rpartition(":")
    return (file, int(line)) if colon and line.isdigit() else (where, 0)


def in_order(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Returns findings by file and line, each once."""
    return tuple(sorted(dict.fromkeys(findings), key=lambda each: place(each.where)))


def by_rule(report: Report) -> str:
    """Returns how many findings there are of each rule, the most first."""
    counts = Counter(each.rule for each in report.findings)
    return ", ".join(f"{name} {number}" for name, number in counts.most_common())


def as_json(report: Report) -> str:
    """Returns the report as JSON: the same keys, always all of them."""
    found = [
        {"file": place(each.where)[0], "line": place(each.where)[1], **_without_place(each)} for each in report.findings
    ]
    return json.dumps(
        {"name": report.name, "exit_code": report.code, "files": list(report.files), "skipped": report.skipped,
         "findings": found},
        indent=2, ensure_ascii=False,
    )  # fmt: skip


def _without_place(finding: Finding) -> dict[str, str]:
    return {name: value for name, value in dataclasses.asdict(finding).items() if name != "where"}


def junit(report: Report) -> str:
    """Returns the report as JUnit XML: a case a file; its errors fail it, warnings stand in its output."""
    from xml.etree import ElementTree

    suite = ElementTree.Element("testsuite", name=f"validate {report.name}")
    failures, others = 0, {place(each.where)[0] for each in report.findings} - set(report.files)
    for file in (*report.files, *sorted(others)):
        case = ElementTree.SubElement(suite, "testcase", classname="validate", name=file)
        own = [each for each in report.findings if place(each.where)[0] == file]
        errors, warnings = ([each for each in own if (each.level == ERROR) == wanted] for wanted in (True, False))
        failures += bool(errors)
        if errors:
            failure = ElementTree.SubElement(case, "failure", message=_text(errors[0]))
            failure.text = "\n".join(map(_text, errors))
        if warnings:
            ElementTree.SubElement(case, "system-out").text = "\n".join(map(_text, warnings))
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(failures))
    ElementTree.indent(suite)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(suite, encoding="unicode")}\n'


def _text(finding: Finding) -> str:
    return f"{finding} [{finding.rule}]"


def sarif(report: Report) -> str:
    """Returns the report as SARIF 2.1.0, which code hosts show beside the line."""
    rules = list(_rules())
    index = {rule["id"]: number for number, rule in enumerate(rules)}
    results = []
    for each in report.findings:
        file, line = place(each.where)
        result = {
            "ruleId": each.rule,
            "ruleIndex": index[each.rule],
            "level": each.level,
            "message": {"text": f"{each.key}: {each.sentence}" if each.key else each.sentence},
        }
        if line:
            result["locations"] = [
                {"physicalLocation": {"artifactLocation": {"uri": _uri(file)}, "region": {"startLine": line}}}
            ]
        results.append(result)
    driver = {"name": "azureml-validate", "rules": rules}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": SARIF, "version": "2.1.0", "runs": [run]}, indent=1, ensure_ascii=False) + "\n"


def _rules() -> Iterator[dict[str, object]]:
    for name, says, level in (
        *((rule.name, rule.says, rule.level) for rule in RULES),
        *((name, says, ERROR) for name, says in OTHERS.items()),
    ):
        yield {"id": name, "shortDescription": {"text": says}, "defaultConfiguration": {"level": level}}


def _uri(file: str) -> str:
    path = Path(file)
    return path.as_uri() if path.is_absolute() else quote(file)
