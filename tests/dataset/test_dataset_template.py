"""What the model's own template makes of the rows: what it refuses stops the job, what it leaves out spoils it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from scripts.dataset import tokenizer, written
from scripts.dataset.check_files import check_files
from scripts.dataset.control_tokens import ControlTokens
from scripts.dataset.prepare import prepare
from scripts.dataset.settings import from_values
from scripts.dataset.text_checks import Texts
from scripts.dataset.tool_calls import renamed
from tests.dataset.conftest import TEMPLATE
from tests.dataset.layout_cases import numbered

CALL = {"type": "function", "function": {"name": "add", "arguments": {"a": 1}}}
CONTENT = "{{ message.content }}"
WRITES_CALLS = TEMPLATE.replace(CONTENT, CONTENT + "{% if message.tool_calls %}{{ message.tool_calls }}{% endif %}")
REFUSES = "{% if message.role == 'ROLE' %}{{ raise_exception('ROLE is unknown here') }}{% endif %}"
REFUSES_TOOLS = TEMPLATE.replace(CONTENT, REFUSES.replace("ROLE", "tool") + CONTENT)
REFUSES_SYSTEM = TEMPLATE.replace(CONTENT, REFUSES.replace("ROLE", "system") + CONTENT)


def with_template(small_tokenizer: Path, folder: Path, template: str) -> str:
    shutil.copytree(small_tokenizer, folder)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(config | {"chat_template": template}))
    return str(folder)


def write(path: Path, calls: int, of: int, text: str = "", system: bool = False) -> Path:
    """Writes `of` conversations, the first `calls` of them with a tool call."""
    rows = []
    for at in range(of):
        turns: list[dict[str, Any]] = [{"role": "system", "content": "Be brief."}] if system else []
        turns.append({"role": "user", "content": f"What is {at} plus one, do you know?"})
        if at < calls:
            turns += [{"role": "assistant", "content": text, "tool_calls": [CALL]}, {"role": "tool", "content": "2"}]
        rows.append({"messages": [*turns, {"role": "assistant", "content": f"It is {at + 1}."}]})
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def run(source: Path, coder: str, **more: Any) -> tuple[int, dict[str, Any], dict[str, dict[str, Any]]]:
    model = more.pop("model", {})
    dataset = {"source": str(source), "tokenizer": coder, **more}
    settings = from_values({"dataset": dataset, "model": model})
    code, manifest, _ = prepare(settings, source.parent / "out", say=lambda line: None, stream=None)
    return code, manifest, {check["name"]: check for check in manifest["checks"]}


@pytest.mark.parametrize("tokens", ["sample", "exact"])
def test_a_row_that_the_template_refuses_stops_even_where_only_a_sample_was_looked_at(
    tmp_path: Path, small_tokenizer: Path, tokens: str
) -> None:
    coder = with_template(small_tokenizer, tmp_path / "coder", REFUSES_TOOLS)
    source = write(tmp_path / "rows.jsonl", 300, 1200)
    code, manifest, checks = run(source, coder, tokens=tokens)
    found = checks["template"]
    assert (
        code == 1
        and found["status"] == "fail"
        and [each.name for each in (tmp_path / "out").iterdir()] == ["not-ready.html"]
    )
    assert "tool is unknown here" in found["examples"][0]["found"]
    assert found["estimated"] == (tokens == "sample") and 200 < found["count"] < 400
    verdict = check_files(from_values({"dataset": {"tokenizer": coder}}), [str(source)], stream=None)
    assert verdict["status"] == "fail"
    code, manifest, checks = run(source, coder, tokens=tokens, checks={"template": "keep"})
    assert checks["calls_lost"]["looked_at"] == ("a sample of the rows" if tokens == "sample" else "every row")
    train = manifest["files"]["train"]["tokens"]
    assert code == 0 and train["how"] == "sample" and train["guessed"] > 0 and train["error"] > train["tokens"] / 20


def test_where_every_length_is_a_guess_nothing_is_called_counted(tmp_path: Path, small_tokenizer: Path) -> None:
    coder = with_template(small_tokenizer, tmp_path / "coder", REFUSES_TOOLS)
    source = write(tmp_path / "rows.jsonl", 100, 100)
    _, manifest, _ = run(source, coder, tokens="exact", checks={"template": "keep"})
    assert manifest["files"]["train"]["tokens"]["how"] == "characters"
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "Every conversation was counted" not in page and "refused by the chat template" in page


@pytest.mark.parametrize(
    ("template", "text", "words"),
    [
        (TEMPLATE.replace("message.content", "message.content or ''"), "", "not written, which leaves an empty answer"),
        (TEMPLATE, "Let me look.", "the call of 'add' in messages[1] is not written"),
        (WRITES_CALLS, "", ""),
    ],
)
def test_tool_calls_that_the_template_leaves_out_stop(
    tmp_path: Path, small_tokenizer: Path, template: str, text: str, words: str
) -> None:
    coder = with_template(small_tokenizer, tmp_path / "coder", template)
    code, _, checks = run(write(tmp_path / "rows.jsonl", 50, 100, text), coder)
    found = checks["calls_lost"]
    assert (code, found["status"]) == ((1, "fail") if words else (0, "pass"))
    assert not words or words in found["examples"][0]["found"]


@pytest.mark.parametrize(
    ("row", "path"),
    [
        ([{"role": "system", "content": "You are a helpful assistant."}], "messages[0]"),
        ([], "tools"),
    ],
)
def test_what_the_template_leaves_out_stops(
    tmp_path: Path, small_tokenizer: Path, row: list[dict[str, str]], path: str
) -> None:
    template = TEMPLATE.replace(
        "{% for message in messages %}", "{% for message in messages if message.role != 'system' %}"
    )
    coder = with_template(small_tokenizer, tmp_path / "coder", template)
    more = {} if row else {"tools": [{"name": "add"}]}
    talk = [{"role": "user", "content": " Is {i}? "}, {"role": "assistant", "content": "It is {i}."}]
    rows = [numbered({"messages": [*row, *talk], **more}, at) for at in range(100, 150)]
    source = tmp_path / "rows.jsonl"
    source.write_text("\n".join(map(json.dumps, rows)))
    code, _, checks = run(source, coder)
    found = checks["text_lost"]
    assert (code, found["status"], found["count"]) == (1, "fail", 50)
    assert found["examples"][0]["path"] == path
    assert run(source, coder, checks={"text_lost": "keep"})[0] == 0
    folded = run(source, coder, model={"finetune_config": {"system_role_supported": "false"}})
    assert folded[2]["text_lost"]["count"] == (0 if row else 50)


ASKED = {"role": "user", "content": "Add  one, please."}
OF = "{% for m in messages %}{{ m.content or '' }}BODY{% endfor %}"
TWO = [ASKED, {"role": "assistant", "content": "I call add.", "tool_calls": [CALL, renamed(CALL, "sub")]}]
PARTS: dict[str, tuple[str, list[dict[str, Any]], list[tuple[str, str, str]]]] = {
    "all": (OF.replace("BODY", "{{ m.tool_calls }}"), TWO, []),
    "white space": (OF.replace("m.content", "' '.join(m.content.split())"), [ASKED], []),
    "a call whose name a text has": (OF.replace("BODY", ""), TWO, [
        ("tool calls", 'add({"a":1})', "the call of 'add' in messages[1] is not written"),
        ("tool calls", 'sub({"a":1})', "the call of 'sub' in messages[1] is not written")]),
    "all calls but the first": (OF.replace("BODY", "{{ m.tool_calls[0].function.name if m.tool_calls }}"), TWO, [
        ("tool calls", 'sub({"a":1})', "the call of 'sub' in messages[1] is not written")]),
    "a changed text": (OF.replace("m.content", "m.content|upper"), [ASKED], [
        ("text of user, changed", "Add  one, please.", "")]),
    "a text that stands elsewhere, line by line": (
        "{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}",
        [{"role": "user", "content": "One.\nTwo?"}, {"role": "assistant", "content": "Two?\nOne."}],
        [("text of assistant", "Two?\nOne.", "the assistant message is not written")]),
}  # fmt: skip


@pytest.mark.parametrize("name", PARTS)
def test_one_look_finds_what_the_template_leaves_out_and_what_it_changes(small_tokenizer: Path, name: str) -> None:
    coder = tokenizer.Tokenizer(small_tokenizer, "small")
    coder.chat_template, messages, expected = PARTS[name]
    found = written.unwritten(coder, messages, None)
    assert [(each.what, each.text, each.finding.found if each.finding else "") for each in found] == expected


def test_a_folded_conversation_is_named_by_the_rows_own_messages(small_tokenizer: Path) -> None:
    coder = tokenizer.Tokenizer(small_tokenizer, "small")
    coder.chat_template, coder.system_role = OF.replace("BODY", ""), False
    system = {"role": "system", "content": "Be brief."}
    found = [each.finding for each in written.unwritten(coder, [system, *TWO], None)]
    assert found[0] and found[0].found == "the call of 'add' in messages[2] is not written"


def test_the_components_settings_of_the_template_hold(tmp_path: Path, small_tokenizer: Path) -> None:
    coder = with_template(small_tokenizer, tmp_path / "coder", REFUSES_SYSTEM)
    source = write(tmp_path / "rows.jsonl", 0, 100, system=True)
    assert run(source, coder)[2]["template"]["status"] == "fail"
    for config in ({"system_role_supported": "false"}, {"finetune_chat_template": TEMPLATE}):
        assert run(source, coder, model={"finetune_config": config})[2]["template"]["status"] == "pass"


def test_a_stand_ins_refusal_is_no_finding(
    tmp_path: Path, small_tokenizer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(with_template(small_tokenizer, tmp_path / "coder", REFUSES_TOOLS))
    monkeypatch.setattr(tokenizer, "_smollm2", lambda convert: folder)
    settings = from_values({"dataset": {"source": str(write(tmp_path / "rows.jsonl", 50, 100))}})
    code, manifest, _ = prepare(settings, tmp_path / "out", say=lambda line: None, stream=None)
    assert code == 0 and "standing in" in manifest["tokens"]["counted_with"]
    looked_at = {check["name"]: check["looked_at"] for check in manifest["checks"]}
    assert looked_at["template"].startswith("no row: ") and looked_at["order"] == "every row"
    assert "refused by the chat template (looked at no row: " in (tmp_path / "out" / "report.html").read_text("utf-8")
    train = manifest["files"]["train"]
    assert train["tokens"]["how"] == "sample" and 30 < train["tokens"]["guessed"] <= 50


@pytest.mark.parametrize(
    ("text", "own", "families"),
    [
        ("<|end|>", "<|end|>", "<|end|>"), ("see <|im_start|>user", "", "<|im_start|>"), ("a <| b |> c <|", "", ""),
        ("[INST] x", "", "[INST]"), ("<start_of_turn>", "", "<start_of_turn>"), ("<s>struck</s> [/b] <<a", "", ""),
        ("é <|assistant|>", "<|assistant|>", "<|assistant|>"), ("<\uff5cUser\uff5c>", "", "<\uff5cUser\uff5c>"),
    ],
)  # fmt: skip
def test_control_tokens_are_those_of_the_model_or_else_of_the_known_families(
    small_tokenizer: Path, text: str, own: str, families: str
) -> None:
    coder, _ = tokenizer.find(str(small_tokenizer), {})
    for looking, token in ((ControlTokens(coder), own), (ControlTokens(), families)):
        found = list(looking.findings(Texts([["a", "b"], ["c", text], ["d", f"{text}{text}"]])))
        assert [(row, each.path, each.found) for row, each in found] == [
            (row, "messages[1].content", token) for row in (1, 2) if token
        ]
