"""A tiny MLflow model folder that the scoring server can serve."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tiny_models import make_model


@pytest.fixture(scope="session")
def make_served(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`make_served(model_type="mistral", sliding_window=6)` writes a model folder."""

    def make(metadata: str = "", **changes: object) -> Path:
        folder = tmp_path_factory.mktemp("served")
        # Weights of ordinary size, so that the tokens differ from each other and not by rounding.
        make_model(folder / "model", initializer_range=0.3, **changes)
        (folder / "MLmodel").write_text(f"flavors: {{}}\nmetadata: {{{metadata}}}\n")
        return folder

    return make


@pytest.fixture(scope="session")
def served(make_served: Callable[..., Path]) -> Path:
    """The folder of the tiny Llama."""
    return make_served()
