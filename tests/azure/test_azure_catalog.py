"""The catalog: one reader, and every file says where its facts are from and when they were seen."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from scripts.azure import chat_models, references, retail_prices
from scripts.azure.catalog import FOLDER, plain, record
from scripts.azure.regions import REGIONS
from scripts.files import ROOT

FILES = sorted(path.name for path in FOLDER.glob("*.json"))


@pytest.mark.parametrize("name", FILES)
def test_a_file_says_where_it_is_from_and_of_when(name: str) -> None:
    text = (FOLDER / name).read_text()
    assert '"source"' in text
    assert re.search(r"20\d\d-\d\d", text)


def test_nobody_else_opens_the_catalog() -> None:
    """Every module reads it through `read_catalog`."""
    words = "|".join(re.escape(name) for name in FILES)
    for path in (ROOT / "scripts").rglob("*.py"):
        for line in path.read_text().splitlines():
            if re.search(rf"[\"']({words})[\"']", line):
                assert "read_catalog(" in line, f"{path}: {line}"


@dataclass(frozen=True)
class Row:
    name: str
    words: tuple[str, ...] = ()
    inner: object = None


def test_a_row_becomes_a_dataclass_and_a_row_again() -> None:
    made = record(Row, {"name": "a", "words": ["b", "c"], "source": "left aside"})
    assert made == Row("a", ("b", "c"))
    assert plain(made) == {"name": "a", "words": ["b", "c"]}
    assert plain(Row("a", inner=Row("b"))) == {"name": "a", "words": [], "inner": {"name": "b", "words": []}}
    with pytest.raises(TypeError):
        record(Row, {})


def test_models_and_prices_are_complete() -> None:
    assert len(chat_models.catalog()) == 10
    for name, model in chat_models.catalog().items():
        assert name == model.name
        assert model.version.isdecimal()
        assert model.license
    assert retail_prices.CURRENCY == "USD"
    assert all(min(price.usd_per_hour.values()) > 0 for price in retail_prices.catalog().values())
    assert {"eastus", "westeurope"} <= set(REGIONS)
    assert len(set(REGIONS)) == len(REGIONS) == 51


@pytest.mark.parametrize(
    ("reference", "registry", "kind", "name", "by", "version"),
    [
        ("azureml://registries/azureml/models/Phi-3.5/versions/6", "azureml", "models", "Phi-3.5", "versions", "6"),
        ("azureml://registries/r/components/c/labels/latest", "r", "components", "c", "labels", "latest"),
        ("azureml://registries/r/environments/e", "r", "environments", "e", None, None),
    ],
)
def test_references_to_a_registry(
    reference: str, registry: str, kind: str, name: str, by: str | None, version: str | None
) -> None:
    match = references.REGISTRY.fullmatch(reference)
    assert match
    assert match.group("registry", "kind", "name", "by", "version") == (registry, kind, name, by, version)
    if by != "labels":
        assert references.registry_asset(registry, kind, name, version or "") == reference


def test_references_to_the_workspace() -> None:
    match = references.SHORT.fullmatch("chat-model_1:3.0")
    assert match
    assert match.group("name", "by", "version") == ("chat-model_1", ":", "3.0")
    assert references.SHORT.fullmatch("chat@latest")
    for wrong in ("chat", "chat:", ":1", "_x:1", "modèle:1", "a:1:2", "a b:1"):
        assert references.SHORT.fullmatch(wrong) is None, wrong
    assert references.PLACE.match("azureml://jobs/x/outputs/y")
    assert references.PLACE.match("azureml://job/x") is None


def test_facts_are_frozen() -> None:
    """Nobody changes a fact: every dataclass of rooms that hold or check facts is frozen, but a run."""
    rooms = ("azure", "preflight", "validate", "estimate")
    for path in (path for room in rooms for path in (ROOT / "scripts" / room).glob("*.py")):
        for line in path.read_text().splitlines():
            if line.startswith("@dataclass"):
                assert "frozen=True" in line or path.name in ("context.py", "run.py"), path
