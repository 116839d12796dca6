"""A model's weights in the blocks in which oneDNN multiplies them, so that no answer has to put them in order first.

One token at a time, a matrix product is the reading of its weights: in order they are read at the memory's speed. The
operations are those that torch's own compiler uses for frozen weights on a processor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

FEW = 8  # tokens at a time that the order is made for: the conversations that are answered together

Product = Callable[[torch.Tensor], torch.Tensor]


class Linear(torch.nn.Module):
    """A linear layer that only computes."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None = None) -> None:
        super().__init__()
        self.bias = bias
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), FEW)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Returns inputs W' + bias."""
        return torch.ops.mkldnn._linear_pointwise(inputs, self.weight, self.bias, "none", [], "")


def able(weight: torch.Tensor) -> bool:
    """Whether torch has these operations for the weight's type and device."""
    known = all(hasattr(torch.ops.mkldnn, name) for name in ("_reorder_linear_weight", "_linear_pointwise"))
    here = known and torch.backends.mkldnn.is_available() and weight.device.type == "cpu"
    return here and weight.dtype == torch.bfloat16


def linear(weight: torch.Tensor) -> Product:
    """Returns what multiplies with a weight of a file: a copy in blocks where torch is able to, else a plain one."""
    if able(weight):
        return Linear(weight).forward
    own = weight.clone()
    return lambda inputs: F.linear(inputs, own)


def put_in_blocks(model: Any) -> None:
    """Replaces the linear layers of a model where that is able to.

    The plain weights are let go, but for those that another layer shares, as an embedding does the output's.
    """
    replaced = False
    for parent in model.modules():
        for name, layer in parent.named_children():
            if type(layer) is torch.nn.Linear and able(layer.weight):
                setattr(parent, name, Linear(layer.weight, layer.bias))
                replaced = True
    for weight in model.parameters() if replaced else ():  # what is left lies in the file's pages, which stay for it
        weight.data = weight.data.clone()
