"""What the live workspace and registry say, where something is not there; asked on an Azure ML on localhost."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scripts.azure import client, live
from scripts.azure.live import Live
from scripts.errors import MISSING, CouldNotAskError, UserError
from scripts.evaluate import model_files
from scripts.files import ROOT
from scripts.values.read import Values, load


def values_of(emulator: Any, *sets: str) -> Values:
    return load("prod", [*(f"azure.{key}={value}" for key, value in emulator.workspace.items()), *sets], check=False)


def test_a_registry_that_is_not_there(emulator: Any, ml_client: Any, tmp_path: Path) -> None:
    values = values_of(emulator, "model.registry=noreg")
    for ask in (lambda asked: asked.model("Phi-4"), lambda asked: asked.component("chat_completion_pipeline")):
        with pytest.raises(CouldNotAskError, match="there is no registry noreg"):
            ask(Live(values))
    with pytest.raises(UserError, match=r"^there is no registry noreg; model\.registry names it$") as caught:
        model_files._from_registry(values, tmp_path / "1")
    assert caught.value.code == MISSING
    assert not list(tmp_path.iterdir())


def test_a_workspace_and_a_thing_that_are_not_there(emulator: Any, ml_client: Any) -> None:
    with pytest.raises(CouldNotAskError, match=r"^could not ask for the region: there is no workspace nowhere in "):
        _ = Live(values_of(emulator, "azure.workspace=nowhere")).region
    live = Live(values_of(emulator))
    assert live.region == emulator.workspace["region"]
    assert live.cluster("nosuch") is None
    assert live.deployment("nosuch", "nosuch") is None
    assert live.model("nosuch") is None
    assert live.model("Phi-4", "999") is None
    assert live.component("nosuch") is None
    with pytest.raises(
        CouldNotAskError, match=r"could not ask for conda\.yaml of model Phi-4 version 999: the registry"
    ):
        live.model_file("Phi-4", "999", "conda.yaml")  # which is not a model without that file


def test_the_client_is_made_in_one_place() -> None:
    makers = [path for path in (ROOT / "scripts").rglob("*.py") if re.search(r"\bMLClient\(", path.read_text())]
    assert [path.relative_to(ROOT).as_posix() for path in makers] == ["scripts/azure/client.py"]
    assert client.import_sdk().__name__ == "azure.ai.ml"


def test_a_usage_that_names_its_count_as_the_sdk_documents_it() -> None:
    usages = [SimpleNamespace(name="f", limit=6, current_value=4), SimpleNamespace(name="f", limit=6, currentValue=0)]
    assert [live._usage(usage)["used"] for usage in usages] == [4, 0]
