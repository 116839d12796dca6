"""`python -m tests.bench.engine`: training and serving beside plain transformers and llama.cpp, on the same threads.

Every figure comes from a process of its own. On a machine that others use, compare the ratios, and the processor time
more than the clock.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
from pathlib import Path
from typing import Any

from scripts.errors import UserError, main
from scripts.local.engine import threads
from tests.bench import engine_serving, engine_training, training


def command() -> int:
    """Measures and prints two tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.engine", description=__doc__)
    parser.add_argument("--data", type=Path, default=training.DATA, help="JSON lines with messages")
    parser.add_argument("--model", type=Path, help="model folder (default: SmolLM2-135M-Instruct); without llama.cpp")
    parser.add_argument("--threads", type=int, default=threads.cores(), help="threads for every measurement")
    parser.add_argument("--steps", type=int, default=6, help="optimizer steps a measurement")
    parser.add_argument("--only", choices=("training", "serving"), help="one table alone")
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)  # a measurement, in its own process
    options = parser.parse_args()
    threads.tune(options.threads)
    if options.part:
        print(json.dumps(_part(options)))
        return 0
    measure = functools.partial(_measure, options)
    peak = measure("peak")["gflops"]
    print(
        f"{options.threads} thread(s), load {os.getloadavg()[0]:.1f}; "
        f"best matrix-multiply rate {peak:.0f} GFLOP/s (bf16)"
    )
    if options.only != "serving":
        engine_training.table(measure, peak)
    if options.only != "training":
        engine_serving.table(measure, beside_llama=options.model is None)
    print(f"\nload at the end {os.getloadavg()[0]:.1f}")
    return 0


def _measure(options: argparse.Namespace, *part: str) -> dict[str, Any]:
    """Runs one measurement in a process of its own."""
    words = ["--data", str(options.data), "--threads", str(options.threads), "--steps", str(options.steps)]
    words += ["--model", str(options.model)] if options.model else []
    start = threads.AT_START if part[0] in engine_serving.PARTS else {}  # as a deployment's process has it
    try:
        return training.apart("tests.bench.engine", [*words, "--part", *part], **start)
    except UserError as error:
        raise UserError(f"the measurement '{' '.join(part)}' failed: {error}") from None


def _part(options: argparse.Namespace) -> dict[str, Any]:
    from scripts.local.engine import smollm2

    folder = options.model or smollm2.weights("bfloat16")[0]
    name, *rest = options.part
    if name == engine_serving.GGUF:
        return engine_serving.gguf_file(*rest)
    if name in engine_serving.PARTS:
        return engine_serving.measured(name, folder, options.threads, *rest)
    import torch

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    if name == "peak":
        return {"gflops": training.matrix_rate("cpu") / 1e9}
    return engine_training.measured(name, folder, options.data, options.steps, int(rest[0]))


if __name__ == "__main__":
    main(command)
