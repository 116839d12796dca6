"""One rule, two readers: what the trainer refuses of parameters is what preflight fails, over generated ones."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.azure import component
from scripts.dataset import checks
from scripts.errors import UserError
from scripts.local.engine import preprocess, validation
from scripts.local.engine.job_folder import Job
from scripts.local.engine.validation import parse
from scripts.preflight import checklist, parameters
from scripts.preflight.finding import FAIL
from tests.preflight.conftest import made

SWITCHES = ("apply_deepspeed", "auto_find_batch_size", "apply_ort", "apply_early_stopping")


def test_rules_about_several_parameters(make_job: Callable[..., Path]) -> None:
    draw, seen = random.Random(11), set()
    for number in range(60):
        given = {name: draw.choice(("true", "false")) for name in SWITCHES}
        given |= {
            "deepspeed_stage": draw.choice("23"),
            "evaluation_strategy": draw.choice(("epoch", "steps", "disable")),
        }
        given["learning_rate"] = draw.choice(("1e-5", "1e-5", "1e-5", "0", "-1"))
        try:
            validation.run(Job(make_job(f"job{number}", **given)))
            refused = False
        except UserError:
            refused = True
        where = made("dev", *(f"finetune.{name}={value}" for name, value in given.items()))
        found = [checklist.named(name).work(where) for name in ("deepspeed", "evaluation", "learning-rate")]
        assert refused == any(each.status == FAIL for each in found), given
        seen.add(refused)
    assert seen == {True, False}


NUMBERS = [each for each in component.catalog().inputs.values() if each.limit]


@pytest.mark.parametrize("name", [each.name for each in NUMBERS])
def test_numbers(name: str) -> None:
    """The trainer takes what the limit holds, and nothing else."""
    each = component.catalog().inputs[name]
    assert each.limit
    for number in (-2, -1, 0, 1, 2, 0.5, 1.5) if each.type == "number" else (-2, -1, 0, 1, 2):
        try:
            parse({name: str(number)})
            taken = True
        except UserError:
            taken = False
        assert taken == each.limit.holds(number), number


def test_the_least_number_of_rows_is_one_number() -> None:
    assert preprocess.FEWEST_ROWS == parameters.FEWEST_ROWS == 10
    assert "at least 10 training rows" in checks.CHECKS["few_rows"].fix
