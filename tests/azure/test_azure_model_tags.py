"""Tags of registry models, in every form in which they were seen."""

from __future__ import annotations

import json

import pytest

from scripts.azure import model_tags as tags
from scripts.errors import UserError

SIZES = ["Standard_NC24ads_A100_v4", "Standard_NC96ads_A100_v4"]
WHERE = "registry azureml, model M, version 1"


@pytest.mark.parametrize("value", [str(SIZES), json.dumps(SIZES), SIZES, str(tuple(SIZES))])
def test_size_list_in_every_form(value: object) -> None:
    assert tags.size_list("finetune", {"tags": {"finetune_compute_allow_list": value}}, WHERE) == SIZES


def test_size_list_from_every_place() -> None:
    system = {"system_metadata": {"supportedComputes": {"inferenceComputes": SIZES}}}
    assert tags.size_list("inference", system, WHERE) == SIZES
    assert tags.size_list("inference", {"properties": {"inference-recommended-sku": ", ".join(SIZES)}}, WHERE) == SIZES
    both = {**system, "tags": {"inference_compute_allow_list": "['Standard_X']"}}
    assert tags.size_list("inference", both, WHERE) == ["Standard_X"]
    for nothing in (
        {},
        {"tags": {}},
        {"tags": None, "system_metadata": None},
        {"tags": {"finetune_compute_allow_list": "[]"}},
    ):
        assert tags.size_list("finetune", nothing, WHERE) is None


@pytest.mark.parametrize("written", [
    '{"apply_lora": "true", "precision": 16, "learning_rate": "5e-6"}',
    "{'apply_lora': 'true', 'precision': 16, 'learning_rate': '5e-6'}",
    {"apply_lora": True, "precision": 16, "learning_rate": "5e-6"},
])  # fmt: skip
def test_defaults_in_every_form(written: object) -> None:
    expected = {"apply_lora": "true", "precision": 16, "learning_rate": "5e-6"}
    assert tags.parameter_defaults({"tags": {"model_specific_defaults": written}}, WHERE) == expected
    assert tags.parameter_defaults({"system_metadata": {"modelSpecificDefaults": written}}, WHERE) == expected


@pytest.mark.parametrize("written", ["{'apply_lora': ", "__import__('os').getcwd()", "not a list", "[1, 2", "{" * 5000])
def test_malformed_is_quoted(written: str) -> None:
    for read, tag in ((tags.parameter_defaults, "model_specific_defaults"),):
        with pytest.raises(UserError) as caught:
            read({"tags": {tag: written}}, WHERE)
        assert written[:20] in str(caught.value)
        assert tag in str(caught.value)
        assert WHERE in str(caught.value)
        assert len(str(caught.value)) < 500
    with pytest.raises(UserError):
        tags.size_list("finetune", {"tags": {"finetune_compute_allow_list": written}}, WHERE)


@pytest.mark.parametrize(
    ("key", "value"), [("model_specific_defaults", "[1]"), ("model_specific_defaults", '{"a": [1]}')]
)
def test_wrong_kind_is_refused(key: str, value: str) -> None:
    with pytest.raises(UserError, match="expected"):
        tags.parameter_defaults({"tags": {key: value}}, WHERE)


def test_sizes_that_are_no_texts_are_refused() -> None:
    with pytest.raises(UserError, match="list of sizes"):
        tags.size_list("finetune", {"tags": {"finetune_compute_allow_list": "[1, 2]"}}, WHERE)


def test_smallest_machine_from_every_place() -> None:
    for model in (
        {"properties": {"finetune-min-sku-spec": "24|1|220|64"}},
        {"tags": {"finetune-min-sku-spec": "24 | 1 | 220 | 64"}},
        {"system_metadata": {"SKU": {"finetuneMinSkuSpec": "24|1|220|64"}}},
    ):
        assert tags.minimum("finetune", model, WHERE) == "24|1|220|64"
    assert tags.minimum("finetune", {}, WHERE) is None
    with pytest.raises(UserError, match="24\\|1"):
        tags.minimum("finetune", {"tags": {"finetune-min-sku-spec": "24|1"}}, WHERE)


def test_dates_from_every_place() -> None:
    day = "2025-08-30T00:00:00.000000Z"
    assert tags.retirement({"system_metadata": {"deprecation": {"finetuneRetirementDate": day}}}, WHERE) == {
        "finetuneRetirementDate": day
    }
    assert tags.retirement({"tags": {"inferenceRetirementDate": day, "task": "x"}}, WHERE) == {
        "inferenceRetirementDate": day
    }
    assert tags.retirement({"tags": {"task": "x"}}, WHERE) is None


def test_a_lifecycle_date_that_is_none_is_named() -> None:
    with pytest.raises(UserError, match="finetuneRetirementDate: expected a date, found 'soon'"):
        tags.retirement({"system_metadata": {"deprecation": {"finetuneRetirementDate": "soon"}}}, WHERE)
    other = {"system_metadata": {"deprecation": {"replacement": "Phi-4", "finetuneRetirementDate": ""}}}
    assert tags.retirement(other, WHERE) == {"replacement": "Phi-4"}
