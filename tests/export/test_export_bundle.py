"""What lies in an export's folder, and that nothing does where it failed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from scripts.errors import UserError
from tests.export.tiny import export, model, names, parsed


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
