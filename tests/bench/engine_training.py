"""Training for `make bench-engine`: tokens/s (without padding), processor time, peak memory, share of the peak rate.

The share is as if every token of the data were computed; the engine computes once what conversations begin with alike,
and the share of tokens that are left stands beside it. Beside it transformers.Trainer + PEFT, at three batch sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench import training

BATCHES = (1, 4, 8)


def table(measure: Callable[..., dict[str, Any]], peak: float) -> None:
    """Prints what each batch size gives, and best beside best."""
    print(f"\n{'training':<24}{'tokens/s':>9}{'CPU ms/token':>13}{'of peak':>8}{'computed':>9}{'memory MB':>10}")
    found: dict[str, list[dict[str, float]]] = {"engine": [], "Trainer + PEFT": []}
    for name, runs in found.items():
        for batch in BATCHES:
            run = measure("engine" if name == "engine" else "trainer", str(batch))
            runs.append(run)
            share = run["tokens_per_second"] * run["flops_per_token"] / 1e9 / peak
            print(
                f"{name + f', batch {batch}':<24}{run['tokens_per_second']:>9.0f}{run['cpu_ms_per_token']:>13.2f}"
                f"{share:>8.0%}{run['computed']:>9.0%}{run['memory_mb']:>10.0f}"
            )
    ours, plain = (max(runs, key=lambda run: run["tokens_per_second"]) for runs in found.values())
    cpu = plain["cpu_ms_per_token"] / ours["cpu_ms_per_token"]
    print(
        f"best against best: {ours['tokens_per_second'] / plain['tokens_per_second']:.2f} x tokens/s, "
        f"{cpu:.2f} x by processor time, {ours['memory_mb'] / plain['memory_mb']:.2f} x memory"
    )


def measured(name: str, folder: Path, data: Path, steps: int, batch: int) -> dict[str, float]:
    """Trains with this engine, or with transformers.Trainer + PEFT, and returns rates and memory."""
    import torch
    from transformers import AutoModelForCausalLM

    from scripts.local.engine import model_import, packed

    rows = training.demo_rows(model_import.load_tokenizer(folder), data)
    if name == "engine":
        model = packed.load(folder, torch.bfloat16, "cpu")
        return training.by_engine(model, rows, batch, steps, training.Clock())
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    return training.by_trainer(model, rows, batch, steps, training.Clock())
