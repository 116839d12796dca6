"""`python -m tests.bench.engine`: training and serving beside plain transformers and llama.cpp, on the same threads.

Every figure comes from a process of its own. On a machine that others use, compare the ratios, and the processor time
more than the clock.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from scripts.errors import UserError, main
from scripts.files import ROOT
from scripts.local.engine import threads
from tests.bench import engine_serving, engine_training

DATA = ROOT / "scripts" / "catalog" / "demo" / "train_sft.jsonl"


def command() -> int:
    """Measures and prints two tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.engine", description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="JSON lines with messages")
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
    """Runs one measurement in a process of its own, so that memory is its own too."""
    words = [sys.executable, "-W", "ignore", "-m", "tests.bench.engine", "--data", str(options.data)]
    words += ["--threads", str(options.threads), "--steps", str(options.steps)]
    words += ["--model", str(options.model)] if options.model else []
    quiet = {"TRANSFORMERS_VERBOSITY": "error", "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    done = subprocess.run(
        [*words, "--part", *part],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **threads.AT_START, **quiet},
    )
    if done.returncode:
        raise UserError(f"the measurement '{' '.join(part)}' failed: {(done.stderr.strip() or '?').splitlines()[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


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
        return {"gflops": _matmul_peak()}
    train = engine_training.by_engine if name == "engine" else engine_training.by_trainer
    return train(folder, options.data, options.steps, int(rest[0]))


def _matmul_peak() -> float:
    import torch

    best = 0.0
    for rows, width, out in ((1024, 576, 1536), (2048, 1536, 1536), (1024, 2048, 2048)):
        left, right = torch.randn(rows, width).bfloat16(), torch.randn(out, width).bfloat16()
        for _ in range(20):
            begun = time.perf_counter()
            torch.nn.functional.linear(left, right)
            best = max(best, 2e-9 * rows * width * out / (time.perf_counter() - begun))
    return best


if __name__ == "__main__":
    main(command)
