"""What may be wrong with a conversation: every check, what it does by default, and how a user puts it right."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from scripts.azure.component_rules import FEWEST_ROWS

FAIL, DROP, KEEP = "fail", "drop", "keep"
ROLES = ("system", "user", "assistant", "tool")
MAX_ROW_BYTES = 8 * 2**20  # far above any context window; what is larger is not a conversation but an accident
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
    "schema": Check("not a conversation", DROP, "give `messages`, a list of {role, content}, or set dataset.layout", True,
                    (FAIL, DROP)),
    "role": Check("unknown role", DROP, "rename the role, or map it under dataset.layout.roles", True),
    "system_first": Check("system message not first", DROP, "put the one system message first", True),
    "order": Check("roles out of order", DROP, "alternate user and assistant; a tool answers an assistant", True),
    "single_message": Check("a single message", DROP, "add the answer; the component drops the row silently", True),
    "no_assistant": Check("no assistant turn", DROP, "add an answer: only assistant turns are learned", True),
    "empty_content": Check("empty message", DROP, "give the message text, or remove it", True),
    "control": Check("control characters", DROP, "remove control characters other than tab and line break", True),
    "garbled": Check("garbled characters", KEEP, "read the original with its own encoding and write UTF-8"),
    "duplicate": Check("duplicate", DROP, "remove one of the two"),
    "near_duplicate": Check("near duplicate", DROP,
                            "remove one of the two; they differ in case, space and punctuation only"),
    "leak": Check("leak across splits", DROP, "remove it from one split: a test must not know the training data"),
    "near_leak": Check("near leak across splits", DROP,
                       "remove it from one split; they differ in case, space and punctuation only"),
    "too_long": Check("longer than max_seq_length", KEEP,
                      "raise finetune.max_seq_length, or shorten: the end is cut off"),
    "answers_lost": Check("no answer left after the cut", KEEP,
                          "raise finetune.max_seq_length, or shorten what precedes the answer"),
    "template": Check("refused by the chat template", KEEP, "change its roles, or messages without text, to what the "
                      "template can write: the job fails on such a row", True),
    "few_rows": Check("too few training rows", FAIL,
                      f"give at least {FEWEST_ROWS} training rows: raise dataset.percent", True, (FAIL, KEEP)),
    "secret": Check("likely secret", KEEP, "remove it, and revoke it if it is real"),
    "email": Check("e-mail address", KEEP, "remove it, unless it is public"),
}  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """Something wrong with a row: the check, the key in the row, what stands there and what may."""

    check: str
    path: str
    found: str
    expected: str


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


def shown(value: object, limit: int = 60) -> str:
    """Returns a value as a reader may see it: one line, printable, cut at `limit` characters."""
    if isinstance(value, str):
        text = value[: limit * 4]
        text = "".join(sign if sign.isprintable() else f"\\u{ord(sign):04x}" for sign in text)
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
