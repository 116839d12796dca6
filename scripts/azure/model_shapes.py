"""The shapes of the models: how many layers, how wide, how many parameters. Facts from catalog/model_shapes.json."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from scripts.azure.catalog import read_catalog, record

# A decoder layer's linear modules, by the names that LoRA targets go by.
ATTENTION = ("q", "k", "v", "o")
MLP = ("gate", "up", "down")
ALL_LINEAR = ATTENTION + MLP


@dataclass(frozen=True)
class Shape:
    """A decoder-only transformer with gated MLPs (Llama, Phi-3, Mistral, Qwen, SmolLM2 and their like)."""

    name: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocabulary: int
    tied: bool  # the embedding is also the output matrix
    context: int  # the longest sequence that the model takes, in tokens
    experts: int = 1  # a mixture of experts holds this many MLPs a layer …
    active_experts: int = 1  # … and a token passes through this many
    qkv_bias: bool = False
    model_type: str = ""  # as its config.json says: what the component goes by

    def module(self, name: str) -> tuple[int, int]:
        """Returns (inputs, outputs) of one linear module of a layer, or of `lm_head`."""
        query, key = self.heads * self.head_dim, self.kv_heads * self.head_dim
        return {
            "q": (self.hidden, query),
            "k": (self.hidden, key),
            "v": (self.hidden, key),
            "o": (query, self.hidden),
            "gate": (self.hidden, self.intermediate),
            "up": (self.hidden, self.intermediate),
            "down": (self.intermediate, self.hidden),
            "lm_head": (self.hidden, self.vocabulary),
        }[name]

    def _modules(self, names: tuple[str, ...]) -> int:
        return sum(inputs * outputs for inputs, outputs in map(self.module, names))

    @property
    def linear(self) -> int:
        """Parameters of the layers' matrices: what 4-bit quantisation packs."""
        router = self.hidden * self.experts if self.experts > 1 else 0
        return self.layers * (self._modules(ATTENTION) + self.experts * self._modules(MLP) + router)

    @property
    def embedding_and_head(self) -> int:
        """Parameters of the embedding and of the output matrix, counted once where they are one."""
        return self.vocabulary * self.hidden * (1 if self.tied else 2)

    @property
    def parameters(self) -> int:
        """All parameters: matrices, embedding, head, norms and biases."""
        norms = self.hidden * (2 * self.layers + 1)
        biases = self.layers * (self.heads + 2 * self.kv_heads) * self.head_dim if self.qkv_bias else 0
        return self.linear + self.embedding_and_head + norms + biases

    @property
    def flops_parameters(self) -> int:
        """Parameters that a token is multiplied with: the active matrices and the output matrix, not the embedding."""
        active = self._modules(ATTENTION) + self.active_experts * self._modules(MLP)
        return self.layers * active + self.vocabulary * self.hidden

    @property
    def largest_layer(self) -> int:
        """Parameters of the largest single module: what DeepSpeed stage 3 gathers at once."""
        return max(self.vocabulary * self.hidden, self.hidden * self.intermediate)

    def lora_parameters(self, rank: int, targets: tuple[str, ...]) -> int:
        """Trainable parameters of a LoRA adapter: rank x (inputs + outputs) of every adapted matrix."""
        total = 0
        for name in targets:
            copies = 1 if name == "lm_head" else self.layers * (self.experts if name in MLP else 1)
            total += copies * rank * sum(self.module(name))
        return total


@functools.cache
def catalog() -> dict[str, Shape]:
    """Returns every known shape by every name it goes by, in lower case."""
    found: dict[str, Shape] = {}
    for row in read_catalog("model_shapes.json")["shapes"]:
        shape = record(Shape, row)
        for name in (shape.name, *row.get("also", ())):
            found[name.lower()] = shape
    return found


def find(*names: str | None) -> Shape | None:
    """Returns the shape of the first of the names that is known; a Hugging Face id's owner is left aside if need be."""
    for name in filter(None, names):
        for word in (name, name.rsplit("/", 1)[-1]):
            if shape := catalog().get(word.lower()):
                return shape
    return None
