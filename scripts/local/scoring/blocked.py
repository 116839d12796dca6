"""A model's weights in the blocks in which oneDNN multiplies them, so that no answer has to put them in order first.

One token at a time, a matrix product is the reading of its weights: in order they are read at the memory's speed. The
operations are those that torch's own compiler uses for frozen weights on a processor.
"""

from __future__ import annotations

from typing import Any

import torch

FEW = 8  # tokens at a time that the order is made for: the conversations that are answered together


class Linear(torch.nn.Module):
    """A linear layer that only computes."""

    def __init__(self, plain: torch.nn.Linear) -> None:
        super().__init__()
        self.bias = plain.bias
        self.weight = torch.ops.mkldnn._reorder_linear_weight(plain.weight.detach(), FEW)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Returns inputs W' + bias."""
        return torch.ops.mkldnn._linear_pointwise(inputs, self.weight, self.bias, "none", [], "")


def put_in_blocks(model: Any) -> None:
    """Replaces the linear layers of a bf16 model, where torch has these operations for the model's device.

    The plain weights are let go, but for those that another layer shares, as an embedding does the output's.
    """
    able = all(hasattr(torch.ops.mkldnn, name) for name in ("_reorder_linear_weight", "_linear_pointwise"))
    if not able or not torch.backends.mkldnn.is_available() or model.device.type != "cpu":
        return
    for parent in model.modules():
        for name, layer in parent.named_children():
            if type(layer) is torch.nn.Linear and layer.weight.dtype == torch.bfloat16:
                setattr(parent, name, Linear(layer))
    for weight in model.parameters():  # what is left lies in the file's pages, which would stay for it
        weight.data = weight.data.clone()
