"""Rendering: the reference notebook's run, safe YAML, provenance, and the same bytes each time."""

import dataclasses
import re
import string

import pytest
import yaml

from scripts.errors import UserError
from scripts.render import bare, difference, render, stale, to_yaml, write
from scripts.values import facts as facts_module
from scripts.values import names as names_module
from scripts.values import parameters as parameters_module
from scripts.values.read import environments, load


def rendered(environment: str, *sets: str) -> dict[str, str]:
    return render(load(environment, sets))


def job(environment: str, *sets: str) -> dict:
    return yaml.safe_load(rendered(environment, *sets)[f"pipelines/{environment}/finetune.yml"])


@pytest.mark.parametrize("environment", environments())
def test_what_is_committed_is_what_rendering_gives(environment):
    assert stale(rendered(environment), environment) == []


def test_dev_is_the_run_of_the_reference_notebook():
    run = job("dev")
    step = run["jobs"]["chat_completion"]
    assert run["experiment_name"] == "chat_completion_Phi-3-mini-4k-instruct"
    assert run["display_name"] == "Phi-3-mini-4k-instruct-ultrachat-bs1-cosine-ds2-lora-save_limit1-seqlen-1"
    assert run["settings"] == {"force_rerun": True, "continue_on_step_failure": False}
    assert (
        run["inputs"]["mlflow_model_path"]["path"]
        == "azureml://registries/azureml/models/Phi-3-mini-4k-instruct/versions/15"
    )
    assert step["component"] == "azureml://registries/azureml/components/chat_completion_pipeline/versions/0.0.82"
    assert step["outputs"] == {"mlflow_model_folder": "${{parent.outputs.trained_model}}"}
    expected = {
        "num_train_epochs": 3, "per_device_train_batch_size": 1, "per_device_eval_batch_size": 1, "learning_rate": 5e-6,
        "lr_scheduler_type": "cosine", "apply_lora": "true", "apply_deepspeed": "true", "deepspeed_stage": "2",
        "number_of_gpu_to_use_finetuning": 1, "precision": "16",
    }  # fmt: skip
    assert {name: step["inputs"][name] for name in expected} == expected
    for name in ("model_import", "preprocess", "finetune", "model_evaluation"):
        assert step["inputs"][f"compute_{name}"] == "gpu-cluster"
    files = rendered("dev")
    model = yaml.safe_load(files["pipelines/dev/model.yml"])
    endpoint = yaml.safe_load(files["endpoints/dev/endpoint.yml"])
    deployment = yaml.safe_load(files["endpoints/dev/deployment.yml"])
    assert (model["name"], model["type"]) == ("Phi-3-mini-4k-instruct-ultrachat-200k", "mlflow_model")
    assert model["description"] == "Phi-3-mini-4k-instruct fine tuned model for ultrachat 200k chat-completion"
    assert re.fullmatch(r"ultrachat-completion-[0-9a-f]{8}", endpoint["name"])
    assert endpoint["auth_mode"] == "key"
    assert deployment["name"] == "demo"
    assert deployment["liveness_probe"] == {"initial_delay": 600}
    assert deployment["request_settings"]["request_timeout_ms"] == 90000


def test_gpus_and_display_name_follow_the_size():
    run = job("dev", "compute.size=Standard_ND96amsr_A100_v4", "finetune.gradient_accumulation_steps=4")
    assert run["jobs"]["chat_completion"]["inputs"]["number_of_gpu_to_use_finetuning"] == 8
    assert "-bs32-" in run["display_name"]


def test_prod_changes_the_model_in_a_few_lines():
    run = job("prod")
    assert run["inputs"]["mlflow_model_path"]["path"].endswith("/models/Phi-4/versions/8")
    assert "-ds3-lora-" in run["display_name"]


