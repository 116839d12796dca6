"""Where the parts of a chat model's folder lie, in every layout that MLflow and transformers write."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.conversation import model_folder


@pytest.mark.parametrize("place", [".", "model", "data/model"])
def test_weights_are_where_the_config_is(tmp_path: Path, place: str) -> None:
    assert model_folder.weights(tmp_path) is None
    (tmp_path / place).mkdir(parents=True, exist_ok=True)
    (tmp_path / place / "config.json").write_text("{}")
    assert model_folder.weights(tmp_path) == tmp_path / place


@pytest.mark.parametrize(("config", "expected"), [
    ('{"dtype": "bfloat16"}', "bfloat16"), ('{"torch_dtype": "float16"}', "float16"), ("{}", "float32"),
    ('{"dtype": null}', "float32"),
])  # fmt: skip
def test_the_type_of_the_weights_by_either_name(tmp_path: Path, config: str, expected: str) -> None:
    (tmp_path / "config.json").write_text(config)
    assert model_folder.dtype(tmp_path) == expected


def test_what_a_model_says_of_itself(tmp_path: Path) -> None:
    assert model_folder.metadata(tmp_path) == {} and model_folder.system_role_supported(tmp_path)
    (tmp_path / "MLmodel").write_text("")
    assert model_folder.metadata(tmp_path) == {}
    (tmp_path / "MLmodel").write_text("metadata: {system_role_supported: false}\n")
    assert not model_folder.system_role_supported(tmp_path)
