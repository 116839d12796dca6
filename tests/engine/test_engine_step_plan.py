"""Steps, evaluations and learning rates come as in the component, and a plan fits its caps."""

from __future__ import annotations

import time
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
    made, lines = step_plan.make(values(), rows=41, settings=Settings())
    assert (made.batch, made.steps_per_epoch, made.planned) == (8, 6, 18)  # 11 batches, 2 to a step, the last one alone
    assert lines == []
    assert step_plan.make(values(max_steps=7), 41, Settings())[0].planned == 7


def test_evaluations_come_when_the_inputs_say() -> None:
    def when(**changes: Any) -> list[int]:
        made, _ = step_plan.make(values(**changes), 40, Settings())
        return [step for step in range(1, made.planned + 1) if made.evaluate_after(step)]

    assert when() == [5, 10, 15]
    assert when(evaluation_strategy="steps", eval_steps=4) == [4, 8, 12, 15]
    assert when(evaluation_strategy="steps", evaluation_steps_interval=0.4) == [2, 4, 6, 8, 10, 12, 14, 15]
    assert when(evaluation_strategy="disable") == []


def test_a_time_cap_moves_the_end_so_that_the_learning_rate_still_anneals() -> None:
    made, lines = step_plan.make(values(num_train_epochs=100), 40, Settings(max_seconds=60))
    assert lines == ["at most 60 s of fine-tuning (max_seconds in the emulator's settings)"]
    made.deadline = time.monotonic() + 10
    made.measured(1, 2.0)
    assert made.total in (5, 6)
    made.measured(2, 0.5)
    made.measured(3, 0.5)
    assert 20 <= made.total <= 23  # the machine got faster: more steps fit
    made.deadline = time.monotonic() - 1
    made.measured(4, 0.5)
    assert made.total == 4


def test_a_step_cap_is_said_aloud() -> None:
    made, lines = step_plan.make(values(), 41, Settings(max_steps=5))
    assert made.planned == 5
    assert lines == ["CAPPED: 5 of 18 steps (max_steps in the emulator's settings)"]
    assert step_plan.make(values(), 41, Settings(max_steps=50))[1] == []


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
