"""A model from its files: the loss of true answers (teacher-forced, as in training) and answers of its own.

Uses the training step's tokens, mask and forward pass (scripts/local/engine), so that a loss here is the loss there.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scripts.conversation import model_folder, tokens
from scripts.conversation.held_out import Case
from scripts.conversation.tokens import Encoded
from scripts.errors import MISSING, UserError

BATCH_TOKENS = 12_000  # tokens of prompts and answers that are generated together


class Model:
    """A chat model in memory; `answers` and `losses` take cases."""

    def __init__(self, folder: Path, system_role: bool = True) -> None:
        try:
            import torch
        except ImportError:
            raise UserError(
                "torch is not installed, so weights cannot be evaluated here; install the packages of the group local "
                "(pip install --group local -c constraints.txt), or set evaluation.weights to false",
                MISSING,
            ) from None
        from transformers.utils import logging

        from scripts.local.engine import lora, model_import, packed
        from scripts.local.engine.threads import Follower

        logging.disable_progress_bar()
        self.folder = model_import.weights_in(folder)
        _fits(self.folder)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self.threads = Follower()
        self.tokenizer = model_import.load_tokenizer(self.folder)
        # The component's word for the weights' type.
        saved = "32" if model_folder.dtype(self.folder) == "float32" else "16"
        self.model: Any = lora.merged(packed.load(self.folder, packed.precision(saved, device)[0], device), folder)
        self.model.eval()
        self.length = self.tokenizer.model_max_length
        self.system_role = system_role  # else a system message goes in front of the first question, as in training

    def losses(self, cases: Sequence[Case]) -> list[tuple[float, int]]:
        """Returns for each case the summed negative log-likelihood of its true answer, in nats, and its tokens.

        The tokens are those that the training would train of the last turn. A conversation too long for the model loses
        its oldest part, never its answer.
        """
        from scripts.local.engine import packed

        losses = []
        for case in cases:
            self.threads.adjust()
            row = self.last_answer(case)
            row = Encoded(row.ids[-self.length :], row.trained[-self.length :])
            losses.append((packed.evaluated_loss(self.model, [row]), sum(row.trained)))
        return losses

    def last_answer(self, case: Case) -> Encoded:
        """Returns the case with its true answer as tokens, and only that answer marked."""
        messages = [*case.messages, {"role": "assistant", "content": case.truth}]
        return only_last(tokens.encode(self.tokenizer, messages, case.tools, self.system_role))

    def prompt(self, case: Case) -> list[int]:
        """Returns the tokens that the model continues with its answer."""
        return tokens.prompt(self.tokenizer, case.messages, case.tools, self.system_role)

    def answers(self, cases: Sequence[Case], max_new_tokens: int) -> list[str]:
        """Returns the likeliest answer to each case (greedy, so that a second evaluation says the same)."""
        prompts = [self.prompt(case)[-max(1, self.length - max_new_tokens) :] for case in cases]
        answers = [""] * len(cases)
        for group in batched(prompts, max_new_tokens):
            self.threads.adjust()
            for at, text in zip(group, self._generate([prompts[at] for at in group], max_new_tokens), strict=True):
                answers[at] = text
        return answers

    def _generate(self, prompts: list[list[int]], max_new_tokens: int) -> list[str]:
        import torch

        self.model.set_attn_implementation("sdpa")  # packed attention knows no cache
        try:
            width = max(map(len, prompts))
            padding = self.tokenizer.pad_token_id or 0
            ids = torch.tensor([[padding] * (width - len(prompt)) + prompt for prompt in prompts])
            mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
            with torch.inference_mode():
                written = self.model.generate(
                    input_ids=ids.to(self.model.device),
                    attention_mask=mask.to(self.model.device),
                    max_new_tokens=max_new_tokens,
                    do_sample=False,
                    use_cache=True,
                    pad_token_id=padding,
                )
        finally:
            self.model.set_attn_implementation("packed")
        return [self.tokenizer.decode(row[width:], skip_special_tokens=True).strip() for row in written]


def only_last(row: Encoded) -> Encoded:
    """Returns the row with only its last run of trained tokens marked: the last answer."""
    end = max((at for at, trained in enumerate(row.trained) if trained), default=-1)
    start = end
    while start > 0 and row.trained[start - 1]:
        start -= 1
    return Encoded(row.ids, [start <= at <= end for at in range(len(row.ids))])


def batched(prompts: Sequence[Sequence[int]], max_new_tokens: int) -> list[list[int]]:
    """Returns groups of positions, of similar length, whose padded tokens stay within BATCH_TOKENS."""
    groups: list[list[int]] = []
    for at in sorted(range(len(prompts)), key=lambda at: -len(prompts[at])):
        widest = len(prompts[groups[-1][0]]) + max_new_tokens if groups else 0
        if groups and widest * (len(groups[-1]) + 1) <= BATCH_TOKENS:
            groups[-1].append(at)
        else:
            groups.append([at])
    return groups


def _fits(folder: Path) -> None:
    """Refuses weights that this machine cannot hold, before it starts to swap."""
    import psutil
    import torch

    size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    free = torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else psutil.virtual_memory().available
    if size * 1.3 > free:
        raise UserError(
            f"{folder}: {size / 1e9:.1f} GB of weights do not fit into the {free / 1e9:.1f} GB of memory that are "
            "free here; evaluate on a machine with more, or set evaluation.weights to false and "
            "evaluation.base_endpoint to an endpoint that serves the base model"
        )
