"""Step 4, chat_completion_finetune: the training loop.

Deliberately a loop of this project and not transformers.Trainer: conversations packed without padding, logits only
where something is trained, adapters written out (packed.py, lora.py). What did not pay is in NOTES.md beside it.
"""

from __future__ import annotations

import math
import resource
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from scripts.conversation.tokens import Encoded
from scripts.local.engine import lora, packed, step_plan, threads
from scripts.local.engine.checkpoints import Checkpoints, State, restore
from scripts.local.engine.job_folder import Job
from scripts.local.engine.mlflow_metrics import Tracker
from scripts.local.engine.model_import import BaseModel
from scripts.local.engine.preprocess import Data
from scripts.local.engine.step_plan import batches, passes

CAPPED = "azureml_local.capped"  # the tag of a run that a cap of this machine made shorter, and its words
# Tokens that are computed at once; more is no faster on a CPU, and takes more memory: of Phi-3-mini's shape some 5 MB a
# token on a GPU (measured on an H200), so that a pass fits a card of 80 GB.
PASS_TOKENS = {"cpu": 1024, "cuda": 8192}


def run(
    job: Job, values: dict[str, Any], base: BaseModel, data: Data, tracker: Tracker, follower: threads.Follower
) -> tuple[Any, dict[str, Any]]:
    """Trains and evaluates; returns the best model (LoRA merged if asked), and what the record says about it."""
    from transformers import set_seed

    set_seed(values["seed"], deterministic=values["enable_full_determinism"])
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype, words = packed.precision(values["precision"], device)
    job.log(f"device: {device}, {follower.adjust()} of {follower.most} thread(s) as others leave them, {words}")
    plan = step_plan.make(values, [len(row.ids) for row in data.train], job.settings, data.unreached)
    if plan.capped:
        job.log(f"CAPPED: {plan.capped}")
        tracker.tags({CAPPED: plan.capped})

    model: Any = packed.load(base.folder, dtype, device)
    adapted, how = model, "full fine-tuning (apply_lora false)"
    if values["apply_lora"]:
        targets, lines = lora.targets(model, values, base)
        for line in lines:
            job.log(line)
        adapted = lora.add_adapters(model, values, targets)
        how = f"LoRA r {values['lora_r']}, alpha {values['lora_alpha']}, dropout {values['lora_dropout']:g}"
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    trained, total = sum(w.numel() for w in weights), sum(w.numel() for w in model.parameters())
    job.log(f"trains {trained:,} of {total:,} weights ({100 * trained / total:.2f} %): {how}")
    job.log(
        f"{len(data.train)} conversations, {plan.batch} a step: {plan.steps_per_epoch} steps an epoch, "
        f"{plan.planned} in all"
    )
    loop = Loop(job, values, plan, model, make_optimizer(weights, values), data, tracker, follower, PASS_TOKENS[device])
    given = [Path(values["pytorch_model_path"])] if values["pytorch_model_path"] else []
    loop.train([job.scratch / "checkpoints", *given])
    summary = loop.finish()
    if values["apply_lora"] and values["merge_lora_weights"]:
        adapted = adapted.merge_and_unload()
        job.log("merged the LoRA adapters into the weights")
    summary.update(device=device, dtype=str(dtype).removeprefix("torch."), peak_rss_mb=round(peak_memory()))
    return adapted, summary


