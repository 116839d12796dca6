"""The bench of the engine on a GPU, on a CPU: every stack really trains, and the estimates are preflight's."""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

import pytest

from scripts.azure import machine_sizes
from scripts.estimate.memory import GIB, Step, estimate
from tests.bench import gpu

# transformers renames these arguments; the older names are those that every release knows by now.
pytestmark = pytest.mark.filterwarnings("ignore:.*gradient_checkpointing")
CARD = machine_sizes.cards()["H100 80GB SXM"]


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> argparse.Namespace:
    monkeypatch.setattr(gpu, "STEPS", 2)
    monkeypatch.setattr(gpu, "WARM", 1)
    draw = random.Random(0)
    begin = [draw.randrange(50_000) for _ in range(20)]
    rows = [begin + [draw.randrange(50_000) for _ in range(draw.randint(10, 40))] for _ in range(16)]
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([[row, [0] * 25 + [1] * (len(row) - 25)] for row in rows]))
    return argparse.Namespace(device="cpu", tiny=True, rows=path)


@pytest.mark.parametrize("run", [
    gpu.Run(gpu.DEMO, False, 4, gpu.PACKED), gpu.Run(gpu.PHI, True, 2, gpu.PACKED, recompute=True, pass_tokens=150),
    gpu.Run(gpu.DEMO, False, 4, gpu.PLAIN), gpu.Run(gpu.PHI, True, 2, gpu.PLAIN, recompute=True),
], ids=lambda run: run.name)  # fmt: skip
def test_every_stack_trains(run: gpu.Run, options: argparse.Namespace) -> None:
    found = gpu._train(options, run)
    assert len(found["rates"]) == 2
    assert found["typical_tokens_per_second"] > 0
    shared = run.stack == gpu.PACKED and not run.pass_tokens  # what rows of a pass begin with alike
    assert (found["computed"] < 1) is shared


def test_engine_and_transformers_agree_on_loss_and_gradient(options: argparse.Namespace) -> None:
    loss, gradient = gpu._same(options)[gpu.PACKED]
    assert loss < 0.001
    assert 0 < gradient < 0.02


@pytest.mark.parametrize("recompute", [False, True])
def test_the_estimate_is_the_one_of_preflight(recompute: bool, options: argparse.Namespace) -> None:
    shape, rows = gpu._shape(gpu.PHI, tiny=False), gpu._rows(options, True, 1)
    found = gpu._preflight(shape, CARD, rows, gpu.Run(gpu.PHI, True, 2, gpu.PLAIN, recompute))
    longest = max(len(row.ids) for row in rows)
    step = Step(shape, 2, longest, lora_rank=16, states="mixed", checkpointing=recompute)
    assert found["gib"] == pytest.approx(estimate(step).total / GIB)
    assert 1_000 < found["tokens_per_second"] < CARD.tflops_16 * 1e12 / (4 * shape.flops_parameters)
