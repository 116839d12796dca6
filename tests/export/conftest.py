"""Where the base model lies, once it is converted, and how many conversations are proven."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scripts.export import conversations
from tests.conftest import new_home
from tests.export.tiny import FEW


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The home whose converted base model other tests have, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AZUREML_LOCAL_HOME", str(new_home(tmp_path_factory)))
        yield


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has an export prove a few conversations alone."""
    monkeypatch.setattr(conversations, "COUNT", FEW)