def test_demo_takes_its_model_from_the_hub():
    run = job("demo")
    step = run["jobs"]["chat_completion"]["inputs"]
    assert step["huggingface_id"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert "mlflow_model_path" not in step
    assert step["finetune_config_path"] == "${{parent.inputs.finetune_config_path}}"
    assert "pipelines/demo/finetune_config.json" in rendered("demo")


def test_each_parameter_says_who_decided():
    text = rendered("dev", "finetune.seed=7")["pipelines/dev/finetune.yml"]
    assert re.search(r"learning_rate: 5.0e-06  # values$", text, re.M)
    assert re.search(r'precision: "16"  # model$', text, re.M)
    assert re.search(r"lora_r: 8  # component$", text, re.M)
    assert re.search(r"number_of_gpu_to_use_finetuning: 1  # size$", text, re.M)
    assert re.search(r"seed: 7  # --set$", text, re.M)
    assert re.search(r'precision: "16"  # project$', rendered("demo")["pipelines/demo/finetune.yml"], re.M)
    assert re.search(r'deepspeed_stage: "3"  # environment$', rendered("prod")["pipelines/prod/finetune.yml"], re.M)


def test_a_disagreement_with_the_model_is_said():
    values = load("dev")
    (sentence,) = parameters_module.disagreements(values, facts_module.load(values))
    assert "finetune.num_train_epochs: 3 replaces 1, the default that Phi-3-mini-4k-instruct brings" in sentence


def test_names_are_stable_and_within_azures_limits():
    for environment in environments():
        values = load(environment)
        facts = facts_module.load(values)
        names = names_module.build(values, facts, parameters_module.resolve(values, facts))
        assert re.fullmatch(r"[A-Za-z](-?[A-Za-z0-9])*", names.endpoint)
        assert 3 <= len(names.endpoint) <= 32
    assert names_module.suffix(load("dev")) == names_module.suffix(load("dev"))
    assert names_module.suffix(load("dev")) != names_module.suffix(load("dev", ["azure.workspace=other"]))
    assert names_module.suffix(load("dev")) != names_module.suffix(load("prod"))


NASTY = [
    "", " ", "a: b", "a #b", "# x", "- x", "? x", "yes", "No", "on", "null", "~", "1", "1.0", "1e3", "5e-6", "012", "1:30", "0x1f",
    "true", "y", "=", "<<", "*a", "&a", "!x", "%x", "@x", "`x`", "{a}", "[a]", "a\nb: c", "a\r\nb", "tab\there", "'", '"', "\\",
    "a\u2028b", "a\u0085b", "\x7f", "\ufeffx", "ü", "日本", "😀", "2026-11-23", "azureml:a:1", "${{parent.inputs.x}}", "a" * 3000,
    *string.punctuation,
]  # fmt: skip


@pytest.mark.parametrize("text", NASTY)
def test_no_text_can_change_the_structure(text):
    line = f"before: 1\nkey: {to_yaml(text)}  # {bare(text)}\nafter: 2\n"
    assert yaml.safe_load(line) == {"before": 1, "key": text, "after": 2}


@pytest.mark.parametrize("value", [0, -1, 3, True, False, 0.0, 5e-6, 1e-8, 2e-5, 0.999, 1e22, 123456.789])
def test_numbers_read_back_the_same(value):
    found = yaml.safe_load(f"key: {to_yaml(value)}")["key"]
    assert (found, type(found)) == (value, type(value))


def test_only_single_values_may_be_inserted():
    with pytest.raises(UserError, match="not a single value"):
        to_yaml({"a": 1})


def test_stale_files_are_shown_and_put_right(tmp_path):
    files = rendered("dev")
    write(files, "dev", tmp_path)
    assert stale(files, "dev", tmp_path) == []
    (tmp_path / "pipelines/dev/compute.yml").write_text("name: other\n")
    (tmp_path / "pipelines/dev/old.yml").write_text(files["pipelines/dev/data.yml"])  # of a template that is gone
    (tmp_path / "pipelines/dev/notes.md").write_bytes(b"mine: \xff\n")
    paths = stale(files, "dev", tmp_path)
    assert paths == ["pipelines/dev/compute.yml", "pipelines/dev/old.yml"]
    shown = difference(files, paths, tmp_path)
    assert "-name: other" in shown
    assert "+name: gpu-cluster" in shown
    assert write(files, "dev", tmp_path) == paths
    assert stale(files, "dev", tmp_path) == []
    assert (tmp_path / "pipelines/dev/notes.md").read_bytes() == b"mine: \xff\n"


@pytest.mark.parametrize(
    "damage", [lambda text: b"\xff\xfe", lambda text: text.replace(b"\n", b"\r\n"), lambda text: b""]
)
def test_any_other_byte_is_stale(tmp_path, damage):
    files = rendered("dev")
    write(files, "dev", tmp_path)
    path = tmp_path / "pipelines/dev/compute.yml"
    path.write_bytes(damage(path.read_bytes()))
    assert stale(files, "dev", tmp_path) == ["pipelines/dev/compute.yml"]
    assert "compute.yml" in difference(files, ["pipelines/dev/compute.yml"], tmp_path)


def test_writing_replaces_a_link_and_not_what_it_points_to(tmp_path):
    files = rendered("dev")
    write(files, "dev", tmp_path)
    path, other = tmp_path / "pipelines/dev/compute.yml", tmp_path / "other"
    other.write_text("precious")
    path.unlink()
    path.symlink_to(other)
    assert write(files, "dev", tmp_path) == ["pipelines/dev/compute.yml"]
    assert other.read_text() == "precious"
    assert sorted(each.name for each in path.parent.iterdir()) == [
        "compute.yml",
        "data.yml",
        "finetune.yml",
        "model.yml",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: [[ nope ]]\n", "compute.yml.j2:2: 'nope' is undefined"),
        ("a: 1\nb: [[ values.compute.nope ]]\n", "compute.yml.j2:2: 'dict object' has no attribute 'nope'"),
        ("a: 1\nb: [[ values.compute ]]\n", "compute.yml.j2:2: {'name': 'gpu-cluster'"),
        ("a: 1\nb: [[ names.cluster + 1 ]]\n", "compute.yml.j2:2: can only concatenate str"),
        ("a: 1\nb: [[ 1 / 0 ]]\n", "compute.yml.j2:2: division by zero"),
        ("a: 1\nb: [[ x\n", "compute.yml.j2:2: unexpected end of template"),
        (None, "templates/: no *.yml.j2"),
    ],
)
def test_a_fault_in_a_template_is_a_sentence(tmp_path, text, said):
    template = tmp_path / "templates" / "pipelines" / "compute.yml.j2"
    template.parent.mkdir(parents=True)
    if text is not None:
        template.write_text(text)
    with pytest.raises(UserError) as caught:
        render(load("dev"), tmp_path)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("lock", "said"),
    [
        ("model: 3\n", "environments/dev.lock.yaml:1: model: expected a mapping, found 3"),
        ("sizes:\n  Standard_X: 1\n", "environments/dev.lock.yaml:2: sizes.Standard_X: expected a mapping, found 1"),
        ("component: {inputs: 3}\n", "environments/dev.lock.yaml:1: component.inputs: expected a mapping, found 3"),
        ("[\n", "environments/dev.lock.yaml:2: not valid YAML"),
    ],
)
def test_a_broken_lock_is_named(tmp_path, lock, said):
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / "dev.lock.yaml").write_text(lock)
    with pytest.raises(UserError) as caught:
        facts_module.load(load("dev"), tmp_path)
    assert said in str(caught.value)


