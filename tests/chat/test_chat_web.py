"""The chat page: who may ask, and in a real browser, that it works by keyboard alone, in both schemes and widths."""

from __future__ import annotations

import http.client
import json
import socket
import struct
from pathlib import Path
from typing import Any

import pytest

from scripts.chat import web
from tests import browser as browsers
from tests.chat.conftest import Asked


def post(server: web.Server, path: str, content: Any, **headers: str | None) -> tuple[int, str]:
    """Posts as the page would, but for the headers given (None leaves one out)."""
    port = server.server_address[1]
    usual: dict[str, str | None] = {
        "Host": f"127.0.0.1:{port}", "Origin": f"http://127.0.0.1:{port}", "Content-Type": "application/json",
        "X-Chat-Token": server.token, "Sec-Fetch-Site": "same-origin",
    }  # fmt: skip
    usual |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    connection.putrequest("POST", path, skip_host=True)
    for name, value in {**usual, "Content-Length": str(len(body))}.items():
        if value is not None:
            connection.putheader(name, value)
    connection.endheaders(body)
    reply = connection.getresponse()
    return reply.status, reply.read().decode()


QUESTION = {"messages": [{"role": "user", "content": "hello"}], "parameters": {"temperature": 0}}


def test_the_page_may_ask(server: web.Server, asked: Asked) -> None:
    status, text = post(server, "/ask", QUESTION)
    assert status == 200
    assert [json.loads(line) for line in text.splitlines()] == [
        {"text": "You said ", "html": "<p>You said</p>\n"}, {"text": "<b>hello</b>"},
        {"done": True, "html": "<p>You said &lt;b&gt;hello&lt;/b&gt;</p>\n"},
    ]  # fmt: skip
    assert asked.requests == [(QUESTION["messages"], {"temperature": 0})]


@pytest.mark.parametrize("headers", [
    {"X_Chat_Token": None}, {"X_Chat_Token": "guess"}, {"Origin": "https://evil.example"}, {"Origin": "null"},
    {"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Site": "same-site"}, {"Host": "evil.example"},
    {"Host": "evil.example:8010"},
])  # fmt: skip
def test_nobody_else_may_ask(server: web.Server, asked: Asked, headers: dict[str, str | None]) -> None:
    assert post(server, "/ask", QUESTION, **headers)[0] == 403
    assert post(server, "/save", QUESTION, **headers)[0] == 403
    assert not asked.requests


@pytest.mark.parametrize(("content", "status", "words"), [
    (b"{", 400, "not JSON"),
    ([], 400, "object"),
    ({"messages": []}, 400, "messages"),
    ({"messages": [{"role": "robot", "content": "x"}]}, 400, "role"),
    ({**QUESTION, "parameters": {"temprature": 1}}, 200, "did you mean 'temperature'"),
    ({**QUESTION, "parameters": {"do_sample": 1}}, 200, "expected true or false"),
    (b" " * 1_000_001, 413, "bytes"),
])  # fmt: skip
def test_a_wrong_request_gets_a_sentence(
    server: web.Server, asked: Asked, content: Any, status: int, words: str
) -> None:
    found, text = post(server, "/ask", content)
    assert (found, words in json.loads(text)["error"]) == (status, True), text
    assert not asked.requests


@pytest.mark.parametrize("body", [b"[" * 20000, rb'{"messages": [{"role": "user", "content": "\ud800"}]}'])
@pytest.mark.parametrize("path", ["/ask", "/save"])
def test_json_that_cannot_be_kept_is_refused(server, asked, tmp_path, path, body):
    assert post(server, path, body) == (400, '{"error": "this is not JSON"}')
    assert asked.requests == [] and not (tmp_path / "saved.jsonl").exists()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_address_that_is_none_is_refused_and_not_a_traceback(server, capfd, method):
    """Anybody who reaches the port may send one."""
    port = server.server_address[1]
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(f"{method} //[ HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.0 404 ")
    assert capfd.readouterr().err == ""


def test_a_client_that_is_gone_before_its_refusal_is_no_traceback(server: web.Server, capfd: Any) -> None:
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", server.server_port), 10) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.sendall(b"POST /other HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
    assert post(server, "/ask", QUESTION)[0] == 200
    assert capfd.readouterr().err == ""


def test_what_the_endpoint_refuses_is_said(server: web.Server) -> None:
    failing = {"messages": [{"role": "user", "content": "fail"}]}
    status, text = post(server, "/ask", failing)
    assert (status, json.loads(text)) == (200, {"error": "endpoint e: HTTP 429: more requests at once than it takes"})


