"""What lies in an export's folder, and that nothing does where it failed."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.errors import UserError
from scripts.evaluate.model_version import ModelVersion
from scripts.export import bundle, conversations, ollama, place, proof, vocabulary, weights
from scripts.files import ROOT
from scripts.values.read import load
from tests.export import tokenizers_of
from tests.tiny_models import make_model

FEW = 110  # conversations: 1,000 take seconds, and one test has them
MEANT = ModelVersion("Tiny-mine", "3", "job")


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversations, "COUNT", FEW)


def model(folder: Path, **changes: Any) -> Path:
    """Writes a registered model's folder as the training step does."""
    make_model(folder / "model", **changes)
    (folder / "MLmodel").write_text(json.dumps({"flavors": {"transformers": {}}, "metadata": {}}))
    return folder


def export(folder: Path, result: Path, **more: Any) -> None:
    bundle.export(load("demo"), MEANT, folder, result, root=folder, **more)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def parsed(text: str) -> dict[str, list[str]]:
    """Reads a Modelfile as Ollama's manual describes it."""
    found: dict[str, list[str]] = {}
    pattern = r'^(FROM|TEMPLATE|PARAMETER \w+) (?:"""((?:.|\n)*?)"""|"([^"\n]*)"|([^"\n]+))\n|^#.*\n'
    end = 0
    for match in re.finditer(pattern, text, re.M):
        assert match.start() == end, text[end : match.start()]
        end = match.end()
        if match[1]:
            found.setdefault(match[1], []).append(next(each for each in match.groups()[1:] if each is not None))
    assert end == len(text)
    return found


def gone(template: str, messages: list[dict[str, str]]) -> str:
    """Renders what Ollama would: the few words of Go's templates that are used here, as Jinja."""
    import jinja2

    words = {
        "if not .System": "{% if not system %}",
        "range .Messages": "{% for message in messages %}",
        ".Content": "{{ message.content }}",
        "if eq .Role": "{% if message.role == {} %}",
        "else if eq .Role": "{% elif message.role == {} %}",
    }  # fmt: skip
    opened: list[str] = []

    def jinja(match: re.Match[str]) -> str:
        said, _, role = match[1].partition(' "')
        if said == "end":
            return opened.pop()
        if said.startswith(("if", "range")):
            opened.append("{% endif %}" if said.startswith("if") else "{% endfor %}")
        return words[said].replace("{}", f'"{role}')

    source = re.sub(r"\{\{ (.*?) \}\}", jinja, template)
    system = any(message["role"] == "system" for message in messages)
    return jinja2.Environment(keep_trailing_newline=True).from_string(source).render(messages=messages, system=system)


def test_a_file_a_modelfile_and_five_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export(model(tmp_path / "model"), tmp_path / "home" / "export")
    out = tmp_path / "home" / "export"
    assert names(out) == ["Modelfile", "README.md", "Tiny-mine-3.gguf"]
    said = capsys.readouterr().out
    assert max(len(line) for line in said.splitlines() if "/" not in line) <= 80
    assert re.search(
        r"1,000 conversations are the same [\d,]+ tokens in llama.cpp \(tokenizer gpt-2\) as in the model's own "
        r"tokenizer: none of data/demo, which make data ENV=demo prepares, 20 general, 980 odd", " ".join(said.split())
    )  # fmt: skip
    found = parsed((out / "Modelfile").read_text())
    assert found.pop("TEMPLATE")
    assert found == {
        "FROM": ["./Tiny-mine-3.gguf"], "PARAMETER temperature": ["0.6"], "PARAMETER top_p": ["0.9"],
        "PARAMETER top_k": ["0"], "PARAMETER min_p": ["0"], "PARAMETER repeat_penalty": ["1"],
        "PARAMETER num_predict": ["120"], "PARAMETER num_ctx": ["256"], "PARAMETER stop": ["<|im_end|>"],
    }  # fmt: skip
    assert len((out / "README.md").read_text().splitlines()) == 5
    before = (out / "Tiny-mine-3.gguf").read_bytes()
    export(tmp_path / "model", out)
    assert (out / "Tiny-mine-3.gguf").read_bytes() == before and len(names(out)) == 3


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("make", [tokenizers_of.smollm, tokenizers_of.cl100k, tokenizers_of.sentencepiece])
def test_ollamas_template_writes_what_the_models_own_does(tmp_path: Path, make: Any) -> None:
    tokenizer = make()
    words = vocabulary.read(tokenizer, len(tokenizer), [tokenizer.eos_token_id])
    chosen = conversations.choose("nothing", words, tmp_path).conversations
    asked = [each.question for each in proof.expected(tokenizer, chosen, system_role=True)]

    def render(messages: list[dict[str, Any]]) -> str:
        return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)

    turns = ollama.turns(render, asked)
    assert turns
    template = parsed(ollama.modelfile("f", turns, load("demo").data["request"], 9, ["s"]))["TEMPLATE"][0]
    assert all(gone(template, messages) == render(messages) for messages in asked)


