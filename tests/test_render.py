"""Rendering: the reference notebook's run, safe YAML, provenance, and the same bytes each time."""

import dataclasses
import json
import re

import pytest
import yaml

from scripts.azure import component
from scripts.errors import FAILED, UserError
from scripts.render import difference, raw_input, render, run, stale, write
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
    run = job("reference")
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
    files = rendered("reference")
    model = yaml.safe_load(files["pipelines/reference/model.yml"])
    endpoint = yaml.safe_load(files["endpoints/reference/endpoint.yml"])
    deployment = yaml.safe_load(files["endpoints/reference/deployment.yml"])
    assert (model["name"], model["type"]) == ("Phi-3-mini-4k-instruct-ultrachat-200k", "mlflow_model")
    assert model["description"] == "Phi-3-mini-4k-instruct fine tuned model for ultrachat 200k chat-completion"
    assert re.fullmatch(r"ultrachat-completion-[0-9a-f]{8}", endpoint["name"])
    assert endpoint["auth_mode"] == "key"
    assert deployment["name"] == "demo"
    assert "version" not in model  # the service counts
    assert deployment["request_settings"]["request_timeout_ms"] == 90000


def test_gpus_and_display_name_follow_the_size():
    run = job(
        "reference",
        "compute.size=Standard_ND96amsr_A100_v4", "compute.max_instances=2", "finetune.num_nodes_finetune=2",
        "finetune.gradient_accumulation_steps=4", "finetune.per_device_train_batch_size=3",
    )  # fmt: skip
    assert run["jobs"]["chat_completion"]["inputs"]["number_of_gpu_to_use_finetuning"] == 8
    assert f"-bs{3 * 4 * 8 * 2}-" in run["display_name"]


def test_prod_changes_the_model_in_a_few_lines():
    run = job("prod")
    assert run["inputs"]["mlflow_model_path"]["path"].endswith("/models/Phi-4/versions/8")
    assert "-ds2-lora-" in run["display_name"]


