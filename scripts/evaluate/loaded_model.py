"""A model from its files: the loss of true answers (teacher-forced, as in training) and answers of its own.

Uses the training step's tokens, mask and forward pass (scripts/local/engine), so that a loss here is the loss there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from scripts.conversation import model_folder, tokens
from scripts.conversation.held_out import Case
from scripts.conversation.tokens import Encoded
from scripts.errors import MISSING, UserError
from scripts.evaluate.kind import Loss

BATCH_TOKENS = 12_000  # tokens of prompts and answers that are generated together
SIMILAR = 0.7  # of the longest prompt's tokens a shorter one has to have, to be answered with it: the rest is padding
PASS_TOKENS = 2048  # of conversations whose losses are computed together

Done = Callable[[float], None]  # told how many of the cases are done, parts of them too


def _silent(_: float) -> None:
    pass


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

    def losses(self, cases: Sequence[Case], done: Done = _silent) -> list[Loss]:
        """Returns for each case the summed negative log-likelihood of its true answer, in nats, and its tokens.

        The tokens are those that the training would train of the last turn. A conversation too long for the model loses
        its oldest part, never its answer.
        """
        from scripts.local.engine import packed, step_plan

        rows = [self.last_answer(case) for case in cases]
        rows = [Encoded(row.ids[-self.length :], row.trained[-self.length :]) for row in rows]
        of: dict[int, float] = {}
        for part in step_plan.passes(rows, PASS_TOKENS):
            self.threads.adjust()
            of.update(zip(map(id, part), packed.evaluated_losses(self.model, part), strict=True))
            done(len(part))
        return [(of[id(row)], sum(row.trained)) for row in rows]

    def last_answer(self, case: Case) -> Encoded:
        """Returns the case with its true answer as tokens, and only that answer marked."""
        messages = [*case.messages, {"role": "assistant", "content": case.truth}]
        return only_last(tokens.encode(self.tokenizer, messages, case.tools, self.system_role))

    def prompt(self, case: Case) -> list[int]:
        """Returns the tokens that the model continues with its answer."""
        return tokens.prompt(self.tokenizer, case.messages, case.tools, self.system_role)

    def answers(self, cases: Sequence[Case], max_new_tokens: int, done: Done = _silent) -> list[str]:
        """Returns the likeliest answer to each case (greedy, so that a second evaluation says the same)."""
        prompts = [self.prompt(case)[-max(1, self.length - max_new_tokens) :] for case in cases]
        answers = [""] * len(cases)
        for group in batched(prompts, max_new_tokens):
            self.threads.adjust()
            written = self._generate([prompts[at] for at in group], max_new_tokens, done)
            for at, text in zip(group, written, strict=True):
                answers[at] = text
        return answers

    def _generate(self, prompts: list[list[int]], max_new_tokens: int, done: Done) -> list[str]:
        import torch

        steps = 0

        def follow(ids: Any, scores: Any, **_: Any) -> Any:
            """Stops nothing: it is called after every token, and tells how far the answers are."""
            nonlocal steps
            steps += 1
            done(len(prompts) / max_new_tokens)
            return torch.zeros(len(ids), dtype=torch.bool, device=ids.device)

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
                    stopping_criteria=[follow],
                )
        finally:
            self.model.set_attn_implementation("packed")
        done(len(prompts) * (1 - steps / max_new_tokens))
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
    widest = 0
    for at in sorted(range(len(prompts)), key=lambda at: -len(prompts[at])):
        fits = groups and (widest + max_new_tokens) * (len(groups[-1]) + 1) <= BATCH_TOKENS
        if fits and len(prompts[at]) >= SIMILAR * widest:
            groups[-1].append(at)
        else:
            groups.append([at])
            widest = len(prompts[at])
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
