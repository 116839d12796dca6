"""The checks that need no account: each with a case that it stops and one that it lets pass."""

from __future__ import annotations

import dataclasses
import datetime
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from scripts.azure import lock_file as pinned
from scripts.errors import UNREACHABLE, UserError
from scripts.preflight import check, context, report
from scripts.preflight.check import FAIL, PASS, SKIPPED, WARN, Finding
from scripts.values.read import load

ROOT = Path(__file__).parents[2]
TODAY = datetime.date(2026, 11, 23)
DATA = {
    "train": context.Split(2000, 2_000_000, 3000, tuple(range(0, 3001, 30)), "exact"),
    "validation": context.Split(200, 200_000, 3000, tuple(range(0, 3001, 30)), "exact"),
    "test": context.Split(200, 200_000, 3000, tuple(range(0, 3001, 30)), "exact"),
}


def made(env: str, *sets: str, data: dict[str, Any] | None = None, **more: Any) -> context.Context:
    """Returns the context of an environment with values overridden and with prepared data."""
    built = context.build(load(env, sets, check=False), today=TODAY)
    return dataclasses.replace(built, data=DATA if data is None else data, **more)


def finding(name: str, where: context.Context) -> Finding:
    """Runs one check."""
    check.run(where)  # registers them all
    return check.REGISTRY[name].work(where)