def test_the_page_needs_the_token_and_keeps_others_out(server: web.Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=10)
    for path, expected in (("/", 403), ("/?token=guess", 403), (f"/?token={server.token}", 200), ("/other", 404)):
        connection.request("GET", path)
        reply = connection.getresponse()
        text = reply.read().decode()
        assert reply.status == expected, path
        assert expected == 200 or server.token not in text
    policy = reply.getheader("Content-Security-Policy")
    assert policy is None  # of the 404; the page's own is looked at in the browser
    assert server.server_address[0] == "127.0.0.1"


@pytest.mark.slow
@pytest.mark.skipif(browsers.find() is None, reason="no Chromium")
def test_in_a_browser_by_keyboard(server: web.Server, asked: Asked, tmp_path: Path) -> None:
    with browsers.browser(tmp_path / "profile") as page:
        page.open(server.address, width=390, height=844)
        assert page.value("document.activeElement.id") == "question"
        assert page.value("document.title") == "model:1 </script> at endpoint"

        page.type("first line")
        page.press("Enter", shift=True)
        page.type("second")
        page.press("Enter")
        page.wait("document.querySelectorAll('.tools').length === 1 && !document.getElementById('send').hidden")
        assert page.value("document.querySelector('.text').innerText") == "You said <b>first line\nsecond</b>"
        assert asked.requests[0][1] == {"do_sample": True, "temperature": 0.6, "top_p": 0.9, "max_new_tokens": 50}

        page.type("answer slowly")  # the history goes along; Escape stops, and the question is back
        page.press("Enter")
        page.wait("document.querySelectorAll('.text')[1]?.innerText === 'You said'")
        page.press("Escape")
        page.wait("!document.getElementById('send').hidden")
        assert page.value("document.getElementById('question').value") == "answer slowly"
        assert [message["content"] for message in asked.requests[1][0]][-1] == "answer slowly"
        assert len(asked.requests[1][0]) == 3

        page.value("document.getElementById('question').value = ''")
        page.press("KeyS", alt=True)
        page.wait("document.getElementById('note').textContent.startsWith('Saved as row 1')")
        page.press("KeyU", alt=True)
        assert page.value("document.querySelectorAll('.turn').length") == 0
        assert page.value("document.getElementById('question').value") == "first line\nsecond"
        page.value("document.getElementById('question').value = ''")
        page.type("fail now")
        page.press("Enter")
        page.wait("document.getElementById('note').textContent.includes('HTTP 429')")
        page.press("KeyN", alt=True)

        # Backwards with Tab from the question lies everything else.
        reached = set()
        for _ in range(12):
            page.press("Tab", shift=True)
            reached.add(page.value("document.activeElement.id || document.activeElement.tagName"))
        assert {"scroll", "SUMMARY", "save", "undo", "new", "others"} <= reached
        assert not [address for address in page.requests if not address.startswith(("http://127.0.0.1", "data:"))]
        assert not page.errors
    rows = [json.loads(line) for line in (tmp_path / "saved.jsonl").read_text().splitlines()]
    assert [message["role"] for message in rows[0]["messages"]] == ["user", "assistant"]


@pytest.mark.slow
@pytest.mark.skipif(browsers.find() is None, reason="no Chromium")
@pytest.mark.parametrize(("width", "dark"), [(1200, False), (1200, True), (360, False), (360, True)])
def test_it_is_readable_everywhere(server: web.Server, tmp_path: Path, width: int, dark: bool) -> None:
    with browsers.browser(tmp_path / "profile") as page:
        page.open(server.address, width=width, height=740, dark=dark)
        page.type("a question with averyveryveryveryveryveryveryveryveryveryveryveryveryverylongword in it")
        page.press("Enter")
        page.wait("document.querySelectorAll('.tools').length === 1 && !document.getElementById('send').hidden")
        page.value("document.getElementById('settings').open = true")
        for selector in ("h1", ".user", ".text", ".who", ".again", "#note", "#send", "#new", "summary", ".check"):
            assert page.contrast(selector) >= 4.5, selector
        assert page.value("document.documentElement.scrollWidth") <= width
        boxes = page.value(
            "[...document.querySelectorAll('button')].filter((b) => b.offsetParent).map((b) => b.offsetHeight)"
        )
        assert min(boxes) >= 44  # a finger's size
        page.screenshot(tmp_path / f"chat-{width}-{'dark' if dark else 'light'}.png")
        assert not page.errors


def test_parameters_that_are_no_object_and_a_length_that_is_no_number(server: web.Server, asked: Asked) -> None:
    assert post(server, "/ask", {**QUESTION, "parameters": [1]})[0] == 400
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=10)
    connection.putrequest("POST", "/ask")
    for name, value in (
        ("Content-Type", "application/json"),
        ("X-Chat-Token", server.token),
        ("Content-Length", "ten"),
    ):
        connection.putheader(name, value)
    connection.endheaders()
    assert connection.getresponse().status == 413
    assert asked.requests == []