def test_demo_takes_its_model_from_the_hub():
    run = job("demo")
    step = run["jobs"]["chat_completion"]["inputs"]
    assert step["huggingface_id"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert "mlflow_model_path" not in step
    assert step["finetune_config_path"] == "${{parent.inputs.finetune_config_path}}"
    assert "pipelines/demo/finetune_config.json" in rendered("demo")


def test_each_parameter_says_who_decided():
    text = rendered("reference", "finetune.seed=7")["pipelines/reference/finetune.yml"]
    assert re.search(r"learning_rate: 5.0e-06  # values$", text, re.M)
    assert re.search(r'precision: "16"  # model$', text, re.M)
    assert re.search(r"lora_r: 8  # component$", text, re.M)
    assert re.search(r"number_of_gpu_to_use_finetuning: 1  # size$", text, re.M)
    assert re.search(r"seed: 7  # --set$", text, re.M)
    assert re.search(r'precision: "16"  # project$', rendered("demo")["pipelines/demo/finetune.yml"], re.M)
    assert re.search(r'deepspeed_stage: "2"  # environment$', rendered("prod")["pipelines/prod/finetune.yml"], re.M)


def test_a_disagreement_with_the_model_is_said():
    values = load("reference")
    (sentence,) = parameters_module.disagreements(values, facts_module.load(values))
    assert "finetune.num_train_epochs: 3 replaces 1, the default that Phi-3-mini-4k-instruct brings" in sentence


def test_names_are_stable_and_within_azures_limits():
    for environment in environments():
        values = load(environment)
        facts = facts_module.load(values)
        names = names_module.build(values, facts, parameters_module.resolve(values, facts))
        assert re.fullmatch(r"[A-Za-z](-?[A-Za-z0-9])*", names.endpoint)
        assert 3 <= len(names.endpoint) <= 32
    digits = [
        names_module.endpoint_name(load(environment, sets))[-names_module.SUFFIX_LENGTH :]
        for environment, sets in (
            ("reference", []),
            ("reference", []),
            ("reference", ["azure.workspace=other"]),
            ("prod", []),
        )
    ]
    assert digits[0] == digits[1]
    assert len(set(digits)) == 3


def test_stale_files_are_shown_and_put_right(tmp_path):
    files = rendered("reference")
    write(files, "reference", tmp_path)
    assert stale(files, "reference", tmp_path) == []
    (tmp_path / "pipelines/reference/compute.yml").write_text("name: other\n")
    (tmp_path / "pipelines/reference/old.yml").write_text(
        files["pipelines/reference/data.yml"]
    )  # of a template that is gone
    (tmp_path / "pipelines/reference/notes.md").write_bytes(b"mine: \xff\n")
    paths = stale(files, "reference", tmp_path)
    assert paths == ["pipelines/reference/compute.yml", "pipelines/reference/old.yml"]
    shown = difference(files, paths, tmp_path)
    assert "-name: other" in shown
    assert "+name: gpu-cluster" in shown
    assert write(files, "reference", tmp_path) == paths
    assert stale(files, "reference", tmp_path) == []
    assert (tmp_path / "pipelines/reference/notes.md").read_bytes() == b"mine: \xff\n"


@pytest.mark.parametrize(
    "damage", [lambda text: b"\xff\xfe", lambda text: text.replace(b"\n", b"\r\n"), lambda text: b""]
)
def test_any_other_byte_is_stale(tmp_path, damage):
    files = rendered("reference")
    write(files, "reference", tmp_path)
    path = tmp_path / "pipelines/reference/compute.yml"
    path.write_bytes(damage(path.read_bytes()))
    assert stale(files, "reference", tmp_path) == ["pipelines/reference/compute.yml"]
    assert "compute.yml" in difference(files, ["pipelines/reference/compute.yml"], tmp_path)


def test_writing_replaces_a_link_and_not_what_it_points_to(tmp_path):
    files = rendered("reference")
    write(files, "reference", tmp_path)
    path, other = tmp_path / "pipelines/reference/compute.yml", tmp_path / "other"
    other.write_text("precious")
    path.unlink()
    path.symlink_to(other)
    assert write(files, "reference", tmp_path) == ["pipelines/reference/compute.yml"]
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
        ("a: \xff\n", "compute.yml.j2:1: 'utf-8' codec can't decode"),
        (None, "templates/: no *.yml.j2"),
    ],
)
def test_a_fault_in_a_template_is_a_sentence(tmp_path, text, said):
    template = tmp_path / "templates" / "pipelines" / "compute.yml.j2"
    template.parent.mkdir(parents=True)
    if text is not None:
        template.write_text(text, encoding="latin-1")
    with pytest.raises(UserError) as caught:
        render(load("reference"), tmp_path)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("lock", "said"),
    [
        ("model: 3\n", "environments/reference.lock.yaml:1: model: expected a mapping, found 3"),
        (
            "sizes:\n  Standard_X: 1\n",
            "environments/reference.lock.yaml:2: sizes.Standard_X: expected a mapping, found 1",
        ),
        (
            "component: {inputs: 3}\n",
            "environments/reference.lock.yaml:1: component.inputs: expected a mapping, found 3",
        ),
        ("[\n", "environments/reference.lock.yaml:2: not valid YAML"),
    ],
)
def test_a_broken_lock_is_named(tmp_path, lock, said):
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / "reference.lock.yaml").write_text(lock)
    with pytest.raises(UserError) as caught:
        facts_module.load(load("reference"), tmp_path)
    assert said in str(caught.value)


def test_a_default_of_the_model_that_is_none_is_quoted():
    values = load("reference")
    facts = facts_module.load(values)
    facts = dataclasses.replace(
        facts, model=dataclasses.replace(facts.model, model_specific_defaults={"logging_steps": "ten"})
    )
    with pytest.raises(
        UserError, match="logging_steps that Phi-3-mini-4k-instruct brings: found 'ten', expected integer"
    ):
        parameters_module.resolve(values, facts)


def test_names_that_azure_would_refuse_are_refused_here():
    values = load("reference", ["dataset.name=" + "d" * 60])
    facts = facts_module.load(values)
    parameters = parameters_module.resolve(values, facts)
    values.data["model"]["name"] = "m" * 194
    assert len(names_module.build(values, facts, parameters).model) == 255
    values.data["model"]["name"] = "m" * 195
    with pytest.raises(
        UserError, match=r"model name 'm{20}…' of 256 characters, allowed are 255; shorten .* or dataset"
    ):
        names_module.build(values, facts, parameters)


