"""A few training steps by this engine, and by transformers.Trainer + PEFT on the same rows: on a CPU or a GPU.

Shared by `tests.bench.engine` and `tests.bench.gpu`; each measurement belongs into a process of its own.
"""

from __future__ import annotations

import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.conversation.tokens import Encoded
from scripts.errors import UserError
from scripts.files import ROOT

DATA = ROOT / "scripts" / "catalog" / "demo" / "train_sft.jsonl"
LORA = {"lora_r": 16, "lora_alpha": 32, "lora_dropout": 0.0}
LONGEST = 512
QUIET = {"TRANSFORMERS_VERBOSITY": "error", "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1",
         "TOKENIZERS_PARALLELISM": "false"}  # fmt: skip


def apart(module: str, words: list[str], seconds: float | None = None, **variables: str) -> Any:
    """Runs a measurement in a process of its own, so that memory is its own too; returns the JSON that it prints.

    `variables` stand in its environment. A `UserError` says in a line why there is none; its cause has what it wrote.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", module, *words],
            capture_output=True, text=True, check=True, env={**os.environ, **QUIET, **variables}, timeout=seconds,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise UserError(f"not done after {seconds:.0f} s") from error
    except subprocess.CalledProcessError as error:
        raise UserError((error.stderr.strip() or "?").splitlines()[-1].removeprefix("error: ")) from error
    return json.loads(done.stdout.splitlines()[-1])


def demo_rows(tokenizer: Any, data: Path = DATA) -> list[Encoded]:
    """Returns the conversations of a file as tokens, those that train something."""
    from scripts.local.engine import preprocess, rows

    encoded = [preprocess.encode_row(where, row, tokenizer).cut(LONGEST) for where, row in rows.read(data)]
    return [row for row in encoded if any(row.trained)]


def matrix_rate(device: str) -> float:
    """Returns the best rate at which the device multiplies bf16 matrices, in FLOP/s."""
    import torch

    best, edge = 0.0, 8192
    shapes = [(edge, edge, edge)] if device == "cuda" else [(1024, 576, 1536), (2048, 1536, 1536), (1024, 2048, 2048)]
    for rows, width, out in shapes:
        left, right = (torch.randn(*shape, device=device).bfloat16() for shape in ((rows, width), (out, width)))
        for _ in range(20):
            finish(device)
            begun = time.perf_counter()
            torch.nn.functional.linear(left, right)
            finish(device)
            best = max(best, 2.0 * rows * width * out / (time.perf_counter() - begun))
    return best


def finish(device: str) -> None:
    """Waits until the GPU has done what it was told; a CPU has."""
    if device == "cuda":
        import torch

        torch.cuda.synchronize()


class Clock:
    """Counts tokens, seconds and processor time of steps, but for the first ones, which warm up."""

    def __init__(self, device: str = "cpu", warm: int = 1) -> None:
        self.device, self.warm = device, warm
        self.steps = self.tokens = self.computed = 0
        self.rates: list[float] = []

    def step(self, tokens: int, computed: int = 0) -> None:
        """Ends a step of `tokens` tokens, of which so many were computed: by default all, beside their padding."""
        finish(self.device)
        now = time.perf_counter()
        self.steps += 1
        if self.steps > self.warm:
            self.tokens += tokens
            self.computed += computed or tokens
            self.rates.append(tokens / (now - self.last))
        elif self.steps == self.warm:
            self.begun, self.begun_cpu = now, time.process_time()
        self.last = now

    def result(self, model: Any) -> dict[str, float]:
        """Returns the rates; arithmetic per token is 4 x weights (the frozen ones get no gradient of their own)."""
        from scripts.local.engine.finetune import peak_memory

        seconds, cpu = time.perf_counter() - self.begun, time.process_time() - self.begun_cpu
        weights = sum(w.numel() for name, w in model.named_parameters() if "lora" not in name)
        return {
            "tokens_per_second": self.tokens / seconds,
            "typical_tokens_per_second": statistics.median(self.rates),
            "cpu_ms_per_token": 1000 * cpu / self.tokens,
            "memory_mb": peak_memory(),
            "flops_per_token": 4.0 * weights,
            "computed": self.computed / self.tokens,
        }


def by_engine(
    model: Any, rows: list[Encoded], batch: int, steps: int, clock: Clock, pass_tokens: int | None = None
) -> dict[str, float]:
    """Trains adapters on a model with packed attention, as the engine's loop does."""
    import torch

    from scripts.local.engine import finetune, lora, packed
    from scripts.local.engine.step_plan import passes

    lora.add_adapters(model, LORA, r".*\.layers\..*_proj")
    model.train()
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=1e-4, fused=True)
    for part in itertools.islice(_batches(rows, batch), clock.warm + steps):
        trained = sum(sum(row.trained) for row in part)
        groups = passes(part, pass_tokens or finetune.PASS_TOKENS[clock.device])
        for group in groups:
            packed.trained_loss(model, group, 1 / trained).backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        laid = itertools.chain.from_iterable(packed.grouped(group) for group in groups)
        clock.step(sum(len(row.ids) for row in part), sum(group.shared + sum(group.lengths) for group in laid))
    return clock.result(model)


