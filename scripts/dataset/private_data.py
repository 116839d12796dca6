"""Secrets and personal data in text: the forms they take, and what only looks like them.

Every form has a `hint`, short and cheap, and a `pattern`. All hints together are one regular expression, which RE2
looks for in a whole chunk at once (`Texts`), so that its time hardly depends on how many forms there are; the pattern
and its check digits are tried only where a hint stands. A placeholder of a manual is not reported, nor is code that
merely names a password.

Measured on chat text: 3 ms a MB; on source code, where passwords are named all the time, 8 to 25 ms, with one alarm in
2 MB. The kept library for this, detect-secrets 1.5.0, takes 4 to 10 s a MB, and knows no cards or account numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

Match = re.Match[bytes]


@dataclass(frozen=True)
class Form:
    """One form of private data: its check, its name, and how it is told from ordinary text."""

    check: str  # secret or personal
    name: str
    hint: str  # begins where `pattern` begins; no more of it than tells most text apart, and nothing that RE2 lacks
    pattern: re.Pattern[bytes]
    is_real: Callable[[Match], bool]


_FILLER = re.compile(
    rb"(?i)your|example|placeholder|change.?me|redacted|dummy|sample|insert|replace|x{4}|0{6}|\*{3}|\.{3}|<|>|\{\{|\$\{"
    rb"|(?:^|[_-])my[_-]"
)
_OTHER = re.compile(  # calls, paths, addresses and dates stand where a password might, and are none
    rb"[~&]?[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+|[.~]{0,2}(?:/[A-Za-z][\w.-]*)+/?|[\w./-]*\.[a-z]{2,4}|.*://.*"
    rb"|\d{4}-\d\d-\d\d.*|[\d.,:_/-]+|[^@]+@[^@]+\.\w+"
)
_STRONG_SIGN = re.compile(rb"\d|[!@#$^&*+?][^/]")
_NAME = re.compile(rb"_*[A-Za-z]+\d{0,4}(?:_+[A-Za-z]*\d{0,4})+|[A-Za-z]+\d{0,2}")  # of a variable, not in quotes


def _is_no_filler(found: Match) -> bool:
    """Tells a token from the placeholder of a manual."""
    return not _FILLER.search(found["value"] if "value" in found.re.groupindex else found[0])


def _is_mixed(found: Match) -> bool:
    """Tells a token from words joined by dashes, as in names of styles: it has a digit and is no placeholder."""
    return any(sign in b"0123456789" for sign in found[0]) and _is_no_filler(found)


def _is_value(found: Match) -> bool:
    """Tells a password or key that follows its name from code that handles one, and from a placeholder."""
    value = found["value"].rstrip(b".,:;!?")
    before, after = (found.string[at : at + 1] for at in (found.start("value") - 1, found.end()))
    if len(value) < 8 or after in (b"(", b"[") or _FILLER.search(value) or _OTHER.fullmatch(value):
        return False
    if before not in (b'"', b"'", b"`") and _NAME.fullmatch(value):
        return False
    return bool(_STRONG_SIGN.search(value))


def _is_card(found: Match) -> bool:
    """Tells a card number by its check digit (Luhn)."""
    digits = [sign - 48 for sign in found[0] if 48 <= sign <= 57]
    doubled = sum(sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return (doubled + sum(digits[::-2])) % 10 == 0 and len(set(digits)) > 2


def _is_iban(found: Match) -> bool:
    """Tells an account number by its check digits (ISO 7064, mod 97)."""
    text = found[0].replace(b" ", b"").decode()
    return int("".join(str(int(sign, 36)) for sign in text[4:] + text[:4])) % 97 == 1


def _is_phone(found: Match) -> bool:
    """Tells a phone number by how many digits it has, and that they are not all alike."""
    digits = re.sub(rb"\D", b"", found[0])
    return 9 <= len(digits) <= 15 and len(set(digits)) > 2


# How long an account number is in each country (ISO 13616).
_IBAN = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 "
    "FI18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 "
    "LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 "
    "SA24 SC31 SE24 SI19 SK24 SM27 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20"
)
_IBANS = "|".join(rf"{each[:2]}\d\d(?: ?[0-9A-Z]){{{int(each[2:]) - 4}}}" for each in _IBAN.split())
_CARDS = (  # Visa, Mastercard, Discover, UnionPay, JCB; American Express; Diners Club
    r"(?:4\d{3}|5[1-5]\d\d|2[2-7]\d\d|6(?:011|4[4-9]\d|5\d\d|2\d\d)|35[2-8]\d)([ -]?)\d{4}\1\d{4}\1\d{4}"
    r"|3[47]\d\d([ -]?)\d{6}\2\d{5}|3(?:0[0-5]|[68]\d)\d([ -]?)\d{6}\3\d{4}"
)
_NAMED = (  # what a secret is called where it is assigned
    r"(?:passw(?:or)?d|passwort|kennwort|passphrase|pwd|secret|token|credential"
    r"|(?:api|access|account|auth|private|client|master|signing|encryption)[_ -]?key"
    r"|(?:openai|azure|cognitive|subscription|apim|speech|translator)[a-z0-9_ -]*key)"
)
_ASSIGNED = r"[a-z0-9_-]*[\\\"'`]*[ \t]*(?::=|=>|[:=>]|is )[ \t]*[\\\"'`]*(?:bearer |basic )?"
_VALUE = r"[^\x00-\x20\"'`<>(){}\[\],;\\]"  # a sign of a value; no value begins with $, %, * or @
_STRONG = r"[0-9!@#$^&*+?]"  # a sign of it that names in code do not have
_CALLED_SO = f"(?i:{_NAMED}{_ASSIGNED})"
_HINTED = f"{_CALLED_SO}{_VALUE}*{_STRONG}"
_CALLED = r"\b(?i:tel|phone|mobil|fax|handy|cell)[a-z]{0,6}[.:]{0,2} {1,2}(?:[a-z]{2,6}[.:]? ){0,2}\(?"

_TOKENS = {  # what services document of their own keys: name -> how it begins, and how it goes on
    "AWS access key": (r"\b(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]", r"{16}\b"),
    "GitHub token": (r"\b(?:gh[pousr]_|github_pat_)[A-Za-z0-9_]", r"{36,}"),
    "GitLab token": (r"\bgl(?:pat|dt|rt|ptt|cbt|soat|ft|imt|agent)-[A-Za-z0-9_-]", r"{20,}"),
    "Hugging Face token": (r"\b(?:hf_|api_org_)[A-Za-z0-9]", r"{30,}\b"),
    "npm token": (r"\bnpm_[A-Za-z0-9]", r"{36}\b"),
    "PyPI token": (r"\bpypi-AgE[A-Za-z0-9_-]", r"{32,}"),
    "Google API key": (r"\bAIza[0-9A-Za-z_-]", r"{35}"),
    "Google client secret": (r"\bGOCSPX-[0-9A-Za-z_-]", r"{24,}"),
    "Slack token": (r"\bxox[abeoprs]-[0-9A-Za-z-]", r"{10,}"),
    "Slack webhook": (r"hooks\.slack\.com/services/T[0-9A-Z]", r"{7,}/B[0-9A-Z]{7,}/[0-9A-Za-z]{20,}"),
    "Stripe key": (r"\b(?:[sr]k_(?:live|test)|whsec)_[0-9A-Za-z]", r"{16,}"),
    "SendGrid key": (r"\bSG\.[0-9A-Za-z_-]", r"{16,32}\.[0-9A-Za-z_-]{16,64}"),
    "Twilio key": (r"\bSK[0-9a-f]{8}", r"[0-9a-f]{24}\b"),
    "Databricks token": (r"\bdapi[0-9a-f]{8}", r"[0-9a-f]{24}"),
    "DigitalOcean token": (r"\bdo[opr]_v1_[0-9a-f]", r"{64}"),
    "Shopify token": (r"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]", r"{32}"),
    "Telegram token": (r"\b\d{8,10}:AA[0-9A-Za-z_-]", r"{32,33}\b"),
    "Azure client secret": (r"[0-9]Q~[0-9A-Za-z_.~-]", r"{31,34}"),
    "Azure AI key": (r"JQQJ99[0-9A-Za-z]", r"{26}\b"),
    "JSON web token": (r"\beyJ[A-Za-z0-9_-]", r"{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
    "signed URL": (r"[?&]sig=[A-Za-z0-9%+/]", r"{30,}"),
}
_AZURE = r"(?i:AccountKey|SharedAccessKey|SharedAccessSignature)=[A-Za-z0-9+/]"


def _form(check: str, name: str, hint: str, pattern: str, is_real: Callable[[Match], bool] = _is_no_filler) -> Form:
    return Form(check, name, hint, _compiled(pattern), is_real)


def _compiled(pattern: str) -> re.Pattern[bytes]:
    """Compiles a pattern with every repetition bounded: unlike RE2, Python's engine may take its square in steps."""
    return re.compile(pattern.replace("]*", "]{0,32}").replace("]+", "]{1,200}").encode())


