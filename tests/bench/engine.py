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
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from scripts.errors import UserError, main
from scripts.files import ROOT
from scripts.local.engine import threads

DATA = ROOT / "scripts" / "catalog" / "demo" / "train_sft.jsonl"
BATCHES = (1, 4, 8)
LORA = {"lora_r": 16, "lora_alpha": 32, "lora_dropout": 0.0}
QUESTION = "Explain what the fine-tuning job of a chat model does, step by step, and what each of its steps needs. "
NEW_TOKENS = 48


def command() -> int:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.engine", description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="JSON lines with messages")
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
    """Runs one measurement in a process of its own, so that memory is its own too."""
    words = [sys.executable, "-W", "ignore", "-m", "tests.bench.engine", "--data", str(options.data)]
    words += ["--threads", str(options.threads), "--steps", str(options.steps)]
    words += ["--model", str(options.model)] if options.model else []
    quiet = {"TRANSFORMERS_VERBOSITY": "error", "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    done = subprocess.run(
        [*words, "--part", *part], capture_output=True, text=True, check=False, env={**os.environ, **quiet}
    )
    if done.returncode:
        raise UserError(f"the measurement '{' '.join(part)}' failed: {(done.stderr.strip() or '?').splitlines()[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


def _part(options: argparse.Namespace) -> dict[str, Any]:
    import torch

    from scripts.local.engine import smollm2

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    folder = options.model or smollm2.weights("bfloat16")[0]
    name, *rest = options.part
    if name == "peak":
        return {"gflops": _matmul_peak()}
    if name == "engine":
        return _train_engine(folder, options, int(rest[0]))
    if name == "trainer":
        return _train_plain(folder, options, int(rest[0]))
    return _serve(folder, int(rest[0]) if rest else 0)


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


def _rows(folder: Path, data: Path) -> list[Any]:
    from scripts.local.engine import model_import, preprocess, rows

    tokenizer = model_import.load_tokenizer(folder)
    encoded = [preprocess.encode_row(where, row, tokenizer) for where, row in rows.read(data)]
    return [row.cut(512) for row in encoded if any(row.cut(512).trained)]


def _train_engine(folder: Path, options: argparse.Namespace, batch: int) -> dict[str, Any]:
    import torch

    from scripts.local.engine import finetune, lora, packed
    from scripts.local.engine.step_plan import batches, passes

    rows = _rows(folder, options.data)
    model = packed.load(folder, torch.bfloat16, "cpu")
    lora.add_adapters(model, LORA, r".*\.layers\..*_proj")
    model.train()
    optimizer = torch.optim.AdamW([w for w in model.parameters() if w.requires_grad], lr=1e-4, fused=True)
    clock = Clock()
    for number, part in enumerate(batches(rows, batch, 0, 0)):
        if number > options.steps:
            break
        trained = sum(sum(row.trained) for row in part)
        for group in passes(part, finetune.PASS_TOKENS["cpu"]):
            packed.trained_loss(model, group, 1 / trained).backward()
        torch.nn.utils.clip_grad_norm_([w for w in model.parameters() if w.requires_grad], 1.0)
        optimizer.step()
        optimizer.zero_grad()
        computed = sum(group.shared + sum(group.lengths) for group in packed.grouped(part))
        clock.step(sum(len(row.ids) for row in part), computed)
    return clock.result(model)


def _train_plain(folder: Path, options: argparse.Namespace, batch: int) -> dict[str, Any]:
    """transformers.Trainer + PEFT as its documentation has it: dynamic padding, bf16 weights, every linear layer."""
    import tempfile

    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import (
        AutoModelForCausalLM,
        DataCollatorForSeq2Seq,
        Trainer,
        TrainerCallback,
        TrainingArguments,
    )

    from scripts.local.engine import model_import

    rows = [
        {"input_ids": row.ids, "attention_mask": [1] * len(row.ids),
         "labels": [token if trained else -100 for token, trained in zip(row.ids, row.trained, strict=True)]}
        for row in _rows(folder, options.data)
    ]  # fmt: skip
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    model.config.use_cache = False
    config = LoraConfig(
        r=LORA["lora_r"], lora_alpha=LORA["lora_alpha"], target_modules="all-linear", task_type="CAUSAL_LM"
    )
    clock, tokens = Clock(), []
    collate = DataCollatorForSeq2Seq(model_import.load_tokenizer(folder))

    def collator(part: list[dict[str, Any]]) -> Any:
        tokens.append(sum(len(row["input_ids"]) for row in part))
        return collate(part)

    class Count(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            clock.step(tokens[clock.steps])

    arguments = TrainingArguments(
        output_dir=tempfile.mkdtemp(), per_device_train_batch_size=batch, max_steps=options.steps + 1, report_to=[],
        save_strategy="no", logging_strategy="no", disable_tqdm=True, use_cpu=True, optim="adamw_torch_fused",
    )  # fmt: skip
    adapted = get_peft_model(model, config)
    Trainer(adapted, arguments, train_dataset=rows, data_collator=collator, callbacks=[Count()]).train()
    return clock.result(model)


class Clock:
    """Counts tokens, seconds and processor time from the end of the first step on: that one warms up."""

    def __init__(self) -> None:
        self.steps = self.tokens = self.computed = 0

    def step(self, tokens: int, computed: int = 0) -> None:
        """Ends a step of `tokens` tokens, of which so many were computed: by default all, beside their padding."""
        if self.steps:
            self.tokens += tokens
            self.computed += computed or tokens
        else:
            self.begun, self.begun_cpu = time.perf_counter(), time.process_time()
        self.steps += 1

    def result(self, model: Any) -> dict[str, float]:
        """Returns the rates; arithmetic per token is 4 x weights (the frozen ones get no gradient of their own)."""
        from scripts.local.engine.finetune import peak_memory

        seconds, cpu = time.perf_counter() - self.begun, time.process_time() - self.begun_cpu
        weights = sum(w.numel() for name, w in model.named_parameters() if "lora" not in name)
        return {
            "tokens_per_second": self.tokens / seconds,
            "cpu_ms_per_token": 1000 * cpu / self.tokens,
            "memory_mb": peak_memory(),
            "flops_per_token": 4.0 * weights,
            "computed": self.computed / self.tokens,
        }


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