def _batches(rows: list[Encoded], size: int) -> Iterator[list[Encoded]]:
    """Yields full batches, an epoch after the other."""
    from scripts.local.engine.step_plan import batches

    for epoch in itertools.count():
        yield from (part for part in batches(rows, size, 0, epoch) if len(part) == min(size, len(rows)))


def by_trainer(
    model: Any, rows: list[Encoded], batch: int, steps: int, clock: Clock, recompute: bool = False
) -> dict[str, float]:
    """transformers.Trainer + PEFT as its documentation has it: dynamic padding, bf16 weights, every linear layer."""
    import tempfile

    import torch
    from peft import LoraConfig, get_peft_model
    from torch.nn.utils.rnn import pad_sequence
    from transformers import Trainer, TrainerCallback, TrainingArguments

    model.config.use_cache = False
    config = LoraConfig(
        r=LORA["lora_r"], lora_alpha=LORA["lora_alpha"], target_modules="all-linear", task_type="CAUSAL_LM"
    )
    tokens: list[int] = []

    def collator(part: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Pads to the longest row, as DataCollatorForSeq2Seq does, which wants a tokenizer."""
        tokens.append(sum(len(row["input_ids"]) for row in part))
        ids, labels = ([torch.tensor(row[key]) for row in part] for key in ("input_ids", "labels"))
        return {
            "input_ids": pad_sequence(ids, batch_first=True),
            "attention_mask": pad_sequence([torch.ones_like(row) for row in ids], batch_first=True),
            "labels": pad_sequence(labels, batch_first=True, padding_value=-100),
        }

    class Count(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            clock.step(tokens[clock.steps])

    on_gpu = clock.device == "cuda"
    arguments = TrainingArguments(
        output_dir=tempfile.mkdtemp(), per_device_train_batch_size=batch, max_steps=clock.warm + steps, report_to=[],
        save_strategy="no", logging_strategy="no", disable_tqdm=True, use_cpu=not on_gpu, optim="adamw_torch_fused",
        bf16=on_gpu, gradient_checkpointing=recompute, gradient_checkpointing_kwargs={"use_reentrant": False},
        dataloader_drop_last=True, remove_unused_columns=False,
    )  # fmt: skip
    labelled = [
        {"input_ids": row.ids,
         "labels": [token if trained else -100 for token, trained in zip(row.ids, row.trained, strict=True)]}
        for row in rows
    ]  # fmt: skip
    adapted = get_peft_model(model, config)
    Trainer(adapted, arguments, train_dataset=labelled, data_collator=collator, callbacks=[Count()]).train()
    return clock.result(model)
