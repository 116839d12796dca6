"""The lock: read into the catalog's classes, and every key that is not what belongs there is named."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.azure import lock_file
from scripts.azure.chat_models import Model
from scripts.errors import UserError

MODEL = {"name": "Phi-4", "version": "8", "finetune_computes": ["Standard_X"], "finetune_min_sku_spec": "24|1|220|64",
         "deprecation": {"finetuneRetirementDate": "2027-01-01T00:00:00Z", "note": "x"}}  # fmt: skip
SIZE = {"name": "Standard_X", "gpus_per_node": 1, "vcpus": 24, "memory_gb": 220.5, "disk_gib": 64,
        "retirement_date": "2027-01-01",
        "price": {"per_hour": 3.5, "currency": "USD", "seen": "2026-11-20"}}  # fmt: skip
INPUT = {"type": "integer", "default": 1, "min": -1, "max": 9, "enum": ["1"]}
COMPONENT = {"component": "c", "version": "1", "inputs": {"a": INPUT}, "outputs": {"o": {"type": "uri_folder"}}}
LOCK: dict[str, Any] = {"seen": "2026-11-23", "model": MODEL, "component": COMPONENT, "sizes": {"Standard_X": SIZE}}


def written(tmp_path: Path, content: Any) -> Path:
    (tmp_path / "environments").mkdir()
    lock_file.lock_path("dev", tmp_path).write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return tmp_path


def test_a_lock_is_read_into_the_catalogs_classes(tmp_path: Path) -> None:
    lock = lock_file.read("dev", written(tmp_path, LOCK))
    assert lock
    assert lock.seen == datetime.date(2026, 11, 23)
    assert lock.model
    assert (lock.model.version, lock.model.computes("finetune"), lock.model.computes("inference")) == (
        "8",
        ("Standard_X",),
        (),
    )
    assert lock.model.retires("finetune") == datetime.date(2027, 1, 1)
    assert lock.component
    assert lock.component.inputs["a"].fault(10)
    assert lock.sizes["standard_x"].memory_gb == 220.5
    assert lock.sizes["standard_x"].price
    assert lock.sizes["standard_x"].price.per_hour == 3.5


@pytest.mark.parametrize("content", ["", "{}\n"])
def test_no_lock_is_none_and_an_empty_one_is_damaged(tmp_path: Path, content: str) -> None:
    assert lock_file.read("dev", tmp_path) is None
    with pytest.raises(UserError, match=r"environments/dev\.lock\.yaml: is empty; make lock ENV=dev writes it anew"):
        lock_file.read("dev", written(tmp_path, content))


def test_parts_may_be_missing(tmp_path: Path) -> None:
    lock = lock_file.read("dev", written(tmp_path, {"sizes": {}}))
    assert lock == lock_file.Lock()


def changed(path: str, value: Any) -> dict[str, Any]:
    """Returns the lock with one key set, or taken away where the value is ..."""
    made = yaml.safe_load(yaml.safe_dump(LOCK))
    *above, last = path.split(".")
    place = made
    for word in above:
        place = place[word]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return made


WRONG = [  # key, what stands there, what is expected
    ("seen", "soon", "a date"), ("seen", 2, "a date"), ("model", [], "a mapping"),
    ("model.name", 4, "the model's name"),
    ("model.name", ..., "the model's name"), ("model.finetune_computes", "Standard_X", "a list of sizes"),
    ("model.inference_computes", [1], "a list of sizes"),
    ("model.finetune_min_sku_spec", "24|1|220", "vCPUs|GPUs|memory|disk"),
    ("model.inference_min_sku_spec", 24, "vCPUs|GPUs|memory|disk"), ("model.deprecation", "x", "a mapping with dates"),
    ("model.deprecation.finetuneRetirementDate", "soon", "a mapping with dates"),
    ("model.model_specific_defaults", 3, "a mapping"), ("component", 3, "a mapping"),
    ("component.version", 82, "the component's version"),
    ("component.component", ..., "the component's name"), ("component.inputs", ..., "a mapping"),
    ("component.outputs", [], "a mapping"),
    ("component.inputs.a", 3, "a mapping"), ("component.inputs.a.type", ..., "a type"),
    ("component.inputs.a.enum", "1", "a list of texts"),
    ("component.inputs.a.min", "1", "a number"), ("component.inputs.a.max", True, "a number"),
    ("component.outputs.o.type", 1, "a type"),
    ("sizes", 3, "a mapping"), ("sizes.Standard_X", 3, "a mapping"), ("sizes.Standard_X.name", ..., "the size's name"),
    ("sizes.Standard_X.gpus_per_node", -1, "a number"), ("sizes.Standard_X.vcpus", ..., "a number"),
    ("sizes.Standard_X.vcpus", "24", "a number"),
    ("sizes.Standard_X.memory_gb", True, "a number"), ("sizes.Standard_X.disk_gib", "64", "a number"),
    ("sizes.Standard_X.retirement_date", "never", "a date"), ("sizes.Standard_X.price", 3, "a mapping"),
    ("sizes.Standard_X.price.per_hour", "cheap", "a number"),
    ("sizes.Standard_X.price.currency", 1, "USD, for example"),
    ("sizes.Standard_X.price.seen", ..., "a date"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value", "expected"), WRONG)
def test_what_does_not_belong_is_named(tmp_path: Path, key: str, value: Any, expected: str) -> None:
    content = changed(key, value)
    with pytest.raises(UserError) as caught:
        lock_file.read("dev", written(tmp_path, content))
    sentence = str(caught.value)
    found = "nothing" if value is ... else repr(value)
    parent = key if key.count(".") != 2 or "deprecation" not in key else "model.deprecation"
    assert f": {parent}: expected {expected}, found " in sentence
    assert sentence.endswith("; make lock ENV=dev writes it anew")
    if parent == key:
        assert f"found {found};" in sentence
    if value is not ...:
        line = int(sentence.split(":")[1])
        text = lock_file.lock_path("dev", tmp_path).read_text().splitlines()[line - 1]
        assert text.strip().startswith(parent.rpartition(".")[2])


@pytest.mark.parametrize("key", ["model.finetune_computes", "model.deprecation", "sizes.Standard_X.disk_gib", "seen",
                                 "sizes.Standard_X.price", "sizes.Standard_X.retirement_date",
                                 "model.finetune_min_sku_spec"])  # fmt: skip
def test_what_need_not_be_there_may_be_null(tmp_path: Path, key: str) -> None:
    assert lock_file.read("dev", written(tmp_path, changed(key, None)))


def test_a_number_may_be_nothing_but_not_less(tmp_path: Path) -> None:
    assert lock_file.read("dev", written(tmp_path, changed("sizes.Standard_X.gpus_per_node", 0)))


def test_a_default_that_is_not_of_its_type_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"dev\.lock\.yaml: component\.inputs: 'ten' .* make lock ENV=dev|could not convert"
    ):
        lock_file.read("dev", written(tmp_path, changed("component.inputs.a.default", "ten")))


def test_models_say_where_and_until_when() -> None:
    model = Model("m", finetune_computes=("Standard_A",), finetune_min_sku_spec="1|1|1|1",
     inference_min_sku_spec="2|2|2|2",
                  deprecation={"inferenceRetirementDate": "2026-12-31T00:00:00Z"})  # fmt: skip
    assert model.lists("finetune", "STANDARD_a") is True
    assert model.lists("finetune", "Standard_B") is False
    assert model.lists("inference", "Standard_A") is None
    assert (model.minimum("finetune"), model.minimum("inference")) == ("1|1|1|1", "2|2|2|2")
    assert (model.retires("finetune"), model.retires("inference")) == (None, datetime.date(2026, 12, 31))
