"""The other type of job, and rules of autoscaling: a plan after an apply is empty, and the training is the same."""

import json
import re

from scripts import state
from tests.preflight.conftest import SCALES

REGISTRY = ("model.huggingface_id=null", "model.finetune_config=null", 'model.version="15"',
            "model.name=Phi-3-mini-4k-instruct", "dataset.splits.heldout=null", "finetune.lora_r=5")  # fmt: skip


def trained_with(home, made):
    """Returns what the engine was given: the parameters, and the model that it started from."""
    (path,) = home.glob(f"jobs/*/{state.kept(made.run.folder, 'job')}/*/job.json")
    given = json.loads(path.read_text())
    parameters = {
        name: value for name, value in given["inputs"].items() if not re.match("compute_|.*_file_path$", name)
    }
    return parameters, given["base_model"]


def test_a_job_of_type_finetuning_is_the_same_training_and_its_plan_is_empty(project, emulated):
    told = []
    for kind in ("pipeline", "finetuning"):
        made = project("demo", (*REGISTRY, f"job.kind={kind}"))
        assert made.apply() == 0 and made.todo() == []
        told.append(trained_with(emulated.home, made))
        (version,) = made.client.models.list(name="Phi-3-mini-4k-instruct-azureml-chat")
        assert version.version == "1" and version.tags["job"] == state.kept(made.run.folder, "job")
        assert version.description
    assert told[0] == told[1]
    assert told[0][0]["lora_r"] == "5" and len(told[0][0]) > 40
    titles = [each.title for each in made.world().resources if each.kind == "data asset"]
    assert titles == ["data asset azureml-chat-train:abc", "data asset azureml-chat-validation:abc"]


def test_what_autoscaling_did_is_no_difference(project):
    made = project("demo", (SCALES,))
    assert made.apply() == 0 and made.todo() == []
    for count, todo in ((3, []), (4, [("change", "deployment demo", ["instance_count"])])):
        (served,) = list(made.client.online_deployments.list(made.run.name("endpoints", "endpoint.yml")))
        served.instance_count = count
        made.client.online_deployments.begin_create_or_update(served).result()
        assert made.todo() == todo
