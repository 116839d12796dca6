"""The chat page's answers in a real browser: as they come, as Markdown that is never more, and beside others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.chat import web
from scripts.chat.base import Base
from scripts.pages import markdown
from tests import browser as browsers
from tests.chat.conftest import TOLD, Asked
from tests.chat.test_chat_web import QUESTION, post

EVIL = [
    "<script>window.evil = 1</scr", "ipt><img src=x onerror='evil = 1'>\n\n[click](javascript:evil=1) ",
    "[data](data:text/html,<script>parent.evil=1</script>) ![seen](http://example.org/seen.png) ",
    "<svg onload=evil=1><iframe srcdoc='<script>parent.evil=1</script>'>\n\n",
    "[named](https://example.org/ 'x\" onmouseover=\"evil=1') <https://example.org> ",
    "`</code><script>evil=1</script>`\n\n| a <script>evil=1</script> | b |\n|:--|--:|\n| **1** | 2 |\n\n",
    "```html\"><script>evil=1</script>\n<b onclick=evil=1>\n```\n",
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), [
    ("**b** and `c`", "<p><strong>b</strong> and <code>c</code></p>"),
    ("one\ntwo", "<p>one<br />\ntwo</p>"),
    ("<b>&amp;", "<p>&lt;b&gt;&amp;</p>"),
    (r'{"a": "\"*x*"}', r"<pre><code>{&#34;a&#34;: &#34;\&#34;*x*&#34;}</code></pre>"),
    ('[{"a": "*x', "<pre><code>[{&#34;a&#34;: &#34;*x</code></pre>"),
    ("[1] is a footnote", "<p>[1] is a footnote</p>"),
    ("|a|\n|-:|\n|1|", "<table>\n<thead>\n<tr>\n<th>a</th>"),
    ("![x](http://e/x.png)", '<p>!<a href="http://e/x.png" target="_blank" rel="noopener noreferrer">x</a></p>'),
    ("[answer]: 42", "<p>[answer]: 42</p>"),
    ("", ""),
])  # fmt: skip
def test_an_answer_as_html(text: str, expected: str) -> None:
    assert markdown.rendered(text).startswith(expected)


@pytest.mark.parametrize("sign", ["> ", "+ "])
def test_no_word_is_lost_in_lists_and_quotes_that_lie_deep(sign: str) -> None:
    assert "hello" in markdown.rendered(sign * 30 + "hello")


@pytest.mark.parametrize("text", ["[" * 5000, "> " * 5000, "*a_" * 3000, "`" * 5000, "- " * 3000, '{"a":' * 5000])
def test_text_that_is_made_to_be_slow_is_not(text: str) -> None:
    assert len(markdown.rendered(text)) < 60 * len(text)


def test_the_base_is_asked_where_it_can_be(server: web.Server, asked: Asked) -> None:
    status, text = post(server, "/ask", {**QUESTION, "who": "base"})
    assert (status, json.loads(text.splitlines()[0])["text"]) == (200, "I am the base.")
    assert not asked.requests
    assert post(server, "/ask", {**QUESTION, "who": ["base"]})[0] == 400
    server.base = Base("none", can=False)
    assert post(server, "/ask", {**QUESTION, "who": "base"})[0] == 400


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browsers.Browser]:
    if browsers.find() is None:
        pytest.skip("no Chromium")
    with browsers.browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def page(browser: browsers.Browser, server: web.Server) -> Iterator[browsers.Browser]:
    """The page; at its end nobody but our own server was asked, and nothing complained."""
    browser.requests.clear()
    browser.open(server.address, width=400, height=800)
    yield browser
    assert not [each for each in browser.requests if not each.startswith((f"http://127.0.0.1:{server.server_port}/",
                                                                          "data:"))]  # fmt: skip
    assert not browser.errors


def ask(page: browsers.Browser, question: str) -> None:
    page.type(question)
    page.press("Enter")
    page.wait("document.querySelector('.again') && !document.getElementById('send').hidden")


def texts(page: browsers.Browser) -> Any:
    return page.value("[...document.querySelectorAll('.text')].map((each) => each.innerText)")


@pytest.mark.slow
def test_nothing_that_a_model_says_runs_or_asks(page: browsers.Browser) -> None:
    TOLD[:] = EVIL
    ask(page, "as told")
    inside = page.value("document.querySelector('.text').innerHTML")
    assert "<strong>1</strong>" in inside and "<table" in inside
    tags = "[...document.querySelectorAll('.text *')].map((each) => each.tagName)"
    assert set(page.value(tags)) <= set("P BR A CODE PRE TABLE THEAD TBODY TR TH TD STRONG".split())
    kept = page.value("[...document.querySelectorAll('.text *')].flatMap((e) => e.getAttributeNames())")
    assert set(kept) <= {"href", "title", "target", "rel", "class", "tabindex"}
    assert page.value("[...document.querySelectorAll('.text a')].every((each) => each.protocol.startsWith('http'))")
    assert page.value("typeof evil") == "undefined"


@pytest.mark.slow
def test_words_stand_there_before_the_end_and_escape_stops(page: browsers.Browser) -> None:
    page.type("slowly")
    page.press("Enter")
    page.wait("document.querySelector('.text')?.innerText === 'You said'", 1.2)
    assert page.value("document.querySelector('article').ariaBusy") == "true"
    assert not page.value("document.getElementById('stop').hidden")
    page.press("Escape")
    page.wait("document.getElementById('note').textContent.startsWith('Stopped')")


@pytest.mark.slow
def test_by_keyboard_an_example_the_base_and_the_true_answer(page: browsers.Browser, asked: Asked) -> None:
    def reach(what: str, key: str) -> None:
        for _ in range(25):
            if page.value(f"document.activeElement.matches({what!r})"):
                assert page.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"
                return page.press(key)
            page.press("Tab", shift=True)
        raise AssertionError(f"{what} cannot be reached")

    reach("#others", "Enter")
    assert page.value("document.querySelectorAll('#examples button').length") == 1
    reach("#examples button", "Enter")
    assert page.value("document.activeElement.id") == "question"
    reach("summary", "Enter")
    page.value("document.getElementById('question').focus()")
    reach("#beside", " ")
    page.value("document.getElementById('question').focus()")
    page.press("Enter")
    page.wait("document.querySelectorAll('.tools').length === 3")
    assert texts(page) == ["You said <b>question 4</b>", "I am the base.", '{"a": "<script>"}']
    assert asked.requests[0][0][0] == {"role": "system", "content": "Be brief 4."}
    labels = page.value("[...document.querySelectorAll('article')].map((each) => each.getAttribute('aria-label'))")
    assert labels == ["Tuned model", "Base model", "True answer"]

    page.press("KeyR", alt=True)
    page.wait("document.querySelectorAll('.tools').length === 3 && !document.getElementById('send').hidden")
    assert asked.requests[1] == asked.requests[0]
    page.value("window.copied = []; navigator.clipboard.writeText = async (text) => copied.push(text)")
    reach(".tools button[aria-label]", "Enter")
    assert page.value("copied") == ['{"a": "<script>"}']
    page.value("document.getElementById('question').focus()")
    ask(page, "no base")
    page.wait("!!document.querySelector('article .fail')")
    assert "do not fit" in page.value("document.querySelector('article .fail').textContent")
    assert page.value("document.querySelectorAll('.again').length") == 1
    page.press("KeyN", alt=True)
    assert not page.value("document.getElementById('start').hidden")
    assert page.value("document.getElementById('system').value") == ""  # the example's went with it
    page.value("document.getElementById('system').value = 'my own'")
    page.press("KeyN", alt=True)
    assert page.value("document.getElementById('system').value") == "my own"


@pytest.mark.slow
def test_a_second_answer_that_fails_leaves_the_first(page: browsers.Browser) -> None:
    TOLD[:] = [""]
    ask(page, "as told")
    assert "no words" in page.value("getComputedStyle(document.querySelector('.text'), '::after').content")
    page.press("KeyN", alt=True)
    TOLD[:] = ["first"]
    ask(page, "as told")
    TOLD[:] = []
    page.value("window.fetch = async () => { throw new Error('gone'); }")
    page.press("KeyR", alt=True)
    page.wait("document.getElementById('note').textContent.includes('gone')")
    assert texts(page) == ["first"]
    assert page.value("turns.length") == 2
    assert page.value("document.querySelectorAll('.again').length") == 1


@pytest.mark.slow
@pytest.mark.parametrize("examples", ["data/demo/: no held-out rows", [], None])
def test_without_examples_and_base_the_page_says_so(browser: browsers.Browser, tmp_path: Path, examples: Any) -> None:
    import threading

    server = web.Server(0, "m", {}, lambda *_: iter(()), tmp_path / "s", Base("set it", can=False), examples or "")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        browser.open(server.address)
        said = browser.value("document.getElementById('offer').textContent")
        assert said == (f"No examples: {examples}." if isinstance(examples, str) else "No examples.")
        assert browser.value("document.getElementById('beside').disabled")
        assert browser.value("document.getElementById('how').textContent") == "Not to be had: set it."
    finally:
        server.shutdown()
        server.server_close()
