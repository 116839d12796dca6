"""Whole jobs on the tiny model: what the inputs do, and what is left behind."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.conversation import model_folder
from scripts.errors import UserError
from scripts.local.engine.checkpoints import all_in


def log_of(folder: Path) -> str:
    return (folder / "logs" / "executionlogs.txt").read_text(encoding="utf-8")


def losses(log: str) -> list[float]:
    """The training losses in a log."""
    return [float(loss) for loss in re.findall(r"step \d+/\d+ .* loss (\d+\.\d+) ", log)]


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(folder / "outputs" / "mlflow_model_folder" / "model" / "model.safetensors")


def test_a_job_leaves_a_better_model_that_mlflow_can_load(
    make_job: Callable[..., Path], run_job: Callable[[Path], Any], tiny: Path
) -> None:
    import mlflow
    import yaml

    folder = make_job(num_train_epochs="8", learning_rate="2e-2", lora_r="16", lora_alpha="32")
    run_job(folder)
    log = log_of(folder)
    evaluations = [float(loss) for loss in re.findall(r"evaluation .*: loss (\d+\.\d+),", log)]
    assert min(evaluations) < evaluations[0] - 0.2  # adapters of a random model can do no more in 48 steps
    assert "merged the LoRA adapters" in log
    steps = json.loads((folder / "steps.json").read_text())["steps"]
    assert [step["status"] for step in steps] == ["Completed"] * 5
    assert all(step["started"] < step["ended"] for step in steps)

    model = folder / "outputs" / "mlflow_model_folder"
    described = yaml.safe_load((model / "MLmodel").read_text())["metadata"]
    assert described["job"] == "job"
    assert described["base_model"].startswith("azureml://registries/azureml/models/tiny")
    assert described["parameters"]["learning_rate"] == 0.02
    assert len(described["data_sha256"]["train"]) == 64
    assert described["result"]["eval_loss"] == pytest.approx(min(evaluations), abs=1e-4)
    assert (model / "model" / "chat_template.jinja").exists()
    assert "transformers==" in (model / "requirements.txt").read_text()
    packages = yaml.safe_load((model / "conda.yaml").read_text())["dependencies"][-1]["pip"]
    assert [text for text in packages if text.startswith(("mlflow", "azureml"))] == [
        "mlflow<3",
        "azureml-ai-monitoring",
    ]
    assert "whether the registry model brings both is unverified" in log
    assert "flavors" in yaml.safe_load((model / "MLmodel").read_text())
    answer = mlflow.pyfunc.load_model(str(model)).predict(
        {"messages": [{"role": "user", "content": "Which size?"}], "max_tokens": 4}
    )
    assert answer[0]["choices"][0]["message"]["role"] == "assistant"

    pytorch = folder / "outputs" / "pytorch_model_folder"
    assert (pytorch / "config.json").exists()
    assert [path.name for path in all_in(pytorch)] == [f"checkpoint-{step}" for step in range(6, 49, 6)]
    assert not list((folder / "outputs").glob(".*"))


def test_the_same_seed_gives_the_same_run_and_another_one_another(
    make_job: Callable[..., Path], run_job: Callable[[Path], Any]
) -> None:
    found = []
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        folder = make_job(name, seed=seed, lora_dropout="0.1")
        run_job(folder)
        found.append(losses(log_of(folder)))
    assert found[0] == found[1] != found[2]
    assert len(found[0]) == 6


def test_a_resumed_run_ends_where_an_uninterrupted_one_does(
    make_job: Callable[..., Path], run_job: Callable[[Path], Any]
) -> None:
    import torch

    from scripts.local.engine.job_folder import Job

    whole = make_job("whole", num_train_epochs="3", evaluation_strategy="steps", eval_steps="4")
    run_job(whole)
    broken = make_job("broken", num_train_epochs="3", evaluation_strategy="steps", eval_steps="4",
                      resume_from_checkpoint="true")  # fmt: skip
    source = whole / "outputs" / "pytorch_model_folder" / "checkpoint-8"  # in the middle of the second epoch
    target = Job(broken).scratch / "checkpoints" / "checkpoint-8"
    target.parent.mkdir(parents=True)
    import shutil

    shutil.copytree(source, target)
    run_job(broken)
    assert "resumed from step 8" in log_of(broken)
    assert losses(log_of(broken)) == losses(log_of(whole))[8:]
    ours, theirs = weights(broken), weights(whole)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_checkpoint_of_other_adapters_is_the_users_error(
    make_job: Callable[..., Path], run_job: Callable[[Path], Any]
) -> None:
    first = make_job("first")
    run_job(first)
    given = str(first / "outputs" / "pytorch_model_folder")
    second = make_job("second", pytorch_model_path=given, lora_r="8", resume_from_checkpoint="true")
    with pytest.raises(UserError, match="checkpoint-6: made with other LoRA inputs"):
        run_job(second)


def test_early_stopping_ends_the_run_and_the_best_model_is_kept(
    make_job: Callable[..., Path], run_job: Callable[[Path], Any]
) -> None:
    folder = make_job(
        num_train_epochs="50", learning_rate="0.3", lr_scheduler_type="constant", apply_early_stopping="true",
        early_stopping_patience="2", save_total_limit="1",
    )  # fmt: skip
    run_job(folder)
    log = log_of(folder)
    assert "early stopping: 2 evaluation(s) in a row" in log
    evaluations = list(map(float, re.findall(r"evaluation after .*: loss (\d+\.\d+),", log)))
    best = evaluations.index(min(evaluations))
    assert best == len(evaluations) - 3
    assert f"the best model is that of step {6 * (best + 1)}" in log
    kept = {path.name for path in all_in(folder / "outputs" / "pytorch_model_folder")}
    assert kept == {f"checkpoint-{6 * (best + 1)}", f"checkpoint-{6 * len(evaluations)}"}


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"apply_lora": "false", "optim": "adafactor", "learning_rate": "1e-3"}, "full fine-tuning"),
        ({"apply_lora": "false", "weight_decay": "0.1"}, "full fine-tuning"),
        ({"gradient_accumulation_steps": "3"}, "12 a step: 2 steps an epoch"),
        ({"max_steps": "9", "evaluation_strategy": "disable"}, "trained 9 steps"),
        ({"precision": "16"}, "precision 16"),
        ({"logging_strategy": "epoch"}, "step 6/6"),
    ],
)
def test_inputs_mean_what_they_say(
    make_job: Callable[..., Path], run_job: Callable[[Path], Any], inputs: dict[str, str], words: str
) -> None:
    folder = make_job(**inputs)
    run_job(folder)
    log = log_of(folder)
    assert words in log
    assert (folder / "outputs" / "mlflow_model_folder" / "MLmodel").exists()
    if inputs.get("evaluation_strategy") == "disable":
        assert "evaluation" not in log.replace("evaluation_strategy", "")
    else:
        before, *_, after = map(float, re.findall(r"evaluation .*: loss (\d+\.\d+),", log))
        assert after < before


def test_adapters_that_are_not_merged_stay_beside_the_model(
    make_job: Callable[..., Path], run_job: Callable[[Path], Any]
) -> None:
    import torch

    from scripts.local.scoring.generator import load

    merged, apart = make_job("merged"), make_job("apart", merge_lora_weights="false")
    run_job(merged)
    run_job(apart)
    model = apart / "outputs" / "mlflow_model_folder"
    assert (model / "peft" / "adapter_config.json").exists()
    assert "peft==" in (model / "requirements.txt").read_text()
    served, _ = load(model)
    expected = weights(merged)
    for name, weight in served.model.state_dict().items():
        if name in expected:
            assert torch.allclose(weight, expected[name], atol=1e-5), name


def test_caps_are_said_aloud_and_the_run_still_anneals(
    make_job: Callable[..., Path], run_job: Callable[[Path], Any]
) -> None:
    folder = make_job(num_train_epochs="5", settings={"max_steps": 4}, lr_scheduler_type="cosine")
    run_job(folder)
    log = log_of(folder)
    assert "CAPPED: 4 of 30 steps" in log  # 16 rows are left: what four steps of four reach
    rates = list(map(float, re.findall(r"  rate (\S+)", log)))
    assert len(rates) == 4
    assert rates[-1] < 0.2 * rates[0]


def test_a_cap_in_tokens_is_the_same_run_on_every_machine(
    make_job: Callable[..., Path], run_job: Callable[[Path], Any]
) -> None:
    folder = make_job(num_train_epochs="100000", settings={"max_tokens": 900}, lr_scheduler_type="cosine")
    run_job(folder)
    log = log_of(folder)
    (steps,) = re.findall(r"CAPPED: (\d+) of \d+ steps \(training.max_tokens", log)
    rates = list(map(float, re.findall(r"  rate (\S+)", log)))
    assert f"trained {steps} steps in" in log
    assert rates[-1] < 0.5 * rates[0]


def test_the_stand_in_is_named_and_a_hub_model_needs_its_special_tokens(
    make_job: Callable[..., Path], run_job: Callable[[Path], Any], tiny: Path
) -> None:
    folder = make_job("one")
    description = json.loads((folder / "job.json").read_text())
    phi = "azureml://registries/azureml/models/Phi-4/versions/8"
    description["base_model"] = {"reference": phi, "path": str(tiny), "stand_in": True}
    (folder / "job.json").write_text(json.dumps(description))
    run_job(folder)
    assert f"NOTE: {tiny.name} stands in for {phi}" in log_of(folder)
    hub = make_job("two", huggingface_id="someone/tiny", pytorch_model_path=None)
    description = json.loads((hub / "job.json").read_text())
    description["base_model"] = {"reference": "someone/tiny", "path": str(tiny), "stand_in": False}
    (hub / "job.json").write_text(json.dumps(description))
    with pytest.raises(UserError, match="Chat Special tokens are not set in finetune config"):
        run_job(hub)


def test_the_adapters_are_where_the_component_puts_them(
    make_job: Callable[..., Path], run_job: Callable[[Path], Any], tiny: Path, tmp_path: Path
) -> None:
    """And the model says how Azure would serve it, brings its finetune config and the packages that this asks for."""
    tokens = {"instruction_template": "<|im_start|>user", "response_template": "<|im_start|>assistant"}
    extra = {"mlflow_save_model_kwargs": {"extra_pip_requirements": ["azureml-ai-monitoring"]}}
    for name, more, said in (
        ("own", {}, "the component's own LoRA (custom) on q_proj, v_proj, as for model type llama"),
        ("named", {"lora_algo": "peft", "lora_target_modules": ["o_proj"]}, "PEFT on o_proj"),
        ("idle", {"lora_target_modules": ["o_proj"]}, "no effect here: finetune config lora_target_modules"),
    ):
        config = {"chat_special_tokens": tokens, "mlflow_ft_conf": extra, **more}
        (tmp_path / f"{name}.json").write_text(json.dumps(config))
        folder = make_job(
            name, huggingface_id="someone/tiny", pytorch_model_path=None, max_steps="1",
            finetune_config_path=str(tmp_path / f"{name}.json"),
        )  # fmt: skip
        description = json.loads((folder / "job.json").read_text())
        description["base_model"] = {"reference": "someone/tiny", "path": str(tiny), "stand_in": False}
        (folder / "job.json").write_text(json.dumps(description))
        run_job(folder)
        assert said in log_of(folder)
        model = folder / "outputs" / "mlflow_model_folder"
        assert json.loads((model / "finetune_config.json").read_text()) == config
        assert "azureml-ai-monitoring" in (model / "conda.yaml").read_text()
        assert model_folder.metadata(model)["serving"]["answers"] == "scorer"


@pytest.mark.parametrize(
    ("reference", "config", "sentence"),
    [
        ("Qwen/Qwen2.5-7B-Instruct", {}, "does not take model type qwen2 .* lora_algo: peft"),
        ("microsoft/phi-4", {"lora_algo": "peft"}, r"PEFT has no default for model type phi3.* \[qkv_proj, o_proj"),
        (
            "azureml://registries/azureml/models/Phi-4/versions/8",
            {"lora_algo": "custom"},
            "does not take model type phi3",
        ),
    ],
)
def test_a_model_that_the_components_lora_refuses_is_refused(
    make_job: Callable[..., Path], run_job: Callable[[Path], Any], tiny: Path, tmp_path: Path, reference: str,
    config: dict[str, str], sentence: str,
) -> None:  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    folder = make_job("one", finetune_config_path=str(tmp_path / "config.json"))
    description = json.loads((folder / "job.json").read_text())
    description["base_model"] = {"reference": reference, "path": str(tiny), "stand_in": True}
    (folder / "job.json").write_text(json.dumps(description))
    with pytest.raises(UserError, match=sentence):
        run_job(folder)
