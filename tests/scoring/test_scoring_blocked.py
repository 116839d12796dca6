"""Weights in oneDNN's blocks multiply as the plain ones do."""

from __future__ import annotations

import pytest
import torch

from scripts.local.scoring import blocked


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("tokens", [1, 8, 300])
def test_a_layer_in_blocks_is_the_plain_one(tokens: int, bias: bool) -> None:
    torch.manual_seed(0)
    plain = torch.nn.Linear(64, 96, bias=bias, dtype=torch.bfloat16)
    inputs = torch.randn(2, tokens, 64, dtype=torch.bfloat16)
    with torch.inference_mode():
        wanted = plain.float()(inputs.float())
        plain = plain.bfloat16()
        found = blocked.Linear(plain.weight, plain.bias)(inputs)
    assert found.shape == wanted.shape
    assert torch.allclose(found.float(), wanted, atol=2e-2, rtol=2e-2)


def test_only_what_is_bf16_and_plainly_linear_is_replaced() -> None:
    shared = torch.nn.Embedding(32, 16, dtype=torch.bfloat16)
    output = torch.nn.Linear(16, 32, bias=False, dtype=torch.bfloat16)
    output.weight = shared.weight
    wide = torch.nn.Linear(16, 16, dtype=torch.float32)
    model = torch.nn.ModuleDict({"embedding": shared, "output": output, "wide": wide})
    before = shared.weight.detach().clone()
    blocked.put_in_blocks(model)
    assert isinstance(model["output"], blocked.Linear) and model["wide"] is wide
    assert torch.equal(model["embedding"].weight, before)
    elsewhere = torch.nn.ModuleDict({"plain": torch.nn.Linear(8, 8, dtype=torch.bfloat16, device="meta")})
    blocked.put_in_blocks(elsewhere)  # nothing to do for another device
    assert type(elsewhere["plain"]) is torch.nn.Linear
