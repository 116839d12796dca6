"""The learning rate over the steps: the six schedulers of the component, as transformers.get_scheduler computes them.

A factor of the highest rate as a plain function of (step, total), so that a run whose end is moved by a time cap still
anneals to it.
"""

from __future__ import annotations

import math

POLYNOMIAL_END = 1e-7  # transformers' lr_end; the power is 1


def factor(scheduler: str, step: int, warmup: int, total: int, rate: float = 1.0) -> float:
    """Returns what the learning rate `rate` is multiplied by in step `step` (from 0) of `total`."""
    if scheduler == "constant":
        return 1.0
    if step < warmup:
        return step / max(1, warmup)
    if scheduler == "constant_with_warmup":
        return 1.0
    progress = (step - warmup) / max(1, total - warmup)
    if scheduler == "linear":
        return max(0.0, 1.0 - progress)
    if scheduler == "cosine":
        return max(0.0, 0.5 * (1.0 + math.cos(math.pi * progress)))
    if scheduler == "cosine_with_restarts":  # one cycle, transformers' default
        return 0.0 if progress >= 1.0 else max(0.0, 0.5 * (1.0 + math.cos(math.pi * (progress % 1.0))))
    if scheduler == "polynomial":
        end = POLYNOMIAL_END / rate
        return end if progress > 1.0 else (1.0 - end) * (1.0 - progress) + end
    raise ValueError(scheduler)
