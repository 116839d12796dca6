"""Anyone's YAML: each rule with a document that it names, at its line, and one beside it that it lets through."""

from __future__ import annotations

import copy
import dataclasses
import datetime
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.validate import anyones, foreign, rules
from scripts.validate.documents import Document

TODAY = datetime.date(2026, 11, 27)
SCHEMA = "$schema: https://azuremlschemas.azureedge.net/latest/{}.schema.json\n"
JOB = "command: python a.py {}\nenvironment: azureml:e:1\ninputs: {{rate: 1}}\noutputs: {{made: {{}}}}\n"
PIPELINE = "type: pipeline\ninputs: {{data: {{type: uri_file, path: x}}}}\noutputs: {{made: {{}}}}\njobs:\n{}"
STEP = "  one:\n    command: run ${{inputs.a}}\n    inputs: {a: '${{parent.inputs.data}}'}\n    outputs: {b: {}}\n"
TWO = STEP + "  two:\n    command: go\n    inputs:\n      c: ${{parent.jobs.one.outputs.b}}\n"
TRAIN = (
    "type: command\nname: train\nversion: 1\ncommand: t ${{inputs.data}}\ninputs:\n  data: {type: uri_file}\n"
    "  rate: {type: number, default: 1}\n  extra: {type: string, optional: true}\noutputs: {model: {type: uri_file}}\n"
)
FILE = "  one:\n    component: ./train.yml\n    inputs:\n      data: {type: uri_file, path: x}\n"
REGISTRY = "azureml://registries/azureml"
CHAT = f"  one:\n    type: pipeline\n    component: {REGISTRY}/components/chat_completion_pipeline/versions/0.0.82\n"
SWEEP = (
    "trial:\n  command: t ${{inputs.a}} ${{search_space.b}}\n  environment: azureml:e:1\ninputs: {a: 1}\n"
    "search_space: {b: {type: choice, values: [1]}}\n"
)
FROM_FILE = "  two:\n    command: x\n    inputs: {a: '${{parent.jobs.one.outputs.m}}'}\n"
OLD = f"{REGISTRY}/environments/acpt-pytorch-2.0-cuda11.7/versions/9"
DEPLOYMENT = "name: blue\nendpoint_name: here\nmodel: azureml:m:1\ninstance_type: Standard_DS3_v2\ninstance_count: 1\n"

