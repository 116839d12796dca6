"""Secrets and personal data are found in every form that services document, and ordinary text raises no alarm."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import string
import uuid
from pathlib import Path
from typing import Any

import pytest

from scripts.dataset.check_files import check_files
from scripts.dataset.settings import from_values
from scripts.dataset.text_checks import Texts
from scripts.files import ROOT

_DRAW = random.Random(5)


def some(count: int, signs: str = string.ascii_letters + string.digits) -> str:
    """Random signs, a digit among them, so that no token stands whole in this file."""
    return "7" + "".join(_DRAW.choices(signs, k=count - 1))


HEX = "0123456789abcdef"
SECRETS = [
    ("AWS access key", "AKIA" + some(16, string.ascii_uppercase + string.digits)),
    ("password or key", "aws_secret_access_key = " + some(38) + "/+"),
    ("password or key", '"SecretAccessKey": "' + some(40) + '"'),
    ("GitHub token", "ghp_" + some(36)),
    ("GitHub token", "github_pat_" + some(22) + "_" + some(59)),
    ("GitLab token", "glpat-" + some(20)),
    ("npm token", "npm_" + some(36)),
    ("PyPI token", "pypi-AgEIcHlwaS5vcmc" + some(60)),
    ("Hugging Face token", "hf_" + some(34)),
    ("OpenAI key", "sk-" + some(48)),
    ("OpenAI key", "sk-proj-" + some(60)),
    ("OpenAI key", "sk-ant-api03-" + some(80)),
    ("Google API key", "AIza" + some(35)),
    ("Google client secret", "GOCSPX-" + some(28)),
    ("Slack token", "xoxb-" + some(11, string.digits) + "-" + some(24)),
    ("Slack webhook",
     f"https://hooks.slack.com/services/T{some(8, string.digits)}/B{some(8, string.digits)}/{some(24)}"),
    ("Stripe key", "sk_live_" + some(24)),
    ("Stripe key", "rk_test_" + some(24)),
    ("SendGrid key", f"SG.{some(22)}.{some(43)}"),
    ("Twilio key", "SK" + some(32, HEX)),
    ("Databricks token", "dapi" + some(32, HEX)),
    ("DigitalOcean token", "dop_v1_" + some(64, HEX)),
    ("Shopify token", "shpat_" + some(32, HEX)),
    ("Telegram token", some(10, string.digits) + ":AA" + some(33)),
    ("Azure client secret", "abc8Q~" + some(34)),
    ("Azure AI key", some(52) + "JQQJ99" + some(26)),
    ("Azure account key", "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=" + some(86) + "=="),
    ("Azure account key", "endpoint=sb://x.servicebus.windows.net/;sharedaccesskey=" + some(43) + "="),
    ("key of an Azure service", "AZURE_OPENAI_API_KEY=" + some(32, HEX)),
    ("key of an Azure service", "api-key: " + some(32, HEX)),
    ("key of an Azure service", "Ocp-Apim-Subscription-Key: " + some(32, HEX)),
    ("key of an Azure service", "our Azure OpenAI key is " + some(32, HEX)),
    ("signed URL", "https://x.blob.core.windows.net/c/b?sv=2022&sig=" + "abcDEF%2F" * 6),
    ("JSON web token", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0." + some(43)),
    ("Bearer token", "Authorization: Bearer " + some(40)),
    ("Bearer token", "curl -H 'authorization: bearer " + some(40)),
    ("private key", "-----BEGIN RSA PRIVATE KEY-----\n" + some(64) + "\n"),
    ("private key", "-----BEGIN OPENSSH PRIVATE KEY-----\\n" + some(64)),
    ("private key", "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n" + some(64)),
    ("password in an address", "postgres://admin:s3cr3t@db.internal:5432/app"),
    ("password in an address", "mongodb+srv://user:pass@cluster0.abcde.mongodb.net/test"),
    ("password in an address", "https://oauth2:" + some(20) + "@gitlab.com/group/project.git"),
    ("password or key", "PASSWORD=Sommer2026!"),
    ("password or key", "DB_PASSWORD: 'tr0ub4dor&3'"),
    ("password or key", 'API_KEY="' + some(20) + '"'),
    ("password or key", '{"apiKey": "' + some(24) + '"}'),
    ("password or key", '{\\"apiKey\\": \\"' + some(24) + '\\"}'),
    ("password or key", "client_secret=" + some(32)),
    ("password or key", "Access-Token: " + some(32)),
    ("password or key", "Server=tcp:x.database.windows.net;User ID=sa;Password=Str0ng-Enough;Encrypt=True"),
    ("password or key", "My password is hunter2hunter2, by the way"),
    ("password or key", "<password>S3cretEnough</password>"),
]  # fmt: skip
PERSONAL = [
    ("card number", "4539 1488 0343 6467"), ("card number", "4539148803436467"),
    ("card number", "5500-0055-5555-5559"), ("card number", "3782 822463 10005"),
    ("card number", "3056 930902 5904"), ("card number", "6011601160116611"),
    ("IBAN", "DE89 3704 0044 0532 0130 00"), ("IBAN", "DE89370400440532013000"),
    ("IBAN", "GB82 WEST 1234 5698 7654 32"),
    ("IBAN", "CH93 0076 2011 6238 5295 7"), ("IBAN", "NL91 ABNA 0417 1643 00 BIC ABNANL2A"),
    ("phone number", "+49 30 901820-55"), ("phone number", "+1 (415) 867-5309"), ("phone number", "tel:+442079460958"),
    ("phone number", "(415) 867-5309"), ("phone number", "415-867-5309"), ("phone number", "Tel.: 030 901820-55"),
    ("phone number", "call my phone 0171/1234567"),
]  # fmt: skip
NEITHER = [  # placeholders, and code and prose that only handle secrets
    "password=********", "password: <your-password>", "API_KEY=your-api-key-here-123", "api_key = 'YOUR_API_KEY_1'",
    "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx1", "sk-...", "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "Authorization: Bearer $TOKEN", "Authorization: Bearer <access_token_1>", "Bearer YOUR_ACCESS_TOKEN_12345",
    "export API_KEY=${API_KEY_2}", "password = input('Password: ')", "password = os.environ['DB_PASSWORD1']",
    "api_key = base64.b64encode(raw)", "secret = hashlib.sha256(data).hexdigest()", "token = tokens[index2]",
    "password=user_password", "confirmPassword: this.password2", "def login(user: str, password: str) -> Token1:",
    "private_key: /etc/ssl/private/server1.pem", "access_token: https://login.microsoftonline.com/common/v2.0",
    "token_expires: 2026-11-27T03:04:05Z", "token: 1234567890", "max_tokens: 4096,8192,16384",
    "The secret is perseverance.", "password reset: somebody1@example.com",
    "Password: required, at least 12 characters",
    "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----", "postgres://user:<password>@host/db",
    "https://example.com:8080/@user", "postgresql://app:${DB_PASSWORD}@db/app", "sk-fading-circle-animation-delay",
    "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
    "4539 1488 0343 6468", "4539148803436468", "0.4539148803436467", "DE89 3704 0044 0532 0130 01",
    "1111 1111 1111 1111", "2 +49 301 = 351", "x=+4930901820", "1-800-flowers", "192.168.100.1000",
    "2026-11-27", "10.1000/182.555.1234",
]  # fmt: skip


def found(text: str) -> list[tuple[str, str]]:
    """What is found in a text that stands in a row of its own, between two others."""
    rows = [["Hello?", "Yes."], ["Which one is it?", text], ["Good.", "Bye."]]
    findings = list(Texts(rows).findings())
    assert all(row == 1 and finding.path == "messages[1].content" for row, finding in findings)
    return [(finding.check, finding.found) for _, finding in findings]


@pytest.mark.parametrize(("check", "name", "text"), [
    *(("secret", *each) for each in SECRETS), *(("personal", *each) for each in PERSONAL),
])  # fmt: skip
def test_every_form_is_found_wherever_it_stands_and_shown_only_in_part(check: str, name: str, text: str) -> None:
    for before, after in (("", ""), ("It is ", " and so on."), ("sieh é:\n", "\nüber"), ("`", "`")):
        (found_check, what), *more = found(before + text + after)
        assert (found_check, what[: len(name)]) == (check, name) and not more
        assert len(what) < len(name) + 32 and text not in what


@pytest.mark.parametrize("text", NEITHER)
def test_placeholders_and_code_are_no_secrets(text: str) -> None:
    assert [each for each in found(f"It is {text}\nand so on") if each[0] != "email"] == []


def test_a_placeholder_does_not_hide_the_secret_behind_it() -> None:
    text = "PASSWORD=********\n" * 3 + "token = tokens[2]\ncall +49 30 901820-55\nPASSWORD=" + some(12)
    assert sorted(check for check, _ in found(text)) == ["personal", "secret"]


def test_the_address_of_a_server_is_a_secret_and_no_e_mail_address() -> None:
    for text in ("postgres://user:pass@host.example.com/db", "mysql://root:t0p@db.example.com"):
        assert [check for check, _ in found(text)] == ["secret"]
    assert [check for check, _ in found("git clone ssh://git@github.com/a/b")] == []
    assert found("write to jane.doe@example.com") == [("email", "j…@….com")]
    assert found("mailto:jane.doe@example.com") == [("email", "j…@….com")]


def ordinary() -> list[str]:
    """Two thousand texts of what is often taken for a secret, a card or a phone number."""
    draw = random.Random(9)
    digits = string.digits
    out = []
    for at in range(100):
        code = hashlib.sha256(str(at).encode())
        pixels = base64.b64encode(draw.randbytes(600)).decode()
        out += [
            f"commit {code.hexdigest()[:40]}", f"sha256:{code.hexdigest()}", f"md5 {code.hexdigest()[:32]}",
            f"integrity sha512-{base64.b64encode(code.digest() * 2).decode()}",
            f"id {uuid.UUID(bytes=draw.randbytes(16))}", f"![image](data:image/png;base64,{pixels})",
            f"https://example.com/p/{code.hexdigest()[:24]}?id={draw.randrange(10**12)}&page={at}#part-{at}",
            f"version {at}.{at * 7 % 30}.{at * 3 % 100}-rc.{at}+build.{draw.randrange(10**8)}",
            f'etag: "{code.hexdigest()[:16]}"', f"order {''.join(draw.choices(digits, k=12))}",
            f"order {draw.randrange(10**7, 10**8)}-{draw.randrange(1000)}",
            f"at {1_700_000_000_000 + draw.randrange(10**9)} ms",
            f"2026-{at % 12 + 1:02}-03T04:05:{at % 60:02}.123456Z",
            f"{draw.random()} * {draw.random()} = {draw.random()}",
            f"{draw.randrange(10**6)}+{draw.randrange(10**6)}=?",
            f"ISBN 978-3-16-14{draw.randrange(1000, 9999)}-{at % 10}",
            f"10.{draw.randrange(255)}.{draw.randrange(255)}.7:8080",
            f"EAN {''.join(draw.choices(digits, k=13))}", f"number {''.join(draw.choices(digits, k=16))}",
            f"ticket AB{draw.randrange(10, 99)} {''.join(draw.choices(string.ascii_uppercase + digits, k=18))}",
        ]  # fmt: skip
    return out


KEY = "AKIAIOSFODNN7EXAMPL2"
INSIDE: dict[str, tuple[dict[str, Any], dict[str, Any], list[tuple[str, str]]]] = {  # a call, a tool, what is found
    "arguments as JSON": ({"arguments": {"a": [{"password": "Tr0ub4dor&3x"}]}}, {}, [("secret", "calls")]),
    "arguments as text": ({"arguments": json.dumps({"note": f"line\n{KEY}"})}, {}, [("secret", "calls")]),
    "a name": ({"name": KEY}, {}, [("secret", "calls")]),
    "a number, an address": ({"arguments": {"card": 4539148803436467, "to": "jane.doe@corp.org"}}, {},
                             [("personal", "calls"), ("email", "calls")]),
    "a tool's description": ({}, {"description": f"Use {KEY}."}, [("secret", "tools")]),
    "a tool's parameters": ({}, {"parameters": {"properties": {"api_key": {"type": "string", "default": KEY}}}},
                            [("secret", "tools")]),
    "nothing": ({"arguments": {"api_key": "your-api-key-1", "page": 4539148803436468}},
                {"parameters": {"properties": {"api_key": {"type": "string", "description": "The key"}}}}, []),
    "in the text too": ({"arguments": {"key": KEY}, "said": f"I take {KEY}."}, {}, [("secret", "content")]),
}  # fmt: skip


@pytest.mark.parametrize("name", INSIDE)
def test_calls_and_tools_are_looked_through_too(tmp_path: Path, name: str) -> None:
    call, tool, expected = INSIDE[name]
    call = {"name": "look", **call}
    row = {"messages": [
        {"role": "user", "content": "What is there in the drawer, please?"},
        {"role": "assistant", "content": call.pop("said", "I look."), "tool_calls": [{"id": "1", "function": call}]},
        {"role": "tool", "content": "Socks."}, {"role": "assistant", "content": "Socks."},
    ], "tools": [{"type": "function", "function": {"name": "look", **tool}}]}  # fmt: skip
    plain = {"messages": [{"role": "user", "content": "Is it?"}, {"role": "assistant", "content": "It is."}]}
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, [plain, row, plain])))
    verdict = check_files(from_values({"dataset": {}}), [str(tmp_path / "rows.jsonl")], stream=None)
    found = [each for each in verdict["checks"] if each["name"] in ("secret", "personal", "email") and each["count"]]
    paths = {"calls": "messages[1].tool_calls", "tools": "tools", "content": "messages[1].content"}
    assert [(each["name"], each["count"]) for each in found] == [(check, 1) for check, _ in expected]
    assert [each["examples"][0]["path"] for each in found] == [paths[where] for _, where in expected]
    assert all(each["examples"][0]["row"] == "line 2" for each in found) and KEY not in json.dumps(verdict)


def test_false_alarms_in_ordinary_text_are_counted() -> None:
    texts = ordinary()
    alarms = [
        (finding.check, finding.found, texts[row]) for row, finding in Texts([[each] for each in texts]).findings()
    ]
    assert len(texts) == 2000
    assert not [each for each in alarms if each[0] == "secret"]
    # Of sixteen random digits one in fifty is a card number by its first digits and its check digit.
    assert len(alarms) <= 3, alarms


def test_this_project_holds_no_secrets_but_those_it_makes_up() -> None:
    files = [path for folder in ("scripts", "templates") for path in sorted((ROOT / folder).rglob("*"))]
    files = [path for path in files if path.suffix in (".py", ".md", ".j2", ".jsonl", ".json") and path.is_file()]
    texts = [path.read_text("utf-8") for path in files]
    alarms = {
        f"{files[row].relative_to(ROOT)}: {finding.check} {finding.found}"
        for row, finding in Texts([[each] for each in texts]).findings()
        if finding.check in ("secret", "personal")
    }
    assert len(files) > 200 and len(alarms) <= 2, alarms


def test_a_hostile_text_costs_no_more_than_its_size(tmp_path: Path) -> None:
    parts = ["password is ", "4539 1488 0343 6468 ", "://a:", "-----BEGIN PRIVATE KEY", "+49 30 1 ", "token=\"'`", "a@"]
    rows = [
        {"messages": [{"role": "user", "content": f"{at} {part * 3000}"}, {"role": "assistant", "content": "No."}]}
        for at, part in enumerate(parts * 3)
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    verdict = check_files(from_values({"dataset": {"checks": {"near_duplicate": "keep"}}}), [str(path)], stream=None)
    assert verdict["rows"]["rows"]["in"] == len(rows)
