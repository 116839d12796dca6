"""Every page: whatever its fields hold stays text, it asks nobody, and is read at any width, light and dark."""

from __future__ import annotations

import json
import re
import threading
import urllib.request
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from scripts.chat import web
from scripts.dataset.data_report import report_page
from scripts.dataset.prepare import prepare
from scripts.dataset.settings import from_values
from scripts.evaluate import report
from scripts.metrics import job_page
from scripts.metrics.job_runs import Run
from scripts.pages import charts, page
from tests import browser as browsers

HOSTILE = """</script></style></title><script>alert(1)</script><img src=x onerror=alert(2)>"'`{{ 7 * 7 }}&lt;"""
ON_ONE_LINE = """[...document.querySelectorAll('.heat td')].every((each) => {
  const text = document.createRange();
  text.selectNodeContents(each);
  return text.getClientRects().length === 1;
})"""
VOID = ("meta", "link", "br", "input")


def with_hostile(value: Any) -> Any:
    """Returns plain data with hostile text behind every text and number that a page might show as it is."""
    if isinstance(value, dict):
        return {key: with_hostile(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(with_hostile, value))
    return value + HOSTILE if isinstance(value, str) else value


def evaluation() -> dict[str, Any]:
    number = {"value": 1.0, "low": 0.5, "high": 1.5, "cases": 7}
    measure = {"title": "refusals", "better": "lower", "digits": 1, "note": "what it is", "percent": True,
               "base": number, "tuned": number, "difference": number}  # fmt: skip
    said = {"question": "q", "true": "t", "base": "b", "tuned": "u"}
    return {
        "model": "m", "version": "1", "base": "b", "data_version": "d", "asked": 7, "answered": 7, "notes": ["A note."],
        "answered_by": {"base": "x", "tuned": "y"}, "measures": {"refusals": measure},
        "examples": [{"name": "test:1", **said}],
        "settings": {"seed": 1, "max_new_tokens": 5, "confidence": 95, "short_answer_words": 5},
        "gate": [{"requirement": "r", "met": False, "sentence": "too many"}], "general": [{"name": "g", **said}],
        "confusions": [{"field": "f", "labels": [*"abcdefghijkl", "other"], "base": [[11] * 13], "tuned": [[2] * 13]}],
    }  # fmt: skip


def evaluation_page(folder: Path) -> str:
    hostile = with_hostile(evaluation())
    hostile["measures"]["refusals"]["better"] = "lower"
    return report.html(hostile)


def metrics_page(folder: Path) -> str:
    metrics = {"loss": [(1, 4.0, 1), (2, 3.0, 2)], HOSTILE: [(2, 1.0, 2)]}
    run = Run("job", HOSTILE, HOSTILE, 1_700_000_000_000, 1_700_000_128_000, {HOSTILE: HOSTILE}, {}, metrics)
    return job_page.job_page(HOSTILE, [run])


def data_page(folder: Path) -> str:
    """The report of real, hostile rows, with every text of its manifest made hostile too."""
    rows = [{"messages": [{"role": "user", "content": f"{at} {HOSTILE}"}, {"role": "assistant", "content": HOSTILE}]}
            for at in range(40)]  # fmt: skip
    rows += [{"messages": [{"role": HOSTILE, "content": HOSTILE}]}]
    (folder / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    settings = from_values({"dataset": {"source": str(folder / "a.jsonl")}, "finetune": {"max_seq_length": 20}})
    manifest = prepare(settings, folder / "out", say=lambda line: None, stream=None)[1]
    hostile = with_hostile(manifest) | {"status": manifest["status"], "max_seq_length": 20}
    hostile["fallback"] = {"asked": HOSTILE, "took": HOSTILE, "because": HOSTILE}
    hostile["source"]["commit"] = "<script>alert(3)"
    hostile["read"] = {HOSTILE: hostile["read"]["a"]}
    for part, file in hostile["files"].items():
        file["path"] = manifest["files"][part]["path"]
        if "roles" in file:
            file["roles"] = {HOSTILE: 3}
        if "tokens" in file:
            file["tokens"]["how"] = manifest["files"][part]["tokens"]["how"]
    for check, original in zip(hostile["checks"], manifest["checks"], strict=True):
        check |= {"status": original["status"], "policy": original["policy"]}
    return report_page(hostile, folder / "out", None)


def chart_page(folder: Path) -> str:
    drawn = [charts.bars(HOSTILE, HOSTILE, HOSTILE, [charts.Bar(1, HOSTILE, HOSTILE)], charts.Mark(0.5, HOSTILE)),
             charts.curve(HOSTILE, HOSTILE, HOSTILE, list(range(101)), charts.Mark(50, HOSTILE)),
             charts.lines(HOSTILE, [charts.Line(HOSTILE, [(0, 1), (1, 2)])] * 2, HOSTILE),
             charts.lines(HOSTILE, [])]  # fmt: skip
    return page.document("pages/base.html.j2", title=HOSTILE).replace("<main>", "<main>" + "".join(drawn))


def chat_page(folder: Path) -> str:
    server = web.Server(0, HOSTILE, {"temperature": HOSTILE}, lambda *_: iter(()), folder / "saved.jsonl")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(server.address) as reply:
            return reply.read().decode()
    finally:
        server.shutdown()
        server.server_close()


PAGES = [evaluation_page, metrics_page, data_page, chart_page]


class Reader(HTMLParser):
    """Collects a page's elements, attributes and texts as a browser sees them, and checks that tags close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.parametrize("make", [*PAGES, chat_page])
def test_hostile_text_stays_text(tmp_path: Path, make: Callable[[Path], str]) -> None:
    text = make(tmp_path)
    seen = Reader(text)
    assert (
        seen.tags.count("script") == {chat_page: 2, data_page: 1, metrics_page: 1}.get(make, 0)
        and "img" not in seen.tags
    )
    assert not [name for name, _ in seen.attributes if name.startswith("on")]
    assert seen.tags.count("style") == seen.tags.count("title") - text.count("<title>", text.index("<body")) == 1
    assert any(HOSTILE in piece for piece in seen.texts) or make is chat_page  # it is there, whole, and not evaluated
    assert "{{ 7 * 7 }}" in text and "alert(1)" in text


@pytest.mark.parametrize("make", PAGES)
def test_a_page_asks_nobody_for_anything(tmp_path: Path, make: Callable[[Path], str]) -> None:
    text = make(tmp_path)
    links = [value for name, value in Reader(text).attributes if name in ("src", "href", "srcset", "data", "action")]
    assert links == ["data:,"]
    assert not re.search(r"url\(|@import|https?://", text)
    assert 'http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;; style-src &#39;sha256-' in text
    assert "prefers-color-scheme: dark" in text and '<html lang="en">' in text


@pytest.mark.slow
@pytest.mark.skipif(browsers.find() is None, reason="no Chromium")
@pytest.mark.parametrize("make", PAGES)
def test_a_page_in_a_browser(tmp_path: Path, make: Callable[[Path], str]) -> None:
    file = tmp_path / "page.html"
    file.write_text(make(tmp_path), encoding="utf-8")
    with browsers.browser(tmp_path / "profile") as seen:
        for width in (1200, 390):
            for dark in (False, True):
                seen.open(file.as_uri(), width=width, height=900, dark=dark)
                seen.value("document.querySelectorAll('details').forEach((each) => { each.open = true })")
                assert seen.value("document.documentElement.scrollWidth") <= width  # tables scroll in their own boxes
                assert seen.value(ON_ONE_LINE)  # no number of a confusion is broken
                papers = seen.value("getComputedStyle(document.body).backgroundColor")
                assert papers == (
                    "rgb(20, 23, 28)" if dark else "rgb(246, 247, 249)"
                )  # the style's hash is the policy's
                for selector in (
                    "h1",
                    "th",
                    "td",
                    "summary",
                    ".soft",
                    ".label",
                    ".turn",
                    ".state",
                    ".key.c1",
                    "figcaption",
                ):
                    if seen.value(f"!!document.querySelector({selector!r})"):
                        assert seen.contrast(selector) >= 4.5, selector
                seen.press("Tab")
                assert make is chart_page or seen.value("document.activeElement.tagName") in ("SUMMARY", "DIV", "svg")
        assert not seen.errors
        assert [address for address in seen.requests if not address.startswith(("file:", "data:"))] == []