@pytest.mark.parametrize("template", [
    "{{ messages[0]['content'] }}{{ messages[-1]['content'] }}",  # twice the same
    "{% for message in messages %}[{{ message['content'] | trim }}]{% endfor %}",
    "{% for message in messages %}{{ '{{ ' + message['content'] }}{% endfor %}",
    "{% for message in messages %}{{ '{' + message['content'] }}{% endfor %}",
    "{{ raise_exception('no') }}",
])  # fmt: skip
def test_a_template_that_is_not_made_of_turns_gets_none(template: str) -> None:
    from scripts.conversation.template import renderer

    render = renderer(template)
    assert ollama.turns(lambda messages: render(messages=messages), [[{"role": "user", "content": " a "}]]) is None
    assert "TEMPLATE" not in parsed(ollama.modelfile("f", None, load("demo").data["request"], 9, []))


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(("changes", "gguf", "said"), [
    ({"model_type": "gpt_neox"}, True, "its architecture is GPTNeoXForCausalLM, and known here are LlamaForCausalLM"),
    ({"rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}}, True, "positions are scaled by"),
    ({"rope_parameters": {"rope_type": "yarn", "factor": 2.0, "rope_theta": 1e4}}, True, "are scaled by yarn"),
    ({}, False, "FORMAT asks for it"),
])  # fmt: skip
def test_what_has_no_place_in_such_a_file_becomes_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], gguf: bool, said: str
) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    changes = {**changes, **({"num_key_value_heads": 4} if "model_type" in changes else {})}
    folder = tmp_path / "model"
    try:
        model(folder, **changes)
    except AttributeError:  # it has no lm_head
        (folder / "MLmodel").write_text("flavors: {}")
    for _ in range(2):
        export(folder, tmp_path / "out", gguf=gguf)
    assert said in " ".join(capsys.readouterr().out.split())
    assert names(tmp_path / "out") == ["Tiny-mine-3"]
    AutoModelForCausalLM.from_pretrained(tmp_path / "out" / "Tiny-mine-3")
    assert AutoTokenizer.from_pretrained(tmp_path / "out" / "Tiny-mine-3").chat_template


@pytest.mark.usefixtures("few")
def test_adapters_that_were_not_merged_are(tmp_path: Path) -> None:
    import torch
    from gguf import GGUFReader
    from peft import LoraConfig, PeftModel, get_peft_model
    from transformers import AutoModelForCausalLM

    from scripts.local.engine import gguf as engine

    folder = model(tmp_path / "model")
    torch.manual_seed(0)
    config = LoraConfig(r=2, target_modules=["q_proj", "up_proj"], init_lora_weights=False)
    adapted = get_peft_model(AutoModelForCausalLM.from_pretrained(folder / "model"), config)
    adapted.save_pretrained(folder / "peft")
    export(folder, tmp_path / "out")
    assert names(tmp_path / "out") == ["Modelfile", "README.md", "Tiny-mine-3.gguf"]
    base = AutoModelForCausalLM.from_pretrained(folder / "model")
    merged = PeftModel.from_pretrained(base, folder / "peft").merge_and_unload().state_dict()
    written = {each.name: each.data for each in GGUFReader(tmp_path / "out" / "Tiny-mine-3.gguf").tensors}
    layer = "model.layers.1"
    assert (written["blk.1.ffn_up.weight"] == merged[f"{layer}.mlp.up_proj.weight"].numpy()).all()
    assert (
        written["blk.1.attn_q.weight"] == engine.neighbours(merged[f"{layer}.self_attn.q_proj.weight"], 4).numpy()
    ).all()