FORMS = [
    *(_form("secret", name, first, first + rest) for name, (first, rest) in _TOKENS.items()),
    _form("secret", "OpenAI key", r"\bsk-[A-Za-z0-9_-]", r"\bsk-[A-Za-z0-9_-]{20,}", _is_mixed),
    _form("secret", "Azure account key", _AZURE, _AZURE + "[A-Za-z0-9+/=%&-]{19,}"),
    _form("secret", "private key", r"-----BEGIN [A-Z ]*PRIVATE",
          r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----(?s:.{0,200}?)[A-Za-z0-9+/]{32}"),
    _form("secret", "password in an address", r"://[A-Za-z0-9][^\x00-\x20/:@\"'<>]*:[^\x00-\x20/@\"'<>]+@[A-Za-z0-9]",
          r"://[A-Za-z0-9][^\x00-\x20/:@\"'<>]*:(?P<value>[^\x00-\x20/@\"'<>]+)@[A-Za-z0-9]"),
    _form("secret", "Bearer token", r"\b(?i:bearer)[ \t]+[A-Za-z0-9._~+/-]",
          r"\b(?i:bearer)[ \t]{1,3}(?P<value>[A-Za-z0-9._~+/-]{16,}=*)", _is_mixed),
    _form("secret", "key of an Azure service", _HINTED, _CALLED_SO + r"(?P<value>(?:[0-9a-f]{32}){1,2})\b"),
    _form("secret", "password or key", _HINTED, rf"{_CALLED_SO}(?P<value>(?![$%*@]){_VALUE}{{8,200}})", _is_value),
    _form("personal", "card number", r"\b[2-6]\d{3}[ -]?\d{4}[ -]?\d{2}",
          rf"(?<![\w.,+/=-])(?:{_CARDS})(?![\w-])", _is_card),
    _form("personal", "IBAN", r"\b[A-Z]{2}\d\d ?[0-9A-Z]{4} ?[0-9A-Z]{4}", rf"\b(?:{_IBANS})\b", _is_iban),
    _form("personal", "phone number", r"\+[1-9]\d{0,2}[ .-]?\(?\d{1,4}\)?[ .-]?\d",
          r"(?<![\w+.)=-])\+[1-9]\d{0,2}(?:[ .-]?\(?\d{1,4}\)?){2,6}(?![\w+*/=-])", _is_phone),
    _form("personal", "phone number", r"\(?[2-9]\d\d(?:\) ?|[.-])[2-9]\d\d[.-]\d{4}",
          r"(?<![\w+.,/=-])\(?[2-9]\d\d(?:\) ?|[.-])[2-9]\d\d[.-]\d{4}(?![\w-]|\.\d)", _is_phone),
    _form("personal", "phone number", _CALLED + "0[0-9]", _CALLED + r"0\d[\d ()/.-]{6,16}\d", _is_phone),
]  # fmt: skip
_BY_HINT: dict[str, list[Form]] = {}
for _each in FORMS:
    _BY_HINT.setdefault(_each.hint, []).append(_each)
_FORMS = [[], *_BY_HINT.values()]  # at the number of its hint's group
_ANY_HINT = "|".join(f"(?:{hint})" for hint in _BY_HINT)
_HINT = _compiled("|".join(f"({hint})" for hint in _BY_HINT))
_EMAIL = re.compile(rb"[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}\b")
_REST = re.compile(rb"[A-Za-z0-9+/=_.~-]*")  # of a token that is longer than its pattern
_KEY_END = re.compile(rb"(?s:.*?)-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----")
_AUTHORITY = re.compile(rb"://[^\x00-\x20/]*$")  # what stands before an @ in the address of a server


def hints(text: bytes, edges: Any) -> Any:
    """Returns where the first hint of private data stands in each piece of a text, which `edges` divide, or -1."""
    import pyarrow as pa
    import pyarrow.compute as pc

    divided = [None, pa.py_buffer(edges.astype(np.int32)), pa.py_buffer(text)]
    texts = pa.Array.from_buffers(pa.binary(), len(edges) - 1, divided)  # pyarrow.array would import pandas
    return np.frombuffer(pc.find_substring_regex(texts, _ANY_HINT).buffers()[1], np.int32)


def private(text: bytes, first: int, stop: int, end: int) -> Iterator[tuple[str, int, str]]:
    """Yields (check, place, what it is) of private data that begins from the hint at `first` on and before `stop`.

    `end` is where the whole text ends. Of each check only the first is told.
    """
    seen: set[str] = set()
    at = first
    while hint := _HINT.search(text, at, stop):
        at = hint.start()
        for form in _FORMS[hint.lastindex or 0]:
            found = form.pattern.match(text, at, end) if form.check not in seen else None
            if found and form.is_real(found):
                seen.add(form.check)
                yield form.check, at, f"{form.name} {_masked(found)}"
        at += 1


def spans(text: bytes, first: int) -> Iterator[tuple[int, int]]:
    """Yields where private data and addresses begin and end, so that they can be hidden: a key as a whole.

    `first` is where the first hint stands, or -1.
    """
    at = first if first >= 0 else len(text)
    while hint := _HINT.search(text, at):
        at = hint.start()
        for form in _FORMS[hint.lastindex or 0]:
            found = form.pattern.match(text, at)
            if found and form.is_real(found):
                rest = (_KEY_END if form.name == "private key" else _REST).match(text, found.end())
                yield at, rest.end() if rest else len(text)
        at += 1
    yield from (found.span() for found in _EMAIL.finditer(text))


def address(text: bytes, start: int, at: int) -> str | None:
    """Returns the e-mail address whose @ stands at `at`, masked; the user of a server's address is none."""
    found = _EMAIL.search(text, start, at + 128)
    if not found or not found.start() < at < found.end() or _AUTHORITY.search(text, max(0, at - 256), at):
        return None
    host = found[0].decode().rpartition(".")[2]
    return f"{found[0][:1].decode()}…@….{host}"


def _masked(found: Match) -> str:
    """Returns enough of a secret to find it, never enough to use it: a few characters and its length."""
    return f"{found[0][:4].decode('utf-8', 'replace')}… ({len(found[0])} characters)"