# name of the $schema, document, what is found: `line rule words`, an empty text for nothing
CASES = [
    ("commandJob", JOB.format("${{inputs.rate}} ${{outputs.made}}"), ""),
    ("commandJob", JOB.format("$[[--x ${{ inputs.rate }}]] ${{name}}"), ""),
    ("commandJob", JOB.format("${{inputs.rat}}"), "2 expression no input 'rat' (did you mean 'rate'?)"),
    ("commandJob", JOB.format("${{outputs.mad}}"), "2 expression the job has no output 'mad'"),
    ("commandJob", JOB.format("${{search_space.x}}"), "2 expression no search space 'x'"),
    ("pipelineJob", PIPELINE.format(TWO), ""),
    ("pipelineJob", PIPELINE.format(STEP.replace("inputs.a", "inputs.z")), "7 expression the step 'one' has no input"),
    ("pipelineJob", PIPELINE.format(STEP.replace("inputs.data", "inputs.dat")),
     "8 expression ${{parent.inputs.dat}} is bound to nothing: the pipeline has no input 'dat' (did you mean 'data'?)"),
    ("pipelineJob", PIPELINE.format(TWO.replace("outputs.b}", "outputs.x}")), "13 expression the step 'one' does not"),
    ("pipelineJob", PIPELINE.format(TWO.replace("jobs.one", "jobs.none")), "13 expression bound to the step 'none'"),
    ("pipelineJob", PIPELINE.format(STEP.replace("{b: {}}", "{b: '${{parent.outputs.no}}'}")), "9 expression 'no'"),
    ("pipelineComponent", "name: p\n" + PIPELINE.format(STEP.replace("s.data", "s.d")).replace(", path: x", ""),
     "9 expression 'd'"),
    ("sweepJob", SWEEP, ""),
    ("sweepJob", SWEEP.replace("search_space.b", "search_space.c"), "3 expression no search space 'c'"),
    ("sweepJob", SWEEP.replace("inputs.a", "inputs.z"), "3 expression no input 'z'"),
    ("pipelineJob", PIPELINE.format(FILE), ""),
    ("pipelineJob", PIPELINE.format(FILE + "      rat: 2\n"),
     "10 component-input train.yml has no such input (did you mean 'rate'?)"),
    ("pipelineJob", PIPELINE.format(FILE.replace("data:", "rate:")), "8 component-input needs the input data"),
    ("pipelineJob", PIPELINE.format(FILE.replace("train", "trai")), "7 component-input there is no such file"),
    ("pipelineJob", PIPELINE.format(FILE + FROM_FILE),
     "12 expression bound to the output 'm'"),
    ("pipelineJob", PIPELINE.format(CHAT + "    inputs: {num_train_epoch: 1}\n"),
     "9 component-input chat_completion_pipeline has no such input (did you mean 'num_train_epochs'?)"),
    ("pipelineJob", PIPELINE.format(CHAT + "    inputs: {learning_rate: fast}\n"), "9 component-input expected number"),
    ("pipelineJob", PIPELINE.format(CHAT + "    inputs: {apply_lora: true}\n"), "9 component-input put it in quotes"),
    ("pipelineJob", PIPELINE.format(CHAT + "    inputs: {learning_rate: '${{parent.inputs.data}}'}\n"), ""),
    ("pipelineJob", PIPELINE.format(CHAT.replace("0.0.82", "0.0.99") + "    inputs: {new_input: 1}\n"), ""),
    ("pipelineJob", PIPELINE.format(STEP) + "settings: {default_datestore: x}\n", "10 setting silently ignore"),
    ("pipelineJob", PIPELINE.format(STEP.replace("one:", "One-1:")), "6 name a step name has"),
    ("commandJob", JOB.format("") + "experiment_name: my runs\n", "6 name an experiment name has"),
    ("commandJob", JOB.format("") + "experiment_name: <name>\n", ""),
    ("commandComponent", "name: a-b\ncommand: x\nenvironment: azureml:e:1\n", "2 name a component (az ml) name has"),
    ("managedOnlineDeployment", DEPLOYMENT, ""),
    ("managedOnlineDeployment", DEPLOYMENT.replace(" 1\n", " 51\n"), "6 number between 1 and 50"),
    ("kubernetesOnlineDeployment", DEPLOYMENT.replace(" 1\n", " 51\n"), ""),
    ("managedOnlineDeployment", DEPLOYMENT + "request_settings: {request_timeout_ms: 200000}\n", "7 number 180000"),
    ("managedOnlineDeployment", DEPLOYMENT + "liveness_probe: {period: 0}\n", "7 number at least 1"),
    ("managedOnlineDeployment", DEPLOYMENT.replace("blue", "a_b"), "2 name a deployment name has"),
    ("managedOnlineDeployment", DEPLOYMENT.replace("DS3_v2", "NC6s_v3"), "5 retired-size NCv3 series on 2025-09-30"),
    ("managedOnlineEndpoint", "name: here\nauth_mode: key\ntraffic: {blue: 60}\n", "4 traffic 0 or 100 per cent"),
    ("managedOnlineEndpoint", "name: here\nauth_mode: key\ntraffic: {blue: 100}\n", ""),
    ("amlCompute", "name: gpu-cluster\nsize: Standard_NV12s_v3\n", "3 retired-size NVv3 series on 2026-09-30"),
    ("amlCompute", "name: gpu-cluster\nsize: STANDARD_nc24\n", "3 retired-size NC series"),
    ("amlCompute", "name: gpu-cluster\nsize: Standard_NC40ads_H100_v5\n", ""),
    ("amlCompute", "name: gpu-cluster\nmin_instances: 3\nmax_instances: 2\n", "3 number more than max_instances, 2"),
    ("amlCompute", "name: gpu-cluster\ntags: {a: 1}\n", "3 text put it in quotes"),
    ("model", "name: m\npath: x\ntags: {a: 1}\n", ""),
    ("model", "name: m\npath: x\nversion: one\n", "4 number positive integer"),
    ("data", "name: d\npath: x\nname: e\n", "4 duplicate-key written again after line 2"),
    ("commandJob", JOB.format("") + f"inputs.x: {REGISTRY}/models/Phi-4/versions/8\n", "6 unknown-key unknown key"),
    ("finetuningJob", f"model:\n  path: {REGISTRY}/models/Phi-3-mini-4k-instruct/versions/15\n",
     "3 retired-model retired on 2025-08-30; Phi-4 is maintained"),
    ("commandJob", JOB.format("").replace("azureml:e:1", OLD),
     "3 dropped-environment gets no fixes"),
    ("commandJob", JOB.format("").replace("azureml:e:1", "azureml:e@latest"), "3 unpinned another thing tomorrow"),
    ("commandJob", JOB.format("").replace("azureml:e:1", "azureml:e"), "3 unpinned names no version"),
    ("commandJob", JOB.format("").replace("azureml:e:1", "azureml:e@latest  # validate: off unpinned"), ""),
    ("commandJob", JOB.format("").replace("azureml:e:1", "azureml:e@latest  # validate: off name"), "3 unpinned "),
    ("commandJob", JOB.format("").replace("azureml:e:1", "azureml:e:1  # validate: off unpined, name"),
     "3 switched-off found 'unpined', which is no rule (did you mean 'unpinned'?)"),
    ("commandJob", JOB.format("").replace("azureml:e:1", "azureml:e:1  # validate: off"), "3 switched-off found ''"),
    ("commandJob", JOB.format("") + "enviroment: x\n", "6 unknown-key did you mean 'environment'"),
    ("commandJob", JOB.format("") + "compute: c\nresources: {instance_typ: x}\n", "7 unknown-key 'instance_type'"),
    ("pipelineJob", PIPELINE.format(STEP + "    comand: x\n"), "10 unknown-key which Azure ML ignores"),
    ("schedule", "name: s\ntrigger: {type: cron, expression: x}\ncreate_monitor: {}\n", ""),
    ("commandJob", "command: [\n", "3 yaml not valid YAML"),
    ("managedOnlineDeployment", "name: {{NAME}}\nmodel: azureml:m@latest\n", ""),  # a template, to be filled in
]  # fmt: skip


