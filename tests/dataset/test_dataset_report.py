"""The report: verdict, rows left out beside kept ones, mapping, template losses, the run, search and paging."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from scripts.dataset import report_rows
from scripts.dataset.hidden import cut, hidden
from scripts.dataset.prepare import prepare
from scripts.dataset.run_plan import run_plan
from scripts.dataset.settings import from_values
from scripts.dataset.tokenizer import Tokenizer
from scripts.values.read import load
from tests import browser as browsers
from tests.dataset.samples import as_jsonl, rows, run

KEY = "AKIAIOSFODNN7EXAMPL2"
TOOL = {"type": "function", "function": {"name": "weather", "description": "Tells the weather",
                                         "parameters": {"type": "object", "properties": {"city": {}}}}}  # fmt: skip


def talk(at: int, answer: str = "") -> dict[str, Any]:
    said = [{"from": "human", "value": f"Question number {at}?"}, {"from": "gpt", "value": answer or f"Answer {at}."}]
    return {"conversations": said, "source": "here", **({"system": "Be brief."} if at % 2 else {})}


def calls(at: int) -> dict[str, Any]:
    call = {"id": "1", "type": "function", "function": {"name": "weather", "arguments": f'{{"city": "T{at}"}}'}}
    return {"tools": [TOOL], "messages": [
        {"role": "user", "content": f"And the weather in T{at}?"},
        {"role": "assistant", "content": "I look.", "tool_calls": [call]},
        {"role": "tool", "content": "sunny", "tool_call_id": "1"}, {"role": "assistant", "content": f"Sunny, {at}."},
    ]}  # fmt: skip


def prepared(tmp_path: Path, rows: list[Any], coder: Path | None = None, **dataset: Any) -> tuple[dict[str, Any], str]:
    (tmp_path / "set").mkdir(exist_ok=True)
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (tmp_path / "set" / "train.jsonl").write_text("\n".join(lines))
    (tmp_path / "set" / "notes.txt").write_text("x")
    given = {"source": str(tmp_path / "set"), "max_left_out": 50, **dataset}
    settings = from_values({"dataset": given | ({"tokenizer": str(coder)} if coder else {})})
    plan = partial(run_plan, load("demo"))
    manifest = prepare(settings, tmp_path / "out", say=lambda line: None, stream=None, plan=plan)[1]
    page = tmp_path / "out" / ("not-ready.html" if manifest["status"] == "fail" else "report.html")
    return manifest, page.read_text("utf-8")


def test_the_page_accounts_for_everything(tmp_path: Path, small_tokenizer: Path) -> None:
    rows = [*map(talk, range(60)), *map(calls, range(60, 100)), '{"broken": ', *[{"text": KEY}] * 9]
    manifest, page = prepared(tmp_path, rows, small_tokenizer, checks={"calls_lost": "keep"})
    shown = manifest["shown_rows"]
    assert [(each["check"], each["row"]) for each in shown["left_out"]] == [
        ("json", "line 101"), ("schema", "line 102"), ("schema", "line 103"), ("schema", "line 104"),
    ]  # fmt: skip
    assert KEY not in json.dumps(manifest) and KEY not in page
    assert shown["mapped"][0]["before"] == json.dumps(talk(0))
    assert json.loads(shown["mapped"][0]["after"])["messages"][0] == {"role": "user", "content": "Question number 0?"}
    for words in (
        ">ready with warnings</span>", "10 of 110 rows left out (9.1 %)", "notes.txt", "<code>source</code> 60",
        "weather(city): Tells the weather", "weather({&#34;city&#34;: &#34;T", "tool calls", "tools to call",
        "optimizer steps", "preflight says it anew", "Before and after", "{&#34;broken&#34;: ",
    ):  # fmt: skip
        assert words in page, words
    assert len(page) < 400_000


def test_data_that_are_not_ready_have_a_report_and_no_price(tmp_path: Path) -> None:
    _, page = prepared(tmp_path, [*map(talk, range(100)), "{"], checks={"json": "fail"})
    assert ">not ready</span>" in page and "Nothing was put in place." in page and "The run on these data" not in page
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["not-ready.html"]
    prepared(tmp_path, list(map(talk, range(100))), checks={"json": "fail"})
    assert not (tmp_path / "out" / "not-ready.html").exists()


def test_a_run_that_cannot_be_told_is_said_to_be_so(tmp_path: Path) -> None:
    as_jsonl(tmp_path / "rows.jsonl", rows(40))
    plan = partial(run_plan, load("demo", ["compute.size=Standard_X"], check=False))
    run(tmp_path / "rows.jsonl", tmp_path / "out", plan=plan)
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "What the run takes cannot be told: the shape of" in page and "the GPU of Standard_X is not known." in page


def test_guesses_are_not_called_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from scripts.dataset import tokenizer

    def stand_in(*_: Any) -> tuple[Tokenizer, str]:
        coder, said = find(None, {"name": "x", "huggingface_id": None}, False)
        assert coder is not None and coder.stands_in
        return coder, said

    find = tokenizer.find
    for name, other in (("find_spec", lambda name: None), ("find", stand_in)):
        with monkeypatch.context() as patch:
            if name == "find" and not tokenizer._smollm2(convert=True):
                continue
            patch.setattr(tokenizer, name, other)
            manifest, page = prepared(tmp_path, list(map(talk, range(100))), seed=len(name))
            assert not manifest["tokens"]["is_own"]
            assert "was counted with" not in page and "were counted" not in page


def test_what_the_template_leaves_out_is_found(small_tokenizer: Path) -> None:
    coder = Tokenizer(small_tokenizer, "small")
    row = {"messages": [{"role": "user", "content": "A  question\n\n that is written."}]}
    assert report_rows.lost([row], coder) == []
    found = report_rows.lost([calls(1), calls(2)], coder)
    assert [(each.what, each.rows) for each in found] == [("tools to call", 2), ("tool calls", 2)]
    coder = Tokenizer(small_tokenizer, "small")
    coder.chat_template = "{% for each in messages if each.role != 'system' %}{{ each.content }}{% endfor %}"
    talks = [{"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]}]
    assert report_rows.lost(talks, coder) == [report_rows.Lost("text of system", 1, "Be brief.")]


@pytest.mark.parametrize("count", [0, 1, 20, 21, 500])
def test_the_sample_is_spread_over_the_file(tmp_path: Path, count: int) -> None:
    lines = [json.dumps({"messages": [], "at": at, "long": "x" * (at % 7 * 100)}) + "\n" for at in range(count)]
    (tmp_path / "a.jsonl").write_text("".join(lines))
    found = [row["at"] for row in report_rows.sampled(tmp_path / "a.jsonl", 20)]
    assert found == sorted(set(found)) and len(found) >= min(count, 15) and found[:1] == [0][:count]
    assert count < 500 or found[-1] > 450


@pytest.mark.parametrize(
    "secret",
    [
        KEY,
        "jane.doe@corp.example.org",
        "-----BEGIN RSA PRIVATE KEY-----\\nMIIEow" + "IBAAKCAQEA7" * 30 + "\\n-----END RSA PRIVATE KEY-----",
        "ghp_" + "a1B2" * 30,
        "4532 0151 1283 0366",
    ],
)
def test_secrets_are_hidden_whole_wherever_the_text_is_cut(secret: str) -> None:
    text = f"It is {secret}, and that is all."
    assert hidden([text, "a word"]) == ["It is [hidden], and that is all.", "a word"]
    pieces = [secret[at : at + 12] for at in range(0, len(secret) - 12, 4)]
    for limit in (8, 12, 30):
        assert not any(piece in cut(text * 2, limit) for piece in pieces)


@pytest.mark.slow
@pytest.mark.skipif(browsers.find() is None, reason="no Chromium")
def test_search_and_paging_by_keyboard(tmp_path: Path, small_tokenizer: Path) -> None:
    rows = [*map(talk, range(120)), *[{"text": "no talk"}] * 3]
    prepared(tmp_path, rows, small_tokenizer)
    shown = "[...document.querySelectorAll('.entry')].filter((each) => each.offsetParent).length"
    status = "document.querySelector('[role=status]').textContent"
    with browsers.browser(tmp_path / "profile") as seen:
        for width in (1280, 400):
            seen.open((tmp_path / "out" / "report.html").as_uri(), width=width, dark=width < 500)
            assert seen.value("document.documentElement.scrollWidth") <= width
            total = seen.value("document.querySelectorAll('.entry').length")
            assert seen.value(shown) == 10 and seen.value(status) == f"1 to 10 of {total}"
            seen.value("document.querySelector('[name=search]').focus()")
            seen.type("number 77?")
            assert seen.value(status).endswith("of 1") and seen.value(shown) == 1
            seen.value("document.querySelector('[name=search]').value = ''")
            seen.type("nothing-like-this")
            assert seen.value(shown) == 0 and "Nothing" in seen.value(status)
            seen.value("document.querySelector('[name=search]').select()")
            seen.type("talk")
            assert seen.value(status) == "1 to 3 of 3"  # the rows left out, beside the kept ones
            seen.value("document.querySelector('[name=search]').select()")
            seen.type("?")
            for _ in range(2):  # past the kinds, and Previous that is disabled, to Next
                seen.press("Tab")
            seen.press("Enter")
            assert seen.value(status).startswith("11 to 20")
        assert not seen.errors
        assert [address for address in seen.requests if not address.startswith(("file:", "data:"))] == []
        seen.call("Emulation.setScriptExecutionDisabled", value=True)
        seen.open((tmp_path / "out" / "report.html").as_uri())
        assert seen.value(shown) == total and seen.value("document.querySelector('.controls').hidden")
