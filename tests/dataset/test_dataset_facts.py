"""Data facts are written for the environment's own data only, and a run costs by them what it costs by the data."""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.dataset import facts_file
from scripts.dataset.prepare import prepare
from scripts.dataset.settings import from_values
from scripts.estimate import basis
from scripts.estimate.what_if import Training, training_on
from scripts.files import ROOT
from scripts.preflight import context
from scripts.preflight.checklist import named
from scripts.values import data_facts
from scripts.values.read import Values, load
from tests.dataset.samples import as_jsonl, parquet, rows
from tests.dataset.test_dataset_hub import Hub, hub  # noqa: F401 - a fixture

SHARE = {"dev": 10, "reference": 20, "prod": 100}  # of a small set: what the environments take would be few rows
NAME = "environments/dev.data.yaml"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose environments are as they are, but for their data."""
    for name in ("values.yaml", "values.schema.json"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "environments").mkdir()
    return tmp_path


def own(project: Path, environment: str, **dataset: Any) -> Values:
    """Returns the values of an environment with other data."""
    content = yaml.safe_load((ROOT / "environments" / f"{environment}.yaml").read_text())
    content.setdefault("dataset", {}).update(dataset)
    (project / "environments" / f"{environment}.yaml").write_text(yaml.safe_dump(content))
    return load(environment, root=project)


def made(project: Path, values: Values, fallback: str | None = None) -> dict[str, Any]:
    """Prepares the data of an environment and returns their manifest."""
    folder = project / "data" / values.environment
    code, manifest, _ = prepare(from_values(values.data), folder, fallback, say=lambda line: None, stream=None)
    assert code == 0, manifest["checks"]
    return manifest


@pytest.fixture
def local(project: Path) -> Values:
    as_jsonl(project / "rows.jsonl", rows(100))
    splits = {"train": None, "validation": 0.1, "test": 0.1, "heldout": None}
    return own(project, "dev", source=str(project / "rows.jsonl"), percent=100, splits=splits)


def test_facts_are_written_once_and_again_where_the_rows_changed(project: Path, local: Values) -> None:
    manifest = made(project, local)
    said = facts_file.keep(local, manifest, False, project)
    assert said == f"{NAME}: written; make render ENV=dev, and commit both: then the job names these data"
    first = (project / NAME).read_bytes()
    assert facts_file.keep(local, manifest, False, project) == "" and (project / NAME).read_bytes() == first
    as_jsonl(project / "rows.jsonl", rows(120))
    moved = made(project, local)
    said = facts_file.keep(local, moved, False, project)
    assert f"data version {moved['version']}, where {manifest['version']} was committed: the rows of" in said
    (project / NAME).write_text("version: 3\n")
    facts_file.keep(local, moved, False, project)
    assert data_facts.read("dev", project).version == moved["version"]  # a damaged file is written anew


def test_facts_are_written_for_the_values_own_data_only(project: Path, local: Values) -> None:
    manifest = made(project, local)
    tried = load("dev", ["dataset.seed=1"], project)
    for values, wrong, foreign, why in (
        (local, {"fallback": {"asked": "a", "took": "b", "because": "c"}}, False, "what was prepared only stands in"),
        (local, {}, True, "DATASET is not the values' own source"),
        (tried, {}, False, "SET asks for other data than the values"),
    ):
        assert facts_file.keep(values, manifest | wrong, foreign, project) == f"{NAME}: not written, since {why}"
        assert not (project / NAME).exists()
    harmless = load("dev", ["finetune.num_train_epochs=2"], project)
    assert "written; " in facts_file.keep(harmless, manifest, False, project)


def test_what_was_counted_better_stays(project: Path, local: Values) -> None:
    manifest = made(project, local)
    facts_file.keep(local, manifest, False, project)
    guessed = (project / NAME).read_text()
    assert "how: exact" not in guessed
    exact = re.sub("how: .*", "how: exact", guessed)
    (project / NAME).write_text(exact)
    assert facts_file.keep(local, manifest, False, project) == "" and (project / NAME).read_text() == exact


@pytest.fixture
def conversations(hub: type[Hub]) -> dict[str, int]:  # noqa: F811
    """Fills the hub with conversations of 20 to 400 words, as long-tailed as people's are; returns rows by split."""
    drawn = random.Random(7)
    for each in hub.root.rglob("*.parquet"):
        each.unlink()
    counts = {"train_sft": 2000, "test_sft": 300, "test_gen": 300}
    for number, (name, count) in enumerate(counts.items()):
        some = rows(count, 10_000 * number)
        for row in some:
            words = " ".join(f"w{drawn.randrange(10**6)}" for _ in range(min(400, int(20 + drawn.expovariate(1 / 90)))))
            row["messages"][1]["content"] += words
        parquet(hub.root / "data" / f"{name}-00000-of-00001.parquet", some, group=50)
    return counts


def training(project: Path, values: Values) -> tuple[Training, str]:
    where = context.build(values, root=project)
    found = training_on(where, where.size("finetune"))
    assert found and found.hours
    sentence = named("time-and-cost").work(where).sentence
    return found, sentence


@pytest.mark.parametrize("environment", SHARE)
def test_a_fresh_clone_prices_the_run_as_the_data_do(
    project: Path, conversations: dict[str, int], small_tokenizer: Path, monkeypatch: pytest.MonkeyPatch,
    environment: str,
) -> None:  # fmt: skip
    words = {"source": "some/chat", "tokenizer": str(small_tokenizer)}
    values = own(project, environment, percent=SHARE[environment], **words)
    manifest = made(project, values)
    here, said = training(project, values)
    assert "from environments" not in said and "estimated" not in said
    facts_file.keep(values, manifest, False, project)
    facts = data_facts.read(environment, project)
    text = (project / data_facts.file_name(environment)).read_text()
    assert facts.commit == Hub.commit and str(project) not in text
    shutil.rmtree(project / "data")  # as in a clone

    there, said = training(project, values)
    assert (there.hours, there.gib, there.schedule) == (here.hours, here.gib, here.schedule)
    assert said.endswith(f", from environments/{environment}.data.yaml")

    within = (here.hours.low, here.hours.high)
    more = own(project, environment, percent=SHARE[environment] / 2, **words)
    made(project, more)
    half = training(project, more)[0]
    shutil.rmtree(project / "data")
    scaled, said = training(project, more)
    assert half.hours.low <= scaled.hours.likely <= half.hours.high and "scaled to" in said
    assert scaled.schedule.tokens == pytest.approx(half.schedule.tokens, rel=0.1)

    (project / data_facts.file_name(environment)).unlink()
    monkeypatch.setattr(
        basis, "_catalog", lambda: {"some/chat": {"rows": conversations, "tokens": 500, "seen": "2026-11-27"}}
    )
    mean = here.schedule.tokens / here.schedule.epochs / facts.splits["train"].rows
    assert 250 < mean < 1000  # what the 500 of the catalog are an estimate of
    values = own(project, environment, percent=SHARE[environment], **words)
    known, said = training(project, values)
    assert within[0] <= known.hours.likely <= within[1] and "is known to have (2026-11-27)" in said
