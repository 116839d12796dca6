"""The next token from the model's logits: greedy, or by temperature, top_k and top_p."""

from __future__ import annotations

import torch

from scripts.local.scoring.contract import Parameters

CANDIDATES = 256  # usually hold more than top_p of the probability, which spares sorting the whole vocabulary


def choose(logits: torch.Tensor, parameters: Parameters, generator: torch.Generator) -> int:
    """Returns the next token for one row of logits [vocabulary], in fp32."""
    if not parameters.do_sample or parameters.temperature == 0:
        return int(logits.argmax())
    chances = torch.softmax(logits / parameters.temperature, -1)
    count = min(parameters.top_k or CANDIDATES, len(chances))
    best, tokens = torch.topk(chances, count)
    if parameters.top_k:
        best = best / best.sum()
    elif best.sum() < parameters.top_p:
        best, tokens = torch.sort(chances, descending=True)
    # A token stays while those before it have less than top_p together; so the first always stays.
    best = best * (best.cumsum(-1) - best < parameters.top_p)
    return int(tokens[torch.multinomial(best, 1, generator=generator)])
