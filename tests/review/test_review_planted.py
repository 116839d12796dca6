"""Planted changes: each is named in the review of the environments that it touches, with its difference in cost."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.review import seen, shown
from tests.review.conftest import Tree, original, reviewed, text

DEV, PROD, REFERENCE, DEMO, VALUES = (
    "environments/dev.yaml",
    "environments/prod.yaml",
    "environments/reference.yaml",
    "environments/demo.yaml",
    "values.yaml",
)
H100, A100, T4 = 6.98 * 24, 3.673 * 24, 0.526 * 24  # what a machine costs a day in eastus: the catalog, by hand
NOTHING, MORE, LESS = 0, 1, -1  # of what the job costs
ALL = ("demo", "dev", "prod", "reference")


@dataclasses.dataclass(frozen=True)
class Case:
    """A change, the words of the review, and by environment the endpoint's difference a day and the job's sign."""

    name: str
    plant: Callable[[Tree], object]
    words: tuple[str, ...]
    costs: dict[str, tuple[float, int]]


def each(*environments: str, day: float = 0.0, job: int = NOTHING) -> dict[str, tuple[float, int]]:
    return dict.fromkeys(environments, (day, job))


def edited(file: str, /, **keys: object) -> Callable[[Tree], None]:
    """Sets keys and renders, as somebody does who follows the README."""

    def plant(tree: Tree) -> None:
        tree.set(file, **keys)
        tree.render()

    return plant


def by_hand(file: str, old: str, new: str) -> Callable[[Tree], None]:
    return lambda tree: tree.edit(file, old, new)


def template(file: str, old: str, new: str) -> Callable[[Tree], None]:
    def plant(tree: Tree) -> None:
        tree.edit(f"templates/{file}", old, new)
        tree.render()

    return plant


def two(tree: Tree) -> None:
    tree.set(DEV, deployment__instance_count=2)
    tree.set(PROD, deployment__instance_count=3)
    tree.render()


def deleted(tree: Tree) -> None:
    (tree.root / REFERENCE).unlink()
    for kind in ("pipelines", "endpoints"):
        shutil.rmtree(tree.root / kind / "reference")


def added(tree: Tree) -> None:
    shutil.copy(tree.root / DEV, tree.root / "environments/staging.yaml")
    tree.set("environments/staging.yaml", dataset__percent=1)
    tree.render("staging")


def renamed(tree: Tree) -> None:
    deleted(tree)
    added(tree)


def other_rows(tree: Tree) -> None:
    tree.edit("environments/demo.data.yaml", "version: d577331b7e37", "version: 0123456789ab")
    tree.edit("environments/demo.data.yaml", "rows: 436\n    tokens: 34796", "rows: 872\n    tokens: 69592")
    tree.render("demo")


def without_facts(tree: Tree) -> None:
    (tree.root / "environments/demo.data.yaml").unlink()
    tree.render("demo")


def promoted(tree: Tree) -> None:
    tree.set("environments/prod.lock.yaml", promoted={
        "model": "Phi-4-ultrachat-200k", "version": "3", "job": "prod-abc-1", "evaluation": "0123456789ab",
        "data_version": "0123456789ab", "measures": {"perplexity": {"base": 24.9, "tuned": 1.34}},
    })  # fmt: skip
    tree.render("prod")


def pinned_price(tree: Tree) -> None:
    size = {"name": "Standard_NC40ads_H100_v5", "gpu": "H100 NVL 94GB", "gpus_per_node": 1, "gpu_memory_gb": 94}
    price = {"per_hour": 10.0, "currency": "USD", "region": "eastus", "seen": "2026-11-20"}
    more = {"vcpus": 40, "memory_gb": 320, "price": price}
    tree.set("environments/dev.lock.yaml", seen="2026-11-20", sizes={size["name"]: size | more})
    tree.render("dev")


def not_rendered(tree: Tree) -> None:
    tree.set(DEV, deployment__instance_count=2)


H100S = "Standard_NC80adis_H100_v5"
CASES = [
    # values of one environment
    Case("epochs", edited(PROD, finetune__num_train_epochs=2), ("finetune.num_train_epochs: 1 -> 2 (environment)",),
         each("prod", job=MORE)),
    Case("steps", edited(PROD, finetune__max_steps=100), ("finetune.max_steps: -1 -> 100 (component -> environment)",),
         each("prod", job=LESS)),
    Case("length", edited(PROD, finetune__max_seq_length=2048), 
         ("finetune.max_seq_length: 4096 -> 2048", "-seqlen2048"), each("prod")),
    Case("rate", edited(DEV, finetune__learning_rate=1e-5),
         ("finetune.learning_rate: 5e-06 -> 1e-05 (values -> environment)",),
         each("dev")),
    Case("batch", edited(DEV, finetune__per_device_train_batch_size=2),
         ("finetune.per_device_train_batch_size: 1 -> 2", "-bs2-"), each("dev")),
    Case("stage", edited(DEV, finetune__deepspeed_stage=3),
         ("finetune.deepspeed_stage: 2 -> 3",), each("dev", job=MORE)),
    Case("who alone", edited(DEV, finetune__lora_r=8),
         ("finetune.lora_r: 8 -> 8 (component -> environment)",), each("dev")),
    Case("full training", edited(DEV, finetune__apply_lora=False),
         ("finetune.apply_lora: true -> false"),
         each("dev", job=MORE)),
    Case("nodes too few", edited(DEV, finetune__num_nodes_finetune=2), ("FAIL cluster-nodes", "2 x Standard_NC40ads"),
         each("dev", job=MORE)),
    Case("idle nodes", edited(PROD, compute__min_instances=1),
         ("idle nodes, a day, USD nothing 167.52 +167.52", "WARN cluster-idle-cost"), each("prod")),
    Case("low priority", edited(PROD, compute__tier="low_priority"), ("compute.tier: dedicated -> low_priority",),
         each("prod")),
    Case("a price", edited(PROD, compute__price_per_hour=10), ("compute.price_per_hour: nothing -> 10", "10.00 USD"),
         each("prod", job=MORE)),
    Case("a price of serving", edited(PROD, deployment__price_per_hour=5), ("deployment.price_per_hour: nothing -> 5",),
         each("prod", day=5 * 24 - H100)),
    Case("tags", edited(PROD, tags__team="a"), ("tags.team: nothing -> a",), each("prod")),
    Case("endpoint's name", edited(DEV, endpoint__name="chat"), ("endpoint.name: ultrachat-completion -> chat",
         "ultrachat-completion-870d7500, deployment demo -> chat-870d7500",
         "endpoint ultrachat-completion-870d7500 is named no more: it stays, and is billed"), each("dev")),
    Case("auth", edited(DEV, endpoint__auth_mode="aad_token"), ("endpoint.auth_mode: key -> aad_token",), each("dev")),
    Case("deployment's name", edited(DEV, deployment__name="blue"), ("deployment.name: demo -> blue",), each("dev")),
    Case("probe", edited(DEV, deployment__liveness_probe__period=10),
         ("deployment.liveness_probe.period: 100 -> 10",), each("dev")),
    Case("requests", edited(DEV, deployment__max_concurrent_requests_per_instance=4),
         ("max_concurrent_requests_per_instance: 1 -> 4",), each("dev")),
    # values that no YAML has
    Case("the gate", edited(PROD, evaluation__before_deploy=False), ("evaluation.before_deploy: true -> false",),
         each("prod")),
    Case("waiting", edited(PROD, waiting__finetune_hours=10), ("waiting.finetune_hours: 48 -> 10",), each("prod")),
    Case("an accepted model", edited(REFERENCE, preflight__retired_model="fail"),
         ("preflight.retired_model: accept -> fail", "FAIL model-lifecycle"), each("reference")),
    Case("a limit", edited(PROD, limits__max_job_cost=100), ("limits.max_job_cost: nothing -> 100 (environment)",
         "limit-job-cost"), each("prod")),
    # sizes
    Case("larger", edited(PROD, compute__size=H100S), (f"compute.size: Standard_NC40ads_H100_v5 -> {H100S}",
         "number_of_gpu_to_use_finetuning: 1 -> 2 (size)", "13.96 USD"), each("prod", job=LESS)),
    Case("serving larger", edited(PROD, deployment__instance_type=H100S), 
         (f"deployment.instance_type: Standard_NC40ads_H100_v5 -> {H100S}",), each("prod", day=H100)),
    Case("serving smaller", edited(PROD, deployment__instance_type="Standard_NC24ads_A100_v4"),
         ("Standard_NC24ads_A100_v4 (1 x A100 80GB PCIe, 80 GB)",), each("prod", day=A100 - H100)),
    Case("retired", edited(REFERENCE, compute__size="Standard_NC24rs_v3"), 
         ("FAIL finetune-size-alive", "job, USD 9.38 (6.55-15.1) not known not known"), each("reference")),
    Case("unknown", edited(DEV, deployment__instance_type="Standard_NC41ads_H100_v5"),
         ("FAIL inference-size-alive", "endpoint, a day, USD 167.52 not known not known"), each("dev")),
    Case("instances", edited(PROD, deployment__instance_count=3), ("deployment.instance_count: 1 -> 3",),
         each("prod", day=2 * H100)),
    # models
    Case("model", edited(DEV, model__name="Phi-3-mini-4k-instruct", model__version="15"),
         ("Phi-4 8 -> Phi-3-mini-4k-instruct 15", "FAIL model-lifecycle"), each("dev", job=LESS)),
    Case("version", edited(DEV, model__version="7"), ("model.version: 8 -> 7", "Phi-4 8 -> Phi-4 7"), each("dev")),
    Case("hub model", edited(DEMO, model__huggingface_id="HuggingFaceTB/SmolLM2-360M-Instruct",
         model__name="SmolLM2-360M-Instruct"),
         ("SmolLM2-135M-Instruct -> SmolLM2-360M-Instruct",), each("demo")),
    Case("config", edited(DEMO, model__finetune_config__lora_algo="auto"),
         ("model.finetune_config.lora_algo: peft -> auto",), each("demo")),
    # data
    Case("share", edited(PROD, dataset__percent=50),
         ("dataset.percent: 100 -> 50", "98,736 rows"), each("prod", job=LESS)),
    Case("source", edited(PROD, dataset__source="someone/else"),
         ("dataset.source: HuggingFaceH4/ultrachat_200k -> someone/else",
         "job, USD 182.69 (136-276) not known not known"), each("prod")),
    Case("data facts", other_rows, ("d577331b7e37", "0123456789ab", "872 rows"), each("demo")),
    Case("no data facts", without_facts, ("nobody has counted yet",), each("demo")),
    Case("a check", edited(DEV, dataset__checks__secret="fail"), ("dataset.checks.secret: keep -> fail",), each("dev")),
    Case("promotion", promoted,
         ("promoted Phi-4-ultrachat-200k:3 of job prod-abc-1: base -> tuned perplexity 24.9 -> 1.34",
         "deployment.yml model: nothing -> azureml:Phi-4-ultrachat-200k:3"), each("prod")),
    Case("a pinned price", pinned_price, ("after: Standard_NC40ads_H100_v5: 10.00 USD an hour (lock, 2026-11-20)",),
         each("dev", day=24 * 10 - H100, job=MORE)),
    # files by hand, and not rendered
    Case("hand: count", by_hand("endpoints/dev/deployment.yml", "instance_count: 1", "instance_count: 4"),
         ("endpoints/dev/deployment.yml; make render",
          "1 -> 4 (values -> the YAML, not the values (1))", "changed by hand, or not rendered"),
         each("dev", day=3 * H100)),
    Case("hand: size", by_hand("pipelines/prod/compute.yml", "Standard_NC40ads_H100_v5", H100S),
         ("pipelines/prod/compute.yml", H100S, "changed by hand, or not rendered"), each("prod", job=MORE)),
    Case("hand: parameter", by_hand("pipelines/prod/finetune.yml", "num_train_epochs: 1 ", "num_train_epochs: 3 "),
         ("pipelines/prod/finetune.yml", "finetune.num_train_epochs: 1 -> 3"), each("prod", job=MORE)),
    Case("hand: free", by_hand("endpoints/dev/endpoint.yml", "auth_mode: key", "auth_mode: aad_token"),
         ("endpoints/dev/endpoint.yml auth_mode: key -> aad_token",), each("dev")),
    Case("hand: broken", by_hand("endpoints/dev/endpoint.yml", "auth_mode: key", "auth_mode: [key"),
         ("endpoints/dev/endpoint.yml: a file -> no YAML",), each("dev")),
    Case("not rendered", not_rendered, ("the YAML, not the values (2)",), each("dev")),
    # templates, and what several environments share
    Case("template", template("pipelines/finetune.yml.j2", "force_rerun: true", "force_rerun: false"),
         ("finetune.yml settings.force_rerun: true -> false",), each(*ALL)),
    Case("template: a tag", template("endpoints/endpoint.yml.j2", "tags:\n", "tags:\n  a: b\n"),
         ("endpoint.yml tags.a: nothing -> b",), each(*ALL)),
    Case("values: all", edited(VALUES, compute__idle_time_before_scale_down=900),
         ("compute.idle_time_before_scale_down: 120 -> 900",), each(*ALL)),
    Case("values: some", edited(VALUES, finetune__num_train_epochs=5), ("finetune.num_train_epochs: 3 -> 5 (values)",),
         each("reference", job=MORE)),
    Case("values: a count", edited(VALUES, deployment__instance_count=2),
         ("deployment.instance_count: 1 -> 2 (values)",),
         {"demo": (T4, 0), "dev": (H100, 0), "prod": (H100, 0), "reference": (A100, 0)}),
    Case("values: region", edited(VALUES, azure__region="southcentralus"), ("azure.region: eastus -> southcentralus",),
         {"dev": (1.4 * 24, MORE), "prod": (1.4 * 24, MORE),
          "reference": (0.735 * 24, MORE), "demo": (0.105 * 24, MORE)}),
    Case("two at once", two, ("1 -> 2 (values -> environment)", "1 -> 3 (values -> environment)"),
         {"dev": (H100, 0), "prod": (2 * H100, 0)}),
    # environments that come and go
    Case("new", added, ("staging: new", "dataset.percent: nothing -> 1"), {"staging": (H100, MORE)}),
    Case("deleted", deleted, ("reference: deleted", "make undeploy ENV=reference before this is merged"),
         {"reference": (-A100, LESS)}),
    Case("renamed", renamed, ("staging: new", "reference: deleted"),
         {"staging": (H100, MORE), "reference": (-A100, LESS)}),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_planted_change_is_named_with_its_cost(case: Case, tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    case.plant(tree)
    found = reviewed(tree)
    said = text(found)
    assert sorted(found) == sorted(case.costs), said
    assert [words for words in case.words if " ".join(words.split()) not in said] == [], said
    for environment, (day, sign) in case.costs.items():
        review = found[environment]
        assert not review.fault
        money = {each.name: each.difference for each in review.money}
        unknown = [name for name, each in money.items() if each is None]
        assert (money[seen.DAY] or 0.0) == pytest.approx(day, abs=0.01), said
        assert (money[seen.MONTH] or 0.0) == pytest.approx(30 * day, abs=0.3)
        job = money[seen.JOB] or 0.0
        assert (job > 0.01) - (job < -0.01) == sign, said
        assert bool(unknown) == ("not known" in said)
        for line in shown.text([review], "main").splitlines():
            assert len(line) <= 80 or " " not in line.strip(), line


def test_fifty_changes_and_more_are_planted() -> None:
    assert len(CASES) >= 50 and len({case.name for case in CASES}) == len(CASES)


def test_no_change_is_no_review(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.render()
    assert reviewed(tree) == {}
    assert shown.markdown([], "main") == ""
    assert sorted(original()) == list(ALL)


@pytest.mark.parametrize(
    "plant",
    [
        lambda tree: tree.edit(VALUES, "# Parameters of the component", "# The parameters of the component"),
        lambda tree: tree.edit(PROD, "azure:", "\n\n# A remark that moves all lines.\nazure:"),
        lambda tree: tree.edit("templates/pipelines/compute.yml.j2", "$schema", "# A remark.\n$schema"),
    ],
    ids=["a comment", "lines", "a comment of the template"],
)
def test_what_only_reads_otherwise_is_no_change(plant: Callable[[Tree], None], tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    plant(tree)
    tree.render()
    assert reviewed(tree) == {}


def test_the_jobs_difference_is_hours_times_price(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    edited(PROD, compute__price_per_hour=10, finetune__num_train_epochs=2)(tree)
    money = {each.name: each for each in reviewed(tree)["prod"].money}
    hours = money[seen.JOB_HOURS]
    assert hours.before and hours.after
    assert money[seen.JOB].difference == pytest.approx(hours.after.likely * 10 - hours.before.likely * 6.98)
    startup = 2 * hours.before.likely - hours.after.likely  # what a second epoch does not take again
    assert 0.5 < startup < 1.5
