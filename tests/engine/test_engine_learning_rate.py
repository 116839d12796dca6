"""The learning rate is the one of transformers' own schedulers."""

from __future__ import annotations

import pytest

from scripts.local.engine import learning_rate

SCHEDULERS = ["linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup"]


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("warmup", [0, 3])
def test_every_scheduler_is_that_of_transformers(scheduler: str, warmup: int) -> None:
    import torch
    from transformers import get_scheduler

    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=2e-3)
    theirs = get_scheduler(scheduler, optimizer, num_warmup_steps=warmup, num_training_steps=17)
    for step in range(17):
        ours = 2e-3 * learning_rate.factor(scheduler, step, warmup, 17, 2e-3)
        assert ours == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9, abs=1e-15), step
        optimizer.step()
        theirs.step()
