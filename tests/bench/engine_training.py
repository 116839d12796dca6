"""Training for `make bench-engine`: tokens/s (without padding), processor time, peak memory, share of the peak rate.

The share is as if every token of the data were computed; the engine computes once what conversations begin with alike,
and the share of tokens that are left stands beside it. Beside it transformers.Trainer + PEFT, at three batch sizes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BATCHES = (1, 4, 8)
LORA = {"lora_r": 16, "lora_alpha": 32, "lora_dropout": 0.0}


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


def _rows(folder: Path, data: Path) -> list[Any]:
    from scripts.local.engine import model_import, preprocess, rows

    tokenizer = model_import.load_tokenizer(folder)
    encoded = [preprocess.encode_row(where, row, tokenizer) for where, row in rows.read(data)]
    return [row.cut(512) for row in encoded if any(row.cut(512).trained)]


def by_engine(folder: Path, data: Path, steps: int, batch: int) -> dict[str, Any]:
    """Trains with this engine, and returns its rates and memory."""
    import torch

    from scripts.local.engine import finetune, lora, packed
    from scripts.local.engine.step_plan import batches, passes

    rows = _rows(folder, data)
    model = packed.load(folder, torch.bfloat16, "cpu")
    lora.add_adapters(model, LORA, r".*\.layers\..*_proj")
    model.train()
    optimizer = torch.optim.AdamW([w for w in model.parameters() if w.requires_grad], lr=1e-4, fused=True)
    clock = Clock()
    for number, part in enumerate(batches(rows, batch, 0, 0)):
        if number > steps:
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


def by_trainer(folder: Path, data: Path, steps: int, batch: int) -> dict[str, Any]:
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
        for row in _rows(folder, data)
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
        output_dir=tempfile.mkdtemp(), per_device_train_batch_size=batch, max_steps=steps + 1, report_to=[],
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