@pytest.mark.usefixtures("few")
def test_a_proof_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, out = model(tmp_path / "model"), tmp_path / "out"
    export(folder, out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    monkeypatch.setattr(vocabulary, "SPLITS", ("none such",))
    with pytest.raises(UserError, match=r"nothing is exported: llama\.cpp loads no file with this tokenizer"):
        export(folder, out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


@pytest.mark.usefixtures("few")
def test_what_was_written_is_proven_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only the small file with which the tokenizer was tried."""
    from scripts.export import gguf_file

    def broken(file: Path, *_: Any) -> None:
        file.write_bytes(b"GGUF")

    monkeypatch.setattr(gguf_file, "whole", broken)
    with pytest.raises(UserError, match=r"nothing is exported: llama\.cpp does not load what was written"):
        export(model(tmp_path / "model"), tmp_path / "out")
    assert names(tmp_path / "out") == []


@pytest.mark.usefixtures("few")
def test_no_room_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 10**6))
    with pytest.raises(
        UserError, match=r"/out: 0\.07 GB do not fit into the 0\.00 GB that are free; make room, or RES"
    ):
        export(model(tmp_path / "model"), tmp_path / "out")
    assert names(tmp_path / "out") == []


@pytest.mark.usefixtures("few")
def test_stopped_half_way_leaves_nothing_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, out = model(tmp_path / "model"), tmp_path / "out"
    numbers = weights.numbers

    def stopped(found: weights.Weights) -> Iterator[Any]:
        yield from itertools.islice(numbers(found), 5)
        assert (out / place.PART / "Tiny-mine-3.gguf").exists()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(weights, "numbers", stopped)
        export(folder, out)
    assert names(out) == []
    killed(out)
    assert names(out) == [place.PART]
    export(folder, out)
    assert names(out) == ["Modelfile", "README.md", "Tiny-mine-3.gguf"]


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(("name", "gguf", "folder"), [
    ("README.md", True, False), ("Modelfile", True, False), ("Tiny-mine-3.gguf", True, True), ("README.md", True, True),
    ("Tiny-mine-3", False, False), ("Tiny-mine-3", False, True),
])  # fmt: skip
def test_what_no_export_wrote_is_not_replaced(tmp_path: Path, name: str, gguf: bool, folder: bool) -> None:
    made, out = model(tmp_path / "model"), tmp_path / "out"
    kept = out / name / "kept" if folder else out / name
    kept.parent.mkdir(parents=True)
    kept.write_text("FROM ./mine.gguf")
    with pytest.raises(UserError, match=rf"/out/{name}: no export wrote it, and none replaces it; RESULT=<folder>"):
        export(made, out, gguf=gguf)
    assert kept.read_text() == "FROM ./mine.gguf"
    assert names(out) == [name]


def test_two_at_once_take_turns(tmp_path: Path) -> None:
    program = f"""
import sys
from pathlib import Path
from scripts.export import place
with place.whole(Path({str(tmp_path)!r})) as part:
    (part / "Tiny-mine-3.gguf").write_bytes(b"GGUF")
"""
    with place.whole(tmp_path) as part:
        second = subprocess.Popen([sys.executable, "-uc", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert second.stdout
        assert "another export is at work there; waiting until it ends" in second.stdout.readline()
        (part / "Modelfile").write_text("\nPARAMETER num_ctx 1")
    assert second.wait() == 0
    second.stdout.close()
    assert names(tmp_path) == ["Modelfile", "Tiny-mine-3.gguf"]


@pytest.mark.parametrize("place_of_it", ["file/below", "link"])
def test_where_no_folder_can_be(tmp_path: Path, place_of_it: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("nowhere")
    with (
        pytest.raises(UserError, match="is no folder; RESULT=<folder> names another"),
        place.whole(tmp_path / place_of_it),
    ):
        pass


def test_a_disk_that_fills_up_meanwhile_is_said(tmp_path: Path) -> None:
    import numpy

    with (  # which has no number for it
        pytest.raises(UserError, match=r"not all was written \(\d+ requested and \d+ written\); make room"),
        place.whole(tmp_path), place.writing(tmp_path), Path("/dev/full").open("wb", buffering=0) as full,
    ):  # fmt: skip
        numpy.zeros(10**5).tofile(full)
    assert names(tmp_path) == []


def killed(out: Path) -> None:
    """Kills a process that is writing into an export's folder."""
    program = f"""
import os, signal
from pathlib import Path
from scripts.export import place
with place.whole(Path({str(out)!r})) as part:
    (part / "Tiny-mine-3.gguf").write_bytes(b"GGUF")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(("file", "content", "said"), [
    ("model.safetensors", "{", r"/model\.safetensors: is no whole file of weights \(.*\); fetch or train"),
    ("tokenizer.json", "{", r"/model: its tokenizer cannot be read \(.*; fetch or train the model anew"),
    ("model.safetensors", "", r"/model: its weights cannot be read \(.*; fetch or train the model anew"),
    ("config.json", "{", r"/config\.json: is not JSON \(.*\); fetch or train the model anew"),
    ("chat_template.jinja", " ", "the chat template was lost"),
    ("chat_template.jinja", "{{ messages[0].content }}", "the chat template leaves out"),
    ("chat_template.jinja", "{{ messages | map(attribute='content') | join }}{% if messages | length != 3 %}"
     "{{ raise_exception('no') }}{% endif %}", "the model's own chat template refuses every conversation"),
])  # fmt: skip
def test_damaged_files_are_named(tmp_path: Path, file: str, content: str, said: str) -> None:
    folder = model(tmp_path / "model")
    (folder / "model" / file).write_text(content)
    if not content:
        (folder / "model" / file).unlink()
    with pytest.raises(UserError, match=said):
        export(folder, tmp_path / "out")
    assert names(tmp_path / "out") == []


@pytest.mark.usefixtures("few")
def test_code_of_a_models_own_is_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = model(tmp_path / "model")
    config = {"model_type": "phi3small", "auto_map": {"AutoConfig": "configuration_phi3_small.Phi3SmallConfig"}}
    (folder / "model" / "config.json").write_text(json.dumps(config))
    export(folder, tmp_path / "out")
    assert names(tmp_path / "out") == ["Tiny-mine-3"]
    assert "since its architecture is unknown to transformers" in " ".join(capsys.readouterr().out.split())


@pytest.mark.usefixtures("few")
def test_beyond_a_sliding_window_nothing_is_promised(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export(model(tmp_path / "model", model_type="mistral", sliding_window=100), tmp_path / "out")
    assert "100 tokens of context: llama.cpp sees more" in " ".join(capsys.readouterr().out.split())
    assert parsed((tmp_path / "out" / "Modelfile").read_text())["PARAMETER num_ctx"] == ["100"]
