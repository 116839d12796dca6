"""The rules that hold for any YAML of Azure ML, ours and anyone's: a name, what it is about, and a function.

A comment `# validate: off <rule>` at the end of a line switches a rule off there.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from scripts.errors import suggest
from scripts.validate import bounds, expressions, interfaces, references, sdk, settings
from scripts.validate.documents import ERROR, WARNING, Document, Finding

_OFF = re.compile(r"#\s*validate:\s*off\b(?P<rules>[\w, -]*)")


@dataclass(frozen=True)
class Rule:
    """A rule; `by_policy`: the values of an environment say how it is meant, and preflight looks at it there."""

    name: str
    says: str
    work: Callable[[Document], Iterable[Finding]]
    level: str = ERROR
    by_policy: bool = False


def _repeated(document: Document) -> Iterator[Finding]:
    for key, line in document.repeated.items():
        yield document.finding(key, f"written again after line {line}, and only the last one counts; keep one of them")


def _switches(document: Document) -> Iterator[Finding]:
    """Yields the comments that are to switch a rule off, and name none."""
    names = [rule.name for rule in RULES]
    for number, line in enumerate(document.text.splitlines(), 1):
        if (words := _words(line)) and words[0] not in names:
            hint = suggest(words[0], names)
            said = f"validate: off: found {words[0]!r}, which is no rule{hint}; name the one in the finding's brackets"
            yield Finding(f"{document.name}:{number}", "", said)


def _words(line: str) -> list[str]:
    """Returns the rules that a line's comment switches off, and what else is said there."""
    match = _OFF.search(line)
    return re.split(r"[, ]+", match["rules"].strip()) if match else []


RULES: tuple[Rule, ...] = (
    Rule("duplicate-key", "A key that is written twice", _repeated),
    Rule("number", "A number beyond what Azure allows: instances, timeouts, probes, versions", bounds.numbers),
    Rule("name", "A name that Azure does not take", bounds.names),
    Rule("text", "A tag or property that is no text", bounds.texts),
    Rule("traffic", "Shares of traffic that do not add up, scaling that a deployment has none of", bounds.traffic),
    Rule("expression", "An expression that is bound to nothing", expressions.check),
    Rule("component-input", "Inputs that do not fit the component's interface", interfaces.check),
    Rule("setting", "A setting of a pipeline that Azure ML silently ignores", settings.check),
    Rule("unpinned", "A reference to an asset by no exact version", references.unpinned, WARNING),
    Rule("retired-size", "A machine size that Azure has retired", references.retired_sizes, by_policy=True),
    Rule("retiring-size", "A machine size that Azure retires within half a year", references.retiring_sizes, WARNING,
         by_policy=True),
    Rule("retired-model", "A model that may not be fine-tuned or deployed any more", references.retired_models,
         by_policy=True),
    Rule("archived-model", "A model that its registry has archived", references.archived_models, WARNING,
         by_policy=True),
    Rule("dropped-environment", "A curated environment that gets no fixes", references.removed_environments, WARNING),
    Rule("switched-off", "A comment that switches off no rule", _switches, WARNING),
    Rule("unknown-key", "A key that the SDK's schema does not have", sdk.unknown_keys),
)  # fmt: skip
OTHERS = {
    "yaml": "A file of Azure ML's that is not YAML",
    "values": "Values that cannot be meant",
    "fine-tuning": "The job does not fit the fine-tuning component",
    "house": "What this project demands of its own files: nothing left to a default, one fits the other",
    "schema": "What the SDK's loader refuses",
}
OWN = tuple(rule for rule in RULES if not rule.by_policy and rule.name != "unknown-key")


def check(document: Document, rules: Sequence[Rule] = RULES) -> Iterator[Finding]:
    """Yields what the rules find in a document, once a key, those that a comment switches off left out."""
    lines = document.text.splitlines() if _OFF.search(document.text) else []
    said: set[tuple[str, str]] = set()
    for rule in rules:
        for found in rule.work(document):
            place = (found.where, found.key)
            if place not in said and rule.name not in _switched_off(lines, found):
                said.add(place)
                level = WARNING if WARNING in (found.level, rule.level) else ERROR
                yield dataclasses.replace(found, rule=rule.name, level=level)


def _switched_off(lines: list[str], found: Finding) -> list[str]:
    number = int(found.where.rpartition(":")[2])
    return _words(lines[number - 1]) if number <= len(lines) else []
