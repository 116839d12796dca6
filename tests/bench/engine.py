"""`python -m tests.bench.engine`: training and serving beside plain transformers, on the same data and threads.

Training: tokens/s (padding not counted), processor time, peak memory and share of the best matrix-multiply rate (as if
every token of the data were computed; the engine computes once what conversations begin with alike, and the share of
tokens that are left stands beside it), of this engine and of transformers.Trainer + PEFT at three batch sizes.

Serving: prompt and answer tokens/s of this
server's generator, one and eight conversations at a time, and of generate(). Every figure comes from a process of its
own. On a machine that others use, compare the ratios, and the processor time more than the clock.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

from scripts.errors import UserError, main
from scripts.local.engine import threads
from tests.bench import training

BATCHES = (1, 4, 8)
QUESTION = "Explain what the fine-tuning job of a chat model does, step by step, and what each of its steps needs. "
NEW_TOKENS = 48


def command() -> int:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.engine", description=__doc__)
    parser.add_argument("--data", type=Path, default=training.DATA, help="JSON lines with messages")
    parser.add_argument("--model", type=Path, help="model folder (default: SmolLM2-135M-Instruct)")
    parser.add_argument("--threads", type=int, default=threads.cores(), help="threads for every measurement")
    parser.add_argument("--steps", type=int, default=6, help="optimizer steps a measurement")
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)  # a measurement, in its own process
    options = parser.parse_args()
    threads.tune(options.threads)
    if options.part:
        print(json.dumps(_part(options)))
        return 0
    peak = _measure(options, "peak")["gflops"]
    print(
        f"{options.threads} thread(s), load {os.getloadavg()[0]:.1f}; "
        f"best matrix-multiply rate {peak:.0f} GFLOP/s (bf16)"
    )
    _print_training(options, peak)
    _print_serving(options)
    return 0


def _print_training(options: argparse.Namespace, peak: float) -> None:
    print(f"\n{'training':<24}{'tokens/s':>9}{'CPU ms/token':>13}{'of peak':>8}{'computed':>9}{'memory MB':>10}")
    found: dict[str, list[dict[str, float]]] = {"engine": [], "Trainer + PEFT": []}
    for name, runs in found.items():
        for batch in BATCHES:
            run = _measure(options, "engine" if name == "engine" else "trainer", str(batch))
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


def _print_serving(options: argparse.Namespace) -> None:
    print(
        f"\n{'serving':<28}{'prompt tok/s':>13}{'answer tok/s':>14}{'answer s':>10}{'slowest s':>11}{'memory MB':>11}"
    )
    found = {}
    for name, part in (
        ("generate()", ("generate",)),
        ("server, 1 at a time", ("server", "1")),
        ("server, 8", ("server", "8")),
    ):
        run = found[part] = _measure(options, *part)
        print(
            f"{name:<28}{run['prompt']:>13.0f}{run['answer']:>14.1f}{run['typical']:>10.2f}{run['slowest']:>11.2f}"
            f"{run['memory_mb']:>11.0f}"
        )
    plain, one, eight = found.values()
    print(
        f"eight at a time against sequential generate(): {eight['total'] / plain['total']:.2f} x tokens/s; "
        f"one client's slowest: {one['slowest'] / plain['slowest']:.2f} x"
    )


def _measure(options: argparse.Namespace, *part: str) -> dict[str, Any]:
    """Runs one measurement in a process of its own."""
    words = ["--data", str(options.data), "--threads", str(options.threads), "--steps", str(options.steps)]
    words += ["--model", str(options.model)] if options.model else []
    try:
        return training.apart("tests.bench.engine", [*words, "--part", *part])
    except UserError as error:
        raise UserError(f"the measurement '{' '.join(part)}' failed: {error}") from None


def _part(options: argparse.Namespace) -> dict[str, Any]:
    import torch

    from scripts.local.engine import smollm2

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    folder = options.model or smollm2.weights("bfloat16")[0]
    name, *rest = options.part
    if name == "peak":
        return {"gflops": training.matrix_rate("cpu") / 1e9}
    if name in ("engine", "trainer"):
        return _train(folder, options, name, int(rest[0]))
    return _serve(folder, int(rest[0]) if rest else 0)


def _train(folder: Path, options: argparse.Namespace, name: str, batch: int) -> dict[str, float]:
    import torch
    from transformers import AutoModelForCausalLM

    from scripts.local.engine import model_import, packed

    rows = training.demo_rows(model_import.load_tokenizer(folder), options.data)
    if name == "engine":
        model = packed.load(folder, torch.bfloat16, "cpu")
        return training.by_engine(model, rows, batch, options.steps, training.Clock())
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    return training.by_trainer(model, rows, batch, options.steps, training.Clock())


def _serve(folder: Path, rows: int) -> dict[str, Any]:
    """Ten answers of the same length; `rows` at a time by the server's generator, or by generate() if 0."""
    import shutil
    import tempfile

    from scripts.local.engine.finetune import peak_memory

    with tempfile.TemporaryDirectory() as home:
        shutil.copytree(folder, Path(home) / "model", copy_function=os.symlink)
        (Path(home) / "MLmodel").write_text("flavors: {}\n")
        answers, prompt_rate = _by_server(Path(home), rows) if rows else _by_generate(folder)
    total = sum(NEW_TOKENS for _ in answers["seconds"]) / answers["wall"]
    times = sorted(answers["seconds"])
    return {
        "prompt": prompt_rate,
        "answer": total,
        "total": total,
        "typical": times[len(times) // 2],
        "slowest": times[-1],
        "memory_mb": peak_memory(),
    }


class _Steady(threads.Follower):
    """Leaves the number of threads as this measurement has set it."""

    def adjust(self) -> int:
        return self.current


def _by_server(home: Path, rows: int) -> tuple[dict[str, Any], float]:
    from scripts.local.scoring.contract import Parameters
    from scripts.local.scoring.generator import Generator

    generator = Generator(home, rows, _Steady())
    generator.ends = set()

    def ask(tokens: int, repeat: int = 1) -> Any:
        return generator.prepare([{"role": "user", "content": QUESTION * repeat}], Parameters(max_new_tokens=tokens))

    def run(waiting: list[Any]) -> list[float]:
        seconds, begun = [], time.perf_counter()
        while waiting or generator.active:
            while waiting and len(generator.active) < rows:
                answer = waiting.pop()
                answer.begun = time.perf_counter() if rows == 1 else begun
                generator.add(answer)
            seconds += [time.perf_counter() - answer.begun for answer in generator.step()]
        return seconds

    run([ask(2)])
    long = ask(1, repeat=20)
    begun = time.perf_counter()
    run([long])
    rate = len(long.prompt) / (time.perf_counter() - begun)
    begun = time.perf_counter()
    seconds = run([ask(NEW_TOKENS) for _ in range(16 if rows > 1 else 8)])
    return {"seconds": seconds, "wall": time.perf_counter() - begun}, rate


def _by_generate(folder: Path) -> tuple[dict[str, Any], float]:
    import torch
    from transformers import AutoModelForCausalLM

    from scripts.conversation import tokens as chat
    from scripts.local.engine import model_import

    tokenizer = model_import.load_tokenizer(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto").eval()
    model.generation_config.eos_token_id = None

    def ask(tokens: int, repeat: int = 1) -> tuple[float, int]:
        """Returns the seconds that the answer took, and the length of its prompt."""
        ids = torch.tensor([chat.prompt(tokenizer, [{"role": "user", "content": QUESTION * repeat}])])
        begun = time.perf_counter()
        mask = torch.ones_like(ids)
        model.generate(ids, attention_mask=mask, max_new_tokens=tokens, do_sample=False, pad_token_id=0)
        return time.perf_counter() - begun, ids.shape[1]

    ask(2)
    seconds, length = ask(1, repeat=20)
    begun = time.perf_counter()
    return {"seconds": [ask(NEW_TOKENS)[0] for _ in range(8)], "wall": time.perf_counter() - begun}, length / seconds


if __name__ == "__main__":
    main(command)
