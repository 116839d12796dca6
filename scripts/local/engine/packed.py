"""A forward pass without padding: conversations lie behind each other in one row, and attention keeps them apart.

Every layer but attention works token by token, so nothing is ever computed for padding; and what conversations begin
with alike (a system prompt) is computed once, since causal attention makes it the same for all. The models stay those
of transformers: this registers an attention function with its attention interface, and passes the layout through. And
only trained positions are turned into logits: with a vocabulary of 49,152 and a hidden size of 576, logits are a fifth
of the arithmetic of SmolLM2 and most of its memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM, PreTrainedModel

from scripts.conversation.tokens import Encoded
from scripts.local.engine import attention
from scripts.local.engine.attention import Group

HEAD_ROWS = 256  # rows of logits at a time
ALIKE = 16  # tokens that conversations have to begin with alike before sharing them pays


def load(folder: Path, dtype: torch.dtype, device: str) -> PreTrainedModel:
    """Loads a model of transformers with packed attention."""
    model: Any = AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype, attn_implementation=attention.name(device, dtype)
    )
    model.config.use_cache = False
    return model.to(device)


def precision(asked: str, device: str) -> tuple[torch.dtype, str]:
    """Returns the weights' type and why: "16" is bf16 if the processor multiplies it, as the component wants."""
    if asked == "32":
        return torch.float32, "fp32 (precision 32)"
    if device == "cuda" and torch.cuda.is_bf16_supported():
        return torch.bfloat16, "bf16 (precision 16)"
    able = torch.cpu.get_capabilities()
    if device == "cpu" and any(able.get(name) for name in ("amx_bf16", "avx512_bf16", "sve_bf16")):
        return torch.bfloat16, "bf16 (precision 16; the processor has instructions for it)"
    return torch.float32, "fp32 (precision 16 was asked; this processor has no instructions for bf16)"


def hidden_states(model: PreTrainedModel, groups: Sequence[Group]) -> tuple[torch.Tensor, torch.Tensor]:
    """Runs groups and returns the states that predict a trained token, and those tokens: [n, width] and [n]."""
    ids: list[int] = []
    positions: list[int] = []
    predictors: list[int] = []
    targets: list[int] = []
    for group in groups:
        start, shared = len(ids), group.shared
        ids += group.rows[0].ids[:shared]
        positions += range(shared)
        for row in group.rows:
            # The state at position p predicts the token at p + 1; the first token of a row is predicted by nothing.
            for at in range(max(shared, 1), len(row.ids)):
                if row.trained[at]:
                    predictors.append(len(ids) + at - shared - 1 if at > shared else start + shared - 1)
                    targets.append(row.ids[at])
            ids += row.ids[shared:]
            positions += range(shared, len(row.ids))
    device = model.device
    backbone = getattr(model, model.base_model_prefix)
    output = backbone(
        input_ids=torch.tensor([ids], device=device),
        position_ids=torch.tensor([positions], device=device),
        groups=groups,
        spans=attention.spans(groups, model),
        use_cache=False,
    )
    return output.last_hidden_state[0, predictors], torch.tensor(targets, device=device)


def grouped(rows: Sequence[Encoded]) -> list[Group]:
    """Puts conversations together that begin alike, where that leaves fewer tokens to compute."""
    groups: list[Group] = []
    for row in sorted(rows, key=lambda row: row.ids):  # neighbours now have the longest beginnings in common
        if groups:
            last = groups[-1]
            among = len(last.rows)
            alike = _alike(last.rows[0], row, last.shared if among > 1 else len(row.ids))
            if alike >= ALIKE and alike * among >= last.shared * (among - 1):
                groups[-1] = Group(alike, [*last.rows, row])
                continue
        groups.append(Group(0, [row]))
    return groups


def _alike(one: Encoded, other: Encoded, most: int) -> int:
    """How many untrained tokens two conversations begin with alike; each keeps one of its own."""
    pairs = zip(one.ids[:-1], other.ids[:-1], one.trained, other.trained, strict=False)
    for at, (a, b, trained, also) in enumerate(pairs):
        if at == most or a != b or trained or also:
            return at
    return min(most, len(one.ids) - 1, len(other.ids) - 1)


def trained_loss(model: PreTrainedModel, rows: Sequence[Encoded], scale: float) -> torch.Tensor:
    """Returns `scale` times the summed cross-entropy of the trained tokens, for backward()."""
    states, targets = hidden_states(model, grouped(rows))
    head = model.get_output_embeddings()
    if _plain_head(model) and not head.weight.requires_grad:
        return _FrozenHeadLoss.apply(states, head.weight, targets, scale)
    parts = zip(states.split(HEAD_ROWS), targets.split(HEAD_ROWS), strict=True)
    total: Any = sum(F.cross_entropy(_logits(model, part), goal, reduction="sum") for part, goal in parts)
    return scale * total


@torch.no_grad()
def evaluated_losses(model: PreTrainedModel, rows: Sequence[Encoded]) -> list[float]:
    """Returns for each row the summed cross-entropy of its trained tokens, with logits in fp32."""
    groups = grouped(rows)
    states, targets = hidden_states(model, groups)
    parts = zip(states.split(HEAD_ROWS), targets.split(HEAD_ROWS), strict=True)
    losses = torch.cat([F.cross_entropy(_logits(model, part), goal, reduction="none") for part, goal in parts])
    laid = [row for group in groups for row in group.rows]
    sums = [part.sum().item() for part in losses.split([sum(row.trained[1:]) for row in laid])]
    of = dict(zip(map(id, laid), sums, strict=True))
    return [of[id(row)] for row in rows]


def evaluated_loss(model: PreTrainedModel, rows: Sequence[Encoded]) -> float:
    """Returns the sum of the rows' losses."""
    return sum(evaluated_losses(model, rows))


def _plain_head(model: PreTrainedModel) -> bool:
    """Whether logits are the head's product alone; some models cap or scale them afterwards."""
    config = model.config
    return not any(getattr(config, name, None) for name in ("final_logit_softcapping", "logits_scaling", "logit_scale"))


def _logits(model: PreTrainedModel, states: torch.Tensor) -> torch.Tensor:
    logits = model.get_output_embeddings()(states).float()
    config = model.config
    logits = logits / (getattr(config, "logits_scaling", None) or 1.0) * (getattr(config, "logit_scale", None) or 1.0)
    cap = getattr(config, "final_logit_softcapping", None)
    return torch.tanh(logits / cap) * cap if cap else logits


class _FrozenHeadLoss(torch.autograd.Function):
    """Cross-entropy straight from the states when the head is not trained (LoRA): logits of a few rows live at a time.

    The gradient is known with the loss (softmax minus one-hot), so the forward pass leaves it behind and no logits.
    """

    @staticmethod
    def forward(
        ctx: Any, states: torch.Tensor, head: torch.Tensor, targets: torch.Tensor, scale: float
    ) -> torch.Tensor:
        total = states.new_zeros((), dtype=torch.float32)
        gradient = torch.empty_like(states)
        for start in range(0, len(states), HEAD_ROWS):
            part = slice(start, start + HEAD_ROWS)
            chance = torch.softmax(states[part] @ head.T, -1)
            goal = targets[part, None]
            total -= chance.gather(1, goal).float().clamp_min_(1e-30).log_().sum()
            chance.scatter_add_(1, goal, torch.full_like(goal, -1, dtype=chance.dtype))
            torch.mm(chance, head, out=gradient[part])
        ctx.save_for_backward(gradient)
        ctx.scale = scale
        return total * scale

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * (ctx.scale * upstream), None, None, None