@pytest.mark.parametrize(("schema", "text", "said"), CASES)
def test_a_document(tmp_path: Path, schema: str, text: str, said: str) -> None:
    (tmp_path / "train.yml").write_text(SCHEMA.format("commandComponent") + TRAIN)
    (tmp_path / "it.yml").write_text(SCHEMA.format(schema) + text)
    found = anyones.look([str(tmp_path / "it.yml")], TODAY).findings
    shown = [f"{each.where.rpartition(':')[2]} {each.rule} {each}" for each in found]
    if not said:
        assert shown == []
        return
    line, rule, words = said.split(" ", 2)
    assert len(shown) == 1, shown
    assert shown[0].startswith(f"{line} {rule} ")
    assert words in shown[0]


def test_every_rule_has_a_case() -> None:
    covered = {said.split()[1] for _, _, said in CASES if said}
    assert {rule.name for rule in rules.RULES} - covered == {"retiring-size", "archived-model"}  # which a day decides


WILD: list[Any] = [None, -1, 2.5, True, "", "${{inputs.q}}", "azureml:", "azureml://registries/", [], [[{}]], ["a", {}],
                   {"type": ["x"]}, {"type": {}}, 10**30, float("nan"), TODAY]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yields the path of everything in a document."""
    for key, each in value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ()):
        yield (*path, key)
        yield from places(each, (*path, key))


def test_no_document_is_too_wild_for_the_rules(tmp_path: Path) -> None:
    draw = random.Random(7)
    documents = []
    for number, (schema, text, _) in enumerate(CASES):
        (tmp_path / f"{number}.yml").write_text(SCHEMA.format(schema) + text)
        documents.append(foreign.read(tmp_path / f"{number}.yml", TODAY))
    for _ in range(1500):
        document = draw.choice(documents)
        if not isinstance(document, Document):
            continue
        data = copy.deepcopy(document.data)
        *above, last = draw.choice(list(places(data)))
        at = data
        for key in above:
            at = at[key]
        at[last] = copy.deepcopy(draw.choice(WILD))
        assert all(found.rule for found in rules.check(dataclasses.replace(document, data=data)))


@pytest.mark.parametrize(
    ("text", "today", "rule", "level"),
    [
        ("amlCompute|name: gpu-cluster\nsize: Standard_NV12s_v3\n", "2026-06-01", "retiring-size", "warning"),
        ("amlCompute|name: gpu-cluster\nsize: Standard_NV12s_v3\n", "2026-01-01", "", ""),
        (f"commandJob|inputs:\n  m: {{path: {REGISTRY}/models/Phi-3.5-mini-instruct/versions/6}}\n", "2025-01-01",
         "archived-model", "warning"),
        (f"managedOnlineDeployment|model: {REGISTRY}/models/Phi-3.5-mini-instruct/versions/6\n", "2026-01-01",
         "retired-model", "error"),
    ],
)  # fmt: skip
def test_the_day_decides(tmp_path: Path, text: str, today: str, rule: str, level: str) -> None:
    schema, _, text = text.partition("|")
    (tmp_path / "it.yml").write_text(SCHEMA.format(schema) + text)
    found = anyones.look([str(tmp_path)], datetime.date.fromisoformat(today)).findings
    assert [(each.rule, each.level) for each in found] == [(rule, level)] * bool(rule)