T4 = "Standard_NC4as_T4_v3"
A100 = "Standard_NC24ads_A100_v4"
CASES = [  # check, status, what the sentence or its way out has to name, environment, --set
    ("model-lifecycle", FAIL, "Phi-4", "dev", ["preflight.retired_model=fail"]),
    ("model-lifecycle", WARN, "2025-08-30", "dev", ["preflight.retired_model=warn"]),
    ("model-lifecycle", PASS, "Phi-4", "prod", []),
    ("lock", WARN, "make lock ENV=prod", "prod", []),
    ("chat-tokens", PASS, "", "demo", []),
    ("chat-tokens", FAIL, "response_template", "demo", ["model.finetune_config.chat_special_tokens.response_template=null"]),
    ("finetune-size", PASS, "", "dev", ["compute.size=standard_nc24ads_a100_V4"]),
    ("finetune-size", FAIL, A100, "dev", ["compute.size=Standard_ND40rs_v2"]),
    ("finetune-size", FAIL, A100, "dev", ["compute.size=Standard_NC6s_v3"]),
    ("finetune-size", FAIL, "did you mean 'Standard_NC24ads_A100_v4'", "dev", ["compute.size=Standard_NC24ad_A100_v4"]),
    ("finetune-size", FAIL, "K80", "demo", ["compute.size=Standard_NC24"]),
    ("finetune-size", PASS, "deny list", "demo", []),
    ("inference-size", FAIL, A100, "dev", [f"deployment.instance_type={T4}"]),
    ("inference-size", PASS, "", "dev", []),
    ("finetune-size-alive", FAIL, "retired on 2025-09-30", "dev", ["compute.size=Standard_NC6s_v3"]),
    ("finetune-size-alive", FAIL, "did you mean", "dev", ["compute.size=Standard_NC24ad_A100_v4"]),
    ("finetune-size-alive", PASS, "not retired", "dev", []),
    ("inference-size-alive", FAIL, "2025-09-30", "dev", ["deployment.instance_type=Standard_NC6s_v3"]),
    ("inference-size-alive", WARN, "managed online endpoints", "prod", ["deployment.instance_type=Standard_ND96isr_H200_v5"]),
    ("inference-size-alive", PASS, "", "dev", []),
    ("finetune-size-minimum", FAIL, "1 GPUs of 4", "prod",
     ["model.name=Phi-3-medium-4k-instruct", 'model.version="6"', f"compute.size={A100}"]),
    ("finetune-size-minimum", PASS, "24|1|220|64", "dev", []),
    ("inference-size-minimum", FAIL, "vCPUs of 6", "dev", [f"deployment.instance_type={T4}"]),
    ("inference-size-minimum", PASS, "", "dev", []),
    ("cluster-nodes", FAIL, "compute.max_instances to 2", "dev", ["finetune.num_nodes_finetune=2"]),
    ("cluster-nodes", PASS, "", "dev", ["finetune.num_nodes_finetune=2", "compute.max_instances=2"]),
    ("cluster-idle-cost", WARN, "min_instances to 0", "dev", ["compute.min_instances=1"]),
    ("cluster-idle-cost", PASS, "", "dev", []),
    ("gpus-per-node", FAIL, "has 1", "dev", ["finetune.number_of_gpu_to_use_finetuning=2"]),
    ("gpus-per-node", PASS, "all 4", "dev", ["compute.size=Standard_NC96ads_A100_v4"]),
    ("deepspeed", FAIL, "auto_find_batch_size", "dev", ["finetune.auto_find_batch_size=true"]),
    ("deepspeed", FAIL, "apply_ort", "prod", ["finetune.apply_ort=true"]),
    ("deepspeed", PASS, "", "dev", []),
    ("onnx-runtime", WARN, "no effect", "dev", ["finetune.apply_ort=true"]),
    ("onnx-runtime", PASS, "", "dev", []),
    ("checkpointing", WARN, "apply_deepspeed to true", "dev", ["finetune.apply_deepspeed=false"]),
    ("checkpointing", PASS, "", "dev", []),
    ("precision", FAIL, "Flash Attention is not supported", "dev", ['finetune.precision="32"']),
    ("precision", WARN, "bfloat16", "demo", []),
    ("precision", PASS, "", "prod", []),
    ("evaluation", FAIL, "evaluation_strategy to epoch", "dev",
     ["finetune.apply_early_stopping=true", "finetune.evaluation_strategy=disable"]),
    ("evaluation", PASS, "", "dev", []),
    ("learning-rate", FAIL, "not above 0", "dev", ["finetune.learning_rate=0"]),
    ("learning-rate", WARN, "5e-7 to 5e-5", "dev", ["finetune.learning_rate=1e-2"]),
    ("learning-rate", PASS, "", "dev", []),
    ("saved-models", WARN, "save_total_limit to 1", "dev", ["finetune.save_total_limit=-1"]),
    ("saved-models", WARN, "merge_lora_weights to true", "dev", ["finetune.merge_lora_weights=false"]),
    ("saved-models", PASS, "", "dev", []),
    ("data-files", PASS, "2000 train", "dev", []),
    ("training-rows", PASS, "2000", "dev", []),
    ("sequence-length", WARN, "cut off after 512", "dev", ["finetune.max_seq_length=512"]),
    ("sequence-length", WARN, "takes 4096", "dev", ["finetune.max_seq_length=8192"]),
    ("sequence-length", PASS, "longest has 3000", "dev", ["finetune.max_seq_length=4096"]),
    ("gpu-memory", FAIL, "gradient_accumulation_steps", "prod",
     [f"compute.size={A100}", "finetune.per_device_train_batch_size=16"]),
    ("gpu-memory", FAIL, "apply_deepspeed to true", "dev",
     ["finetune.apply_deepspeed=false", "finetune.per_device_train_batch_size=6"]),
    ("gpu-memory", PASS, "fits", "dev", []),
    ("host-memory", FAIL, "on the host", "prod", [f"compute.size={A100}", "finetune.apply_lora=false"]),
    ("host-memory", PASS, "", "prod", []),
    ("deepspeed-stage", WARN, 'deepspeed_stage to "2"', "prod", []),
    ("deepspeed-stage", PASS, "is needed", "prod", [f"compute.size={A100}", "finetune.per_device_train_batch_size=8"]),
    ("deepspeed-stage", SKIPPED, "", "dev", []),
    ("serving-memory", FAIL, "does not fit", "prod", [f"deployment.instance_type={T4}"]),
    ("serving-memory", PASS, "fits", "prod", []),
    ("time-and-cost", PASS, "USD", "dev", []),
    ("time-and-cost", WARN, "num_train_epochs", "dev", ["finetune.num_train_epochs=200"]),
    ("endpoint-cost", PASS, "88.15 USD a day", "dev", []),
    ("endpoint-cost", PASS, "48.00 USD a day", "dev", ["deployment.price_per_hour=2"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "status", "words", "env", "sets"), CASES)
def test_check(name: str, status: str, words: str, env: str, sets: list[str]) -> None:
    found = finding(name, made(env, *sets))
    assert found.status == status, found
    assert words in f"{found.sentence} {found.todo}"
    if status in (FAIL, WARN):
        assert found.todo  # every complaint names a way out


def test_every_offline_check_has_a_failing_or_warning_and_a_passing_case() -> None:
    check.run(made("dev"))
    covered: dict[str, set[str]] = {}
    for name, status, *_ in CASES:
        covered.setdefault(name, set()).add(status)
    always = {"data-files", "training-rows", "lock", "endpoint-cost"}  # their other cases are tests of their own, below
    for each in check.REGISTRY.values():
        if not each.live and each.name not in always:
            assert PASS in covered[each.name], each.name
            assert covered[each.name] & {FAIL, WARN}, each.name


def test_data_checks_name_what_is_missing() -> None:
    few = {**DATA, "train": dataclasses.replace(DATA["train"], rows=9)}
    assert finding("training-rows", made("dev", data=few)).status == FAIL
    without = {name: split for name, split in DATA.items() if name != "test"}
    found = finding("data-files", made("dev", data=without))
    assert found.status == FAIL
    assert "no rows for test" in found.sentence
    assert "20 %" in found.sentence
    for name in ("data-files", "training-rows", "time-and-cost"):
        assert finding(name, made("dev", data={})).status == SKIPPED


def test_memory_above_nine_tenths_of_the_card_is_a_warning() -> None:
    found = [
        finding("gpu-memory", made("dev", f"finetune.per_device_train_batch_size={batch}")) for batch in range(8, 40)
    ]
    statuses = [each.status for each in found]
    assert set(statuses) == {PASS, WARN, FAIL}
    assert statuses == sorted(statuses, key=(PASS, WARN, FAIL).index)  # a larger batch never fits better
    tight = next(each for each in found if each.status == WARN)
    assert tight.details[-1].split() == ["card", "79.10", "GiB"]
    assert tight.details[-2].startswith("total")


def test_lost_answers_are_counted() -> None:
    lossy = {**DATA, "train": dataclasses.replace(DATA["train"], answers_lost=7)}
    found = finding("sequence-length", made("dev", "finetune.max_seq_length=512", data=lossy))
    assert found.status == WARN
    assert "7 of 2000" in found.sentence


def test_unknown_price_is_not_guessed() -> None:
    found = finding("endpoint-cost", made("demo", "deployment.instance_type=Standard_NC8as_T4_v3"))
    assert found.status == SKIPPED
    assert "deployment.price_per_hour" in found.todo


def test_retirement_is_seen_coming() -> None:
    where = made("prod")
    size = {**where.facts.size("Standard_NC40ads_H100_v5"), "retirement_date": "2027-01-31"}
    facts = dataclasses.replace(where.facts, sizes={**where.facts.sizes, "standard_nc40ads_h100_v5": size})
    assert finding("finetune-size-alive", dataclasses.replace(where, facts=facts)).status == WARN
    later = dataclasses.replace(where, facts=facts, today=datetime.date(2027, 2, 1))
    assert finding("finetune-size-alive", later).status == FAIL
    soon = {**where.model, "deprecation": {"inferenceRetirementDate": "2026-12-31T00:00:00.000000Z"}}
    facts = dataclasses.replace(where.facts, model=soon)
    assert finding("model-lifecycle", dataclasses.replace(where, facts=facts)).status == WARN


def test_lock_is_judged_by_its_age_and_its_model() -> None:
    where = made("prod")
    lock = {"seen": "2026-11-01", "model": {"name": "Phi-4", "version": "8"}}
    locked = dataclasses.replace(where.facts, origin="environments/prod.lock.yaml")
    fresh = dataclasses.replace(where, lock=lock, facts=locked)
    assert finding("lock", fresh).status == PASS
    assert finding("lock", dataclasses.replace(fresh, today=datetime.date(2027, 6, 1))).status == WARN
    other = {"seen": "2026-11-01", "model": {"name": "Phi-3-mini-4k-instruct", "version": "15"}}
    found = finding("lock", dataclasses.replace(where, lock=other))
    assert found.status == FAIL
    assert "make lock ENV=prod" in found.todo


def run(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """Runs the command."""
    command = [sys.executable, "-m", "scripts.preflight", "--today", "2026-11-23", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, **more)


@pytest.mark.parametrize("size", ["Standard_NC6s_v3", "Standard_ND40rs_v2", "Standard_NC24", "Standard_NC24ad_A100_v4"])
def test_the_notebooks_sizes_stop_dev_and_name_the_way_out(size: str) -> None:
    ended = run("--env", "dev", "--offline", "--set", f"compute.size={size}")
    assert ended.returncode == 1
    lines = [line for line in ended.stdout.splitlines() if line.startswith("FAIL")]
    assert any("finetune-size" in line for line in lines)
    flat = " ".join(ended.stdout.split())
    assert "take one of Standard_NC24ads_A100_v4" in flat
    assert "make gpu ENV=dev" in flat


def test_prod_passes_and_offline_takes_less_than_a_second() -> None:
    took = []
    for _ in range(3):
        start = time.perf_counter()
        ended = run("--env", "prod", "--offline")
        took.append(time.perf_counter() - start)
        assert ended.returncode == 0, ended.stdout
    assert min(took) < 1.0


def test_offline_imports_no_azure() -> None:
    code = (
        "import sys; from scripts.preflight.__main__ import run; run(['--env', 'prod', '--offline']); "
        "print([name for name in sys.modules if name.partition('.')[0] in ('azure', 'torch', 'pandas', 'requests')])"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.strip().endswith("[]")


def test_warn_goes_on_and_the_record_says_so(tmp_path: Path) -> None:
    record = tmp_path / "runs" / "preflight.json"
    ended = run(
        "--env", "dev", "--offline", "--set", "compute.size=Standard_NC6s_v3", "--warn", "--record", str(record)
    )
    assert ended.returncode == 0
    assert "PREFLIGHT=warn" in ended.stderr
    written = json.loads(record.read_text())
    assert written["overridden"] is True
    assert written["exit_code"] == 1


def test_machines_read_json_and_junit(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "preflight.xml"
    ended = run(
        "--env", "dev", "--offline", "-o", "json", "--junit", str(file), "--set", "compute.size=Standard_NC6s_v3"
    )
    found = json.loads(ended.stdout)
    assert found["exit_code"] == ended.returncode == 1
    by_name = {each["check"]: each for each in found["checks"]}
    assert by_name["finetune-size"]["status"] == "fail"
    assert by_name["gpu-memory"]["details"]
    assert set(by_name["quota-serving"]) == {"check", "group", "status", "sentence", "todo", "details", "unasked"}
    suite = ElementTree.parse(file).getroot()
    assert int(suite.get("failures", "0")) == sum(each["status"] == "fail" for each in found["checks"])
    assert int(suite.get("tests", "0")) == len(found["checks"])
    failure = suite.find("testcase[@name='finetune-size']/failure")
    assert failure is not None
    assert "Standard_NC24ads_A100_v4" in (failure.text or "")


def test_brief_leaves_out_what_is_well_but_memory_and_money() -> None:
    text = run("--env", "prod", "--offline", "--brief").stdout
    shown = [
        line.split()[1] for line in text.splitlines() if line.split() and line.split()[0] in ("pass", "WARN", "FAIL")
    ]
    assert set(shown) - {"time-and-cost"} == {"lock", "deepspeed-stage", "gpu-memory", "endpoint-cost"}
    assert "GiB\n" not in text  # the lines of the memory table


def test_exit_codes() -> None:
    ok, bad = Finding(PASS, "", ""), Finding(FAIL, "", "")
    asked = check.Result("a", "g", ok)
    unasked = check.Result("b", "g", Finding(SKIPPED, "could not ask", ""), unasked=True)
    assert report.exit_code([asked]) == 0
    assert report.exit_code([asked, unasked]) == UNREACHABLE
    assert report.exit_code([asked, unasked, check.Result("c", "g", bad)]) == 1


def test_manifest_is_read_as_the_data_preparation_writes_it(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "dev"
    folder.mkdir(parents=True)
    tokens = {"how": "exact", "tokens": 1000, "curve": list(range(101)), "histogram": {"longest": 100},
              "cut": {"answers_lost": {"rows": 3}}}  # fmt: skip
    files = {"train": {"rows": 20, "bytes": 4000, "tokens": tokens}, "validation": {"rows": 2, "bytes": 400}}
    (folder / "manifest.json").write_text(json.dumps({"files": files}))
    found = context.read_data("dev", tmp_path)
    assert found["train"].longest == 100
    assert found["train"].answers_lost == 3
    assert found["train"].cut(100) == 1000
    assert 700 < found["train"].cut(50) < 800
    assert found["validation"].tokens == 100
    assert "test" not in found


@pytest.mark.parametrize("size", ["Standard_ND40rs_v2", "Standard_NC40ads_H100_v5"])
def test_a_size_that_exists_is_not_taken_for_a_misspelling(size: str) -> None:
    found = finding("finetune-size", made("dev", f"compute.size={size}"))
    assert found.status == FAIL
    assert "did you mean" not in found.sentence


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"files": {"train": {}}}', '{"files": {"train": {"rows": "x"}}}',
                                  '{"files": {"train": {"rows": 5, "tokens": {"curve": 3}}}}'])  # fmt: skip
def test_a_damaged_manifest_is_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "data" / "dev").mkdir(parents=True)
    (tmp_path / "data" / "dev" / "manifest.json").write_text(text)
    with pytest.raises(UserError, match=r"data/dev/manifest\.json: .*make data ENV=dev"):
        context.read_data("dev", tmp_path)


MODEL = {"name": "Phi-3-mini-4k-instruct", "version": "15"}
SIZE = {"name": A100, "gpus_per_node": 1, "vcpus": 24, "memory_gb": 220}


@pytest.mark.parametrize(
    ("lock", "named"),
    [
        ({"seen": 2}, "seen: expected a date, found 2"),
        ({"model": {**MODEL, "finetune_computes": A100}}, "model.finetune_computes: expected a list of sizes"),
        ({"model": {**MODEL, "finetune_min_sku_spec": "a|b"}}, "expected vCPUs|GPUs|memory|disk, found 'a|b'"),
        ({"model": {**MODEL, "deprecation": {"inferenceRetirementDate": "soon"}}}, "model.deprecation: expected"),
        ({"sizes": {A100: {}}}, f"sizes.{A100}.name: expected the size's name, found nothing"),
        ({"sizes": {A100: {**SIZE, "gpus_per_node": "x"}}}, "gpus_per_node: expected a number, found 'x'"),
        ({"sizes": {A100: {**SIZE, "retirement_date": "never"}}}, "retirement_date: expected a date"),
        ({"sizes": {A100: {**SIZE, "price": 3}}}, "price: expected a mapping, found 3"),
        (
            {"sizes": {A100: {**SIZE, "price": {"per_hour": "cheap"}}}},
            "price.per_hour: expected a number, found 'cheap'",
        ),
    ],
)
def test_a_lock_that_a_hand_has_damaged_is_a_sentence(lock: dict[str, Any], named: str) -> None:
    with pytest.raises(UserError) as error:
        pinned.verify(lock, "dev")
    assert named in str(error.value)
    assert "make lock ENV=dev" in str(error.value)