def test_a_folder_that_is_not_rendered_any_more_is_gone(tmp_path):
    write(rendered("reference", "dataset.where=azureml"), "reference", tmp_path)
    assert (tmp_path / "pipelines/reference/prepare/component.yml").exists()
    write(rendered("reference"), "reference", tmp_path)
    assert not (tmp_path / "pipelines/reference/prepare").exists()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("max_seq_length", None),  # the values set it
        ("save_total_limit", None),  # nobody sets it
        ("save_total_limit", {"type": "integer"}),
        ("seed", None),
    ],
)
def test_a_lock_whose_component_lacks_what_is_counted_on_is_named(tmp_path, name, change):
    row = json.loads(json.dumps(component.catalog().as_row()))
    row["inputs"] = {key: each for key, each in row["inputs"].items() if key != name}
    row["inputs"] |= {name: change} if change else {}
    values = load("reference", ["finetune.max_seq_length=100"])
    lock = tmp_path / "environments" / "reference.lock.yaml"
    lock.parent.mkdir()
    lock.write_text(yaml.safe_dump({"component": row}, sort_keys=False))
    line = lock.read_text().splitlines().index("  inputs:") + 1
    said = f"environments/reference.lock.yaml:{line}: component.inputs: {name}: missing, or without a default"
    with pytest.raises(UserError, match=f"^{re.escape(said)}.*; make lock ENV=reference asks the registry anew$"):
        parameters_module.resolve(values, facts_module.load(values, tmp_path))


def test_latest_without_a_lock_is_refused():
    with pytest.raises(UserError, match="run make lock ENV=reference"):
        rendered("reference", "model.version=latest")


def test_an_unknown_model_is_suggested():
    with pytest.raises(UserError, match="did you mean 'Phi-3-mini-4k-instruct'"):
        rendered("reference", "model.name=Phi-3-mini-4k-instrukt")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("HuggingFaceH4/ultrachat_200k", None),
        ("data/mine.jsonl", {"type": "uri_file", "path": "../../data/mine.jsonl"}),
        ("data/mine.csv.gz", {"type": "uri_file", "path": "../../data/mine.csv.gz"}),
        ("a/folder/of/files", {"type": "uri_folder", "path": "../../a/folder/of/files"}),
        ("/there/mine.parquet", {"type": "uri_file", "path": "/there/mine.parquet"}),
        ("azureml:chats:3", {"type": "uri_folder", "path": "azureml:chats:3"}),
    ],
)
def test_what_the_preparing_step_reads_is_an_input_unless_it_is_a_hub_id(source, expected):
    assert raw_input(source) == expected


def test_the_preparing_step_gets_the_core_packages_without_azures():
    conda = yaml.safe_load(rendered("reference", "dataset.where=azureml")["pipelines/reference/prepare/conda.yml"])
    (packages,) = (entry["pip"] for entry in conda["dependencies"] if isinstance(entry, dict))
    assert {"datasets", "tokenizers", "orjson"} <= {package.split("==")[0] for package in packages}
    assert not [package for package in packages if package.startswith("azure-")]


def test_a_version_that_the_catalog_does_not_have_is_rendered_as_written():
    assert job("reference", 'model.version="14"')["inputs"]["mlflow_model_path"]["path"].endswith("/versions/14")


def test_the_difference_is_a_unified_diff_of_lines(tmp_path):
    (tmp_path / "a.yml").write_text("same\nold\n")
    assert difference({"a.yml": "same\nnew\n"}, ["a.yml"], tmp_path) == (
        "--- committed/a.yml\n+++ rendered/a.yml\n@@ -1,2 +1,2 @@\n same\n-old\n+new\n"
    )


def test_the_command_says_what_it_did_and_whose_facts_it_took(capsys):
    assert run(["--env", "reference"]) == 0
    shown = capsys.readouterr()
    assert shown.out == (
        "reference: no lock; make lock ENV=reference pins today's facts\n"
        f"reference: {len(rendered('reference'))} files are up to date\n"
    )
    assert shown.err == ""
    assert run(["--check", "--all"]) == 0
    assert capsys.readouterr() == ("", "")


def test_the_command_counts_as_failed_when_a_file_is_stale(capsys):
    assert run(["--check", "--set", "azure.region=westus", "compute.name=other"]) == FAILED
    shown = capsys.readouterr()
    assert "+name: other\n" in shown.out
    assert shown.err == (
        "error: pipelines/dev/compute.yml, pipelines/dev/finetune.yml: stale; run make render ENV=dev and commit\n"
    )
