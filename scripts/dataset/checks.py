"""What may be wrong with a conversation: every check, what it does by default, and how a user puts it right.

And the books of a run: what came in, what was kept, what was dropped and why, with the first bad rows of every check.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from scripts.azure.component_rules import FEWEST_ROWS

FAIL, DROP, KEEP = "fail", "drop", "keep"
PASS, WARN = "pass", "warn"
ROLES = ("system", "user", "assistant", "tool")
MAX_ROW_BYTES = 8 * 2**20  # far above any context window; what is larger is not a conversation but an accident
EVERY_ROW, SAMPLE_OF_ROWS = "every row", "a sample of the rows"
OF_THE_SET = ("few_rows",)  # checks whose count is one of splits, and says nothing about rows
EXAMPLES = 5  # how many bad rows of a check and split are named


@dataclass(frozen=True)
class Check:
    """One check: `invalid` rows would fail the job or be dropped by the component; the others are judgements."""

    title: str
    policy: str
    fix: str
    invalid: bool = False
    allowed: tuple[str, ...] = (FAIL, DROP, KEEP)


CHECKS: dict[str, Check] = {
    "row_size": Check("row too large", DROP, "split the conversation, or leave it out", True, (FAIL, DROP)),
    "json": Check("not JSON", DROP, "write one JSON object a line, with json.dumps", True, (FAIL, DROP)),
    "encoding": Check("not UTF-8", DROP, "write the file as UTF-8, without surrogates", True, (FAIL, DROP)),
    "schema": Check("not a conversation", DROP,
                    "give `messages`, a list of {role, content}, or set dataset.layout", True,
                    (FAIL, DROP)),
    "media": Check("a part that is no text", DROP, "leave the row out, or keep its text alone: the component trains "
                   "on text"),
    "label": Check("answer labelled as bad", DROP, "leave it out: every answer is trained as one to give; rename the "
                   "column if it says something else", True, (FAIL, DROP)),
    "weight": Check("answer with weight 0", DROP, "cut the conversation before that answer: the component trains every "
                    "answer, whatever its weight", True),
    "role": Check("unknown role", DROP, "rename the role, or map it under dataset.layout.roles", True),
    "system_first": Check("system message not first", DROP, "put the one system message first", True),
    "order": Check("roles out of order", DROP, "alternate user and assistant; a tool answers an assistant", True),
    "single_message": Check("a single message", DROP, "add the answer; the component drops the row silently", True),
    "no_assistant": Check("no assistant turn", DROP, "add an answer: only assistant turns are learned", True),
    "unanswered": Check("ends without an answer", DROP, "add the last answer, or remove the last question", True),
    "empty_content": Check("empty message", DROP, "give the message text, or remove it", True),
    "control": Check("control characters", DROP, "remove control characters other than tab and line break", True),
    "control_tokens": Check("the template's control tokens in a text", DROP, "remove or rewrite them: the model "
                            "reads them as the beginning or the end of a turn", True),
    "garbled": Check("garbled characters", KEEP, "read the original with its own encoding and write UTF-8"),
    "duplicate": Check("duplicate", DROP, "remove one of the two; to a reader they are the same"),
    "near_duplicate": Check("near duplicate", KEEP, "remove one of the two, unless both are meant: they differ in an "
                            "added word, case, punctuation, system prompt or number of turns only"),
    "leak": Check("leak across splits", DROP, "remove it from one split: a test must not know the training data"),
    "near_leak": Check("near leak across splits", DROP, "remove it from one split: they differ in an added word, case, "
                       "punctuation, system prompt or number of turns only"),
    "shared_question": Check("question of another split", KEEP, "remove it from one split, unless the question means "
                             "something else there: the answers differ"),
    "too_long": Check("longer than max_seq_length", KEEP,
                      "raise finetune.max_seq_length, or shorten: the end is cut off"),
    "answers_lost": Check("no answer left after the cut", KEEP,
                          "raise finetune.max_seq_length, or shorten what precedes the answer"),
    "template": Check("refused by the chat template", FAIL, "change its roles, or messages without text, to what the "
                      "template can write: the job fails on such a row", True),
    "calls_lost": Check("tool calls that the template does not write", FAIL, "take a model whose template knows tools, "
                        "or write the calls as text: the model would learn an empty answer", True),
    "text_lost": Check("messages or tools that the template does not write", FAIL, "take a model whose template writes "
                       "them, or move the text into a message that it writes: the model would never see it", True),
    "few_rows": Check("too few training rows", FAIL,
                      f"give at least {FEWEST_ROWS} training rows", True, (FAIL, KEEP)),
    "secret": Check("likely secret", KEEP, "remove it, and revoke it if it is real"),
    "personal": Check("card, account or phone number", KEEP, "remove it, unless it is public"),
    "email": Check("e-mail address", KEEP, "remove it, unless it is public"),
}  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """Something wrong with a row: the check, the key in the row, what stands there and what may, and what to do."""

    check: str
    path: str
    found: str
    expected: str
    fix: str = ""  # where it is not the check's own


_AFTER = {  # who may speak after whom; None is the start of the conversation, after the system message
    None: ("user",),
    "user": ("assistant",),
    "assistant": ("user", "tool"),
    "tool": ("assistant", "tool"),
}


@lru_cache(maxsize=4096)  # few sequences of roles make up most of a data set
def role_findings(roles: tuple[str, ...], trained: bool) -> tuple[Finding, ...]:
    """Returns what is wrong with a sequence of roles; held-out questions are not `trained`, and need no answer."""
    findings = []
    if not roles:
        return (Finding("schema", "messages", "an empty list", "at least two messages"),)
    unknown = next((at for at, role in enumerate(roles) if role not in ROLES), None)
    if unknown is not None:
        expected = ", ".join(ROLES[:-1]) + f" or {ROLES[-1]}"
        findings.append(Finding("role", f"messages[{unknown}].role", shown(roles[unknown]), expected))
    late = next((at for at, role in enumerate(roles) if role == "system" and at > 0), None)
    if late is not None:
        expected = "system first or not at all" if roles[0] != "system" else "one system message"
        findings.append(Finding("system_first", f"messages[{late}].role", "system", expected))
    findings += _order(roles)[:1]
    if trained and len(roles) == 1:
        findings.append(Finding("single_message", "messages", "1 message", "a question and an answer"))
    elif trained and "assistant" not in roles:
        findings.append(Finding("no_assistant", "messages", "no assistant turn", "at least one"))
    elif trained and not findings and roles[-1] in ("user", "tool"):
        found = "a question" if roles[-1] == "user" else "a tool's result"
        findings.append(Finding("unanswered", f"messages[{len(roles) - 1}]", f"{found} at the end", "an answer"))
    elif "user" not in roles and "assistant" not in roles:
        findings.append(Finding("no_assistant", "messages", "nobody who asks or answers", "a user turn"))
    return tuple(findings)


def _order(roles: tuple[str, ...]) -> list[Finding]:
    previous = None
    for at, role in enumerate(roles):
        if role == "system" or role not in ROLES:  # other checks name these
            continue
        if role not in _AFTER[previous]:
            after = f"after {previous}" if previous else "at the start"
            return [Finding("order", f"messages[{at}].role", f"{role} {after}", " or ".join(_AFTER[previous]))]
        previous = role
    return []


def printable(text: str) -> str:
    """Returns a text of which every sign can be seen, on one line; the others are written as in JSON."""
    return "".join(sign if sign.isprintable() else f"\\u{ord(sign):04x}" for sign in text)


def shown(value: object, limit: int = 60) -> str:
    """Returns a value as a reader may see it: one line, printable, cut at `limit` characters."""
    if isinstance(value, str):
        text = printable(value[: limit * 4])
        return f"'{text[:limit]}…'" if len(text) > limit or len(value) > limit * 4 else f"'{text}'"
    if isinstance(value, dict):
        keys = ", ".join(shown(str(key), 24)[1:-1] for key in list(value)[:6])
        return f"an object with {keys or 'no keys'}{', …' if len(value) > 6 else ''}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"the number {value!r:.40}" if isinstance(value, int | float) else f"{type(value).__name__}"


@dataclass
class Tally:
    """The books of one run. A row is dropped once, under the first check that says so: in = kept + dropped."""

    policies: dict[str, str]
    rows_in: Counter = field(default_factory=Counter)
    kept: Counter = field(default_factory=Counter)
    dropped: dict[str, Counter] = field(default_factory=dict)
    found: dict[str, Counter] = field(default_factory=dict)
    estimated: set[str] = field(default_factory=set)  # checks whose counts are from a sample
    looked_at: dict[str, str] = field(default_factory=dict)  # checks that did not see every row, and what they saw
    examples: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)

    def find(self, split: str, place: tuple[str, str], finding: Finding) -> bool:
        """Books a finding about the row at `place` (file, row); returns whether the row may be passed on."""
        self.found.setdefault(finding.check, Counter())[split] += 1
        examples = self.examples.setdefault((finding.check, split), [])
        if len(examples) < EXAMPLES:
            examples.append({
                "file": place[0], "row": place[1], "path": finding.path, "found": finding.found,
                "expected": finding.expected, "fix": finding.fix or CHECKS[finding.check].fix,
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
                "looked_at": self.looked_at.get(name, EVERY_ROW),
                "examples": [example for (at, _), some in self.examples.items() if at == name for example in some],
            })  # fmt: skip
        statuses = {check["status"] for check in checks}
        worst = FAIL if FAIL in statuses else WARN if WARN in statuses else PASS
        rows = {
            split: {"in": count, "kept": self.kept[split], "dropped": dict(self.dropped.get(split, Counter()))}
            for split, count in self.rows_in.items()
        }
        return {"status": worst, "rows": rows, "checks": checks}