def test_a_default_of_the_model_that_is_none_is_quoted():
    values = load("dev")
    facts = facts_module.load(values)
    facts = dataclasses.replace(
        facts, model=dataclasses.replace(facts.model, model_specific_defaults={"logging_steps": "ten"})
    )
    with pytest.raises(
        UserError, match="logging_steps that Phi-3-mini-4k-instruct brings: found 'ten', expected integer"
    ):
        parameters_module.resolve(values, facts)


def test_names_that_azure_would_refuse_are_refused_here():
    values = load("dev", ["dataset.name=" + "d" * 60])
    facts = facts_module.load(values)
    values.data["model"]["name"] = "m" * 220
    with pytest.raises(
        UserError, match=r"model name 'mmm.*' of 281 characters, allowed are 255; shorten model.name or dataset"
    ):
        names_module.build(values, facts, parameters_module.resolve(values, facts))


def test_a_folder_that_is_not_rendered_any_more_is_gone(tmp_path):
    write(rendered("dev", "dataset.where=azureml"), "dev", tmp_path)
    assert (tmp_path / "pipelines/dev/prepare/component.yml").exists()
    write(rendered("dev"), "dev", tmp_path)
    assert not (tmp_path / "pipelines/dev/prepare").exists()


def test_latest_without_a_lock_is_refused():
    with pytest.raises(UserError, match="run make lock ENV=dev"):
        rendered("dev", "model.version=latest")


def test_an_unknown_model_is_suggested():
    with pytest.raises(UserError, match="did you mean 'Phi-3-mini-4k-instruct'"):
        rendered("dev", "model.name=Phi-3-mini-4k-instrukt")