@dataclass
class Loop:
    """The steps: batches, gradient, optimizer, learning rate, logging, evaluation, checkpoints, early stopping."""

    job: Job
    values: dict[str, Any]
    plan: step_plan.Plan
    model: Any
    optimizer: torch.optim.Optimizer
    data: Data
    tracker: Tracker
    follower: threads.Follower
    pass_tokens: int
    step: int = 0
    best: tuple[float, int] = (math.inf, 0)  # evaluation loss, step
    worse: int = 0  # evaluations in a row without a better one
    first_loss: float | None = None
    losses: list[float] = field(default_factory=list)  # of the steps since the last line in the log
    all_losses: float = 0.0
    tokens: int = 0
    seconds: float = 0.0
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=8))  # seconds of the last steps

    def __post_init__(self) -> None:
        self.checkpoints = Checkpoints(self.job.scratch / "checkpoints", self.values["save_total_limit"])

    def train(self, resume_from: list[Path]) -> None:
        """Runs until the plan's last step, or until early stopping ends it."""
        self.begun = time.monotonic()
        if self.plan.evaluate_every:
            self.first_loss = self.evaluate("before training")
        if self.values["resume_from_checkpoint"]:
            self.resume(resume_from)
        for epoch in range(
            self.step // self.plan.steps_per_epoch, math.ceil(self.plan.total / self.plan.steps_per_epoch)
        ):
            done = self.step - epoch * self.plan.steps_per_epoch  # steps of this epoch before the resumed checkpoint
            for number, rows in enumerate(batches(self.data.train, self.plan.batch, self.values["seed"], epoch)):
                if number < done:
                    continue
                self.one_step(rows)
                if self.plan.evaluate_after(self.step) and not self.keep_going():
                    return
                if self.step >= self.plan.total:
                    return

    def one_step(self, rows: list[Encoded]) -> None:
        """One optimizer step on a batch; the loss is the mean over its trained tokens."""
        begun = time.monotonic()
        values, step = self.values, self.step
        rate = values["learning_rate"] * step_plan.learning_rate(
            values["lr_scheduler_type"], step, values["warmup_steps"], self.plan.total, values["learning_rate"]
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        trained = sum(sum(row.trained) for row in rows)
        self.model.train()
        loss = 0.0
        for part in passes(rows, self.pass_tokens):
            self.follower.adjust()
            share = packed.trained_loss(self.model, part, 1 / trained)
            share.backward()
            loss += share.item()
        weights = [weight for group in self.optimizer.param_groups for weight in group["params"]]
        norm = torch.nn.utils.clip_grad_norm_(weights, values["max_grad_norm"] or math.inf).item()
        self.optimizer.step()
        self.optimizer.zero_grad()
        if not math.isfinite(loss):
            self.job.log(f"WARNING: the loss is {loss} at step {step + 1}; lower the learning rate")
        self.step += 1
        self.losses.append(loss)
        self.all_losses += loss
        self.tokens += sum(len(row.ids) for row in rows)
        self.recent.append(time.monotonic() - begun)
        self.seconds += self.recent[-1]
        self.report(rate, norm)

    def report(self, rate: float, norm: float) -> None:
        """Logs as logging_strategy and logging_steps say, the first and the last step always."""
        per = self.plan.steps_per_epoch if self.values["logging_strategy"] == "epoch" else self.values["logging_steps"]
        if self.step % per and self.step not in (1, self.plan.total):
            return
        loss, speed = sum(self.losses) / len(self.losses), self.tokens / self.seconds
        self.losses = []
        epoch = self.step / self.plan.steps_per_epoch
        left = (self.plan.total - self.step) * sum(self.recent) / len(self.recent)
        self.job.log(
            f"step {self.step}/{self.plan.total}  loss {loss:.4f}  rate {rate:.2e}  {speed:.0f} tokens/s  "
            f"ETA {left:.0f} s"
        )
        self.tracker.metrics(
            self.step, loss=loss, grad_norm=norm, learning_rate=rate, epoch=epoch, tokens_per_second=speed
        )

    def evaluate(self, when: str) -> float:
        """Returns the mean loss of the trained tokens of the held-out conversations."""
        rows = self.data.validation
        if not rows:
            return math.nan
        begun = time.monotonic()
        self.model.eval()
        total = 0.0
        for part in passes(rows, self.pass_tokens):
            self.follower.adjust()
            total += packed.evaluated_loss(self.model, part)
        loss = total / sum(sum(row.trained) for row in rows)
        seconds = time.monotonic() - begun
        self.job.log(f"evaluation {when}: loss {loss:.4f}, perplexity {math.exp(min(loss, 50)):.2f} ({len(rows)} rows)")
        self.tracker.metrics(
            self.step,
            eval_loss=loss,
            eval_runtime=seconds,
            eval_samples_per_second=len(rows) / seconds,
            epoch=self.step / self.plan.steps_per_epoch,
        )
        return loss

    def keep_going(self) -> bool:
        """Evaluates, saves a checkpoint, and says whether early stopping lets the run continue."""
        loss = self.evaluate(f"after step {self.step}")
        better = loss < self.best[0] - self.values["early_stopping_threshold"]
        self.worse = 0 if better else self.worse + 1
        if loss < self.best[0] or self.best[1] == 0 or math.isnan(self.best[0]):
            self.best = (loss, self.step)
        state = State(self.step, *self.best, self.worse, self.all_losses)
        self.checkpoints.save(self.step, self.model, self.optimizer, state)
        self.tracker.metrics(self.step, checkpoint_save_step=self.step)
        if self.values["apply_early_stopping"] and self.worse >= self.values["early_stopping_patience"]:
            self.job.log(f"early stopping: {self.worse} evaluation(s) in a row no better than {self.best[0]:.4f}")
            return False
        return True

    def resume(self, folders: list[Path]) -> None:
        """Continues from the newest checkpoint there is; the batches go on where they were."""
        state = self.checkpoints.resume(folders, self.model, self.optimizer)
        if state is None:
            self.job.log("resume_from_checkpoint: no checkpoint found; starting at step 0")
            return
        self.step, self.worse, self.all_losses = state.global_step, state.worse, state.loss_sum
        self.best = (state.best_metric, state.best_step)
        self.job.log(f"resumed from step {self.step}")

    def finish(self) -> dict[str, Any]:
        """Returns to the best checkpoint, and returns the run's summary, which also goes to MLflow."""
        seconds = time.monotonic() - self.begun
        best = self.checkpoints.best
        if best and self.best[1] != self.step:
            restore(self.model, best)
            self.job.log(f"the best model is that of step {self.best[1]} (evaluation loss {self.best[0]:.4f}); taken")
        mean = self.all_losses / max(1, self.step)
        speed = self.tokens / max(self.seconds, 1e-9)
        change = ""
        if self.first_loss is not None and self.best[1]:
            ratio = self.best[0] / self.first_loss - 1
            change = f"; held-out loss {self.first_loss:.4f} -> {self.best[0]:.4f} ({ratio:+.0%})"
        self.job.log(f"trained {self.step} steps in {seconds:.1f} s{change}")
        self.job.log(f"peak memory {peak_memory():.0f} MB")
        self.tracker.metrics(
            self.step,
            train_runtime=seconds,
            train_loss=mean,
            train_samples_per_second=self.step * self.plan.batch / max(seconds, 1e-9),
            train_steps_per_second=self.step / max(seconds, 1e-9),
            epoch=self.step / self.plan.steps_per_epoch,
        )
        self.tracker.tags({"score": self.best[0]} if self.best[1] else {})
        return {
            "steps": self.step,
            "planned_steps": self.plan.planned,
            "capped": self.plan.capped or None,
            "epochs": round(self.step / self.plan.steps_per_epoch, 4),
            "train_loss": mean,
            "train_tokens_per_second": round(speed, 1),
            "eval_loss_before": self.first_loss,
            "eval_loss": self.best[0] if self.best[1] else None,
            "best_step": self.best[1] or self.step,
        }


def make_optimizer(weights: list[torch.nn.Parameter], values: dict[str, Any]) -> torch.optim.Optimizer:
    """Returns AdamW or Adafactor; weight decay spares vectors (norms, biases), as Trainer does."""
    groups = [
        {"params": [w for w in weights if w.ndim > 1], "weight_decay": values["weight_decay"]},
        {"params": [w for w in weights if w.ndim < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if values["optim"] == "adafactor":
        from transformers import Adafactor

        return Adafactor(groups, lr=values["learning_rate"], scale_parameter=False, relative_step=False)
    betas = (values["adam_beta1"], values["adam_beta2"])
    return torch.optim.AdamW(groups, lr=values["learning_rate"], betas=betas, eps=values["adam_epsilon"], fused=True)


def peak_memory() -> float:
    """Returns the most memory this process held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
