"""Steps, evaluations and learning rates come as in the component, and a plan fits its caps."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.local.engine import step_plan
from scripts.local.engine.job_folder import Settings

SCHEDULERS = ["linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup"]


def values(**changes: Any) -> dict[str, Any]:
    given = {
        "per_device_train_batch_size": 4,
        "gradient_accumulation_steps": 2,
        "max_steps": -1,
        "num_train_epochs": 3,
        "evaluation_strategy": "epoch",
        "eval_steps": 5,
        "evaluation_steps_interval": 0.0,
    }
    return {**given, **changes}


def test_epochs_and_steps_are_counted_as_trainer_counts_them() -> None:
    made = step_plan.make(values(), [9] * 41, Settings())
    assert (made.batch, made.steps_per_epoch, made.planned) == (8, 6, 18)  # 11 batches, 2 to a step, the last one alone
    assert (made.total, made.capped) == (18, "")
    assert step_plan.make(values(max_steps=7), [9] * 41, Settings()).total == 7


def test_evaluations_come_when_the_inputs_say() -> None:
    def when(**changes: Any) -> list[int]:
        made = step_plan.make(values(**changes), [9] * 40, Settings())
        return [step for step in range(1, made.planned + 1) if made.evaluate_after(step)]

    assert when() == [5, 10, 15]
    assert when(evaluation_strategy="steps", eval_steps=4) == [4, 8, 12, 15]
    assert when(evaluation_strategy="steps", evaluation_steps_interval=0.4) == [2, 4, 6, 8, 10, 12, 14, 15]
    assert when(evaluation_strategy="disable") == []


@pytest.mark.parametrize(
    ("settings", "total", "capped"),
    [
        ({"max_steps": 5}, 5, "5 of 18 steps (training.max_steps in the emulator's settings)"),
        ({"max_steps": 50}, 18, ""),
        ({"max_tokens": 1000}, 10, "10 of 18 steps (training.max_tokens in the emulator's settings)"),
        ({"max_tokens": 1}, 1, "1 of 18 steps (training.max_tokens in the emulator's settings)"),
        ({"max_tokens": 1000, "max_steps": 4}, 4, "4 of 18 steps (training.max_steps in the emulator's settings)"),
        ({"max_tokens": 0, "max_steps": 0}, 18, ""),
    ],
)
def test_a_cap_counts_steps_or_tokens(settings: dict[str, int], total: int, capped: str) -> None:
    made = step_plan.make(values(), [10, 20] * 20 + [0], Settings(**settings))  # 600 tokens an epoch of 6 steps
    assert (made.total, made.planned, made.capped) == (total, 18, capped)


def test_rows_that_a_cap_left_out_count_as_planned():
    made = step_plan.make(values(), [10] * 40, Settings(max_tokens=400), unreached=360)  # 40 of 400 rows were read
    assert (made.total, made.planned) == (5, 150)
    assert made.capped == "5 of 150 steps (training.max_tokens in the emulator's settings)"


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("warmup", [0, 3])
def test_every_learning_rate_is_that_of_transformers(scheduler: str, warmup: int) -> None:
    import torch
    from transformers import get_scheduler

    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=2e-3)
    theirs = get_scheduler(scheduler, optimizer, num_warmup_steps=warmup, num_training_steps=17)
    for step in range(17):
        ours = 2e-3 * step_plan.learning_rate(scheduler, step, warmup, 17, 2e-3)
        assert ours == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9, abs=1e-15), step
        optimizer.step()
        theirs.step()
