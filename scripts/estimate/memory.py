"""GPU memory of a training step, per GPU, in bytes: where every term comes from stands in README.md beside this file.

    peak = weights + gradients + optimizer + max(activations + logits, optimizer step) + framework, and a margin

The terms are sums of parts that the sources document; five constants that no source gives are fitted to published
measurements and kept in `Constants`. `make bench-estimates` compares the result with those measurements.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from scripts.azure.model_shapes import ALL_LINEAR, Shape

GIB = 2**30

# Bytes that a linear layer's parameter takes in each storage; the 4-bit ones include their scales.
WEIGHT_BYTES = {"32": 4.0, "16": 2.0, "nf4": 0.5 + 4 / 64, "nf4-double": 0.516, "gptq": 0.53}

# Bytes per token and vocabulary entry between the output matrix and the gradient of the loss.
LOSS_BYTES = {
    "upcast": 14,  # today's plain Hugging Face loss: 16-bit logits, their 32-bit copy, log-softmax, its gradient
    "autocast": 12,  # the same before 2024, under autocast: two 16-bit copies, log-softmax and gradient in 32
    "once": 8,  # one 32-bit copy and its gradient
    "half": 8,  # all in 16 bits: logits, shifted copy, log-softmax, gradient
    "half-chunked": 4,  # 16-bit logits and log-softmax are kept, copies and gradients exist for a chunk only
    "chunked": 1,  # computed a chunk at a time, compiled
    "fused": 0,  # never held whole
}


@dataclass(frozen=True)
class Constants:
    """What no source gives: fitted on the published rows by tests/bench/estimates.py, low errors weigh threefold."""

    context: float = 1.5  # GiB: CUDA context, library kernels and workspaces of a data-centre card
    margin: float = 0.06  # of the sum: fragmentation in the allocator
    deepspeed: float = 1.0  # GiB: DeepSpeed's communication buckets
    fsdp: float = 1.0  # GiB: flat parameters in flight
    quantised_copies: float = 12.0  # hidden-size copies a layer that 4-bit kernels keep when nothing is recomputed


CONTEXT_T4 = 0.14  # GiB, measured (140.9 MiB)
STEP_BYTES = 6.0  # per parameter while DeepSpeed updates: the 16-bit gradient and an unscaled 32-bit copy
LIVE_PARAMETERS = 1e9  # stage3_max_live_parameters of DeepSpeed, gathered in 16 bits
PREFETCH_PARAMETERS = 5e8  # stage3_prefetch_bucket_size, at most


@dataclass(frozen=True)
class Step:
    """One optimizer step of one GPU: what is trained, how, and on which software stack."""

    shape: Shape
    batch: int
    sequence: int
    gpus: int = 1  # that share the states
    lora_rank: int = 0  # 0 trains all weights
    lora_targets: tuple[str, ...] = ALL_LINEAR
    lora_dropout: bool = False
    weights: str = "16"  # a key of WEIGHT_BYTES
    rest_32: bool = False  # what is not quantised is held in 32 bits (peft's prepare_model_for_kbit_training)
    untied: bool = False  # the stack keeps a second matrix where the model ties its two
    states: str = "16"  # full training's: 16 = two 16-bit Adam states; mixed = 32-bit master, gradient and states
    adapter_bits: int = 32
    checkpointing: bool = False
    offload_activations: bool = False
    attention: str = "fused"  # or eager: the attention matrix is held
    loss: str = "upcast"
    compiled: bool = False
    sharding: str = "none"  # zero2, zero3, fsdp
    offload_optimizer: bool = False
    offload_weights: bool = False
    optimizer_in_backward: bool = False  # the gradient of a layer goes as soon as it is used
    measure: str = "device"  # what is compared: the device's use, or the process's reserved or allocated tensors
    turing: bool = False  # a T4


@dataclass(frozen=True)
class Memory:
    """Bytes per GPU by what they hold; `total` is the peak to compare with the card."""

    weights: float
    gradients: float
    optimizer: float
    adapter: float
    activations: float
    logits: float
    optimizer_step: float
    framework: float
    margin: float

    @property
    def total(self) -> float:
        """The peak: the activations and the optimizer step do not meet, the larger one counts."""
        return self.fixed + max(self.activations + self.logits, self.optimizer_step) + self.framework + self.margin

    @property
    def fixed(self) -> float:
        """What is held all the time, whatever the batch."""
        return self.weights + self.gradients + self.optimizer + self.adapter

    def rows(self) -> list[tuple[str, float]]:
        """Returns (term, GiB) for every term that counts, and the total."""
        forward = self.activations + self.logits
        peak = ("activations", "logits") if forward >= self.optimizer_step else ("optimizer_step",)
        skip = {"activations", "logits", "optimizer_step"} - set(peak)
        terms = [(field.name.replace("_", " "), getattr(self, field.name) / GIB) for field in fields(self)
                 if field.name not in skip and getattr(self, field.name)]  # fmt: skip
        return [*terms, ("total", self.total / GIB)]


def estimate(step: Step, constants: Constants = Constants()) -> Memory:
    """Returns the memory of a training step."""
    gradients, optimizer, update = _full_states(step)
    activations, logits, framework = _activations(step, constants), _logits(step), _framework(step, constants)
    sure = Memory(
        _weights(step), gradients, optimizer, _adapter(step), activations, logits, update, framework, margin=0.0
    )
    return sure if step.measure == "allocated" else replace(sure, margin=constants.margin * sure.total)


def _shards(step: Step, *kinds: str) -> int:
    return step.gpus if step.sharding in kinds else 1


def _weights(step: Step) -> float:
    if step.offload_weights:  # on the host; the card holds what is gathered, which the framework's share counts
        return 0.0
    shape = step.shape
    rest = shape.parameters - shape.linear
    if step.untied and shape.tied:
        rest += shape.vocabulary * shape.hidden
    rest_bytes = 4.0 if step.weights == "32" or step.rest_32 else 2.0
    total = WEIGHT_BYTES[step.weights] * shape.linear + rest_bytes * rest
    if step.states == "mixed" and not step.lora_rank and step.sharding == "none":
        total = 6.0 * shape.parameters  # 32-bit master weights and the 16-bit copy that autocast makes
    return total / _shards(step, "zero3", "fsdp")


def _full_states(step: Step) -> tuple[float, float, float]:
    """Returns gradients, optimizer states and the update's extra of full training; nothing for LoRA."""
    parameters = step.shape.parameters
    if step.lora_rank:
        return 0.0, 0.0, 0.0
    if step.sharding in ("zero2", "zero3"):
        if step.offload_optimizer:  # the gradients are reduced to this GPU's part, then sent to the host
            return 2.0 * parameters / step.gpus, 0.0, 0.0
        return 0.0, 16.0 * parameters / step.gpus, STEP_BYTES * parameters / step.gpus
    if step.optimizer_in_backward:
        return 0.0, 0.0, 0.0
    if step.states == "mixed" or step.weights == "32":
        return 4.0 * parameters, 8.0 * parameters, 0.0
    shards = _shards(step, "fsdp")
    return 2.0 * parameters / shards, 4.0 * parameters / shards, 0.0


def _adapter(step: Step) -> float:
    """Bytes of a LoRA adapter: weight, gradient and two Adam states; DeepSpeed adds its 16-bit copy and gradient."""
    if not step.lora_rank:
        return 0.0
    parameters = step.shape.lora_parameters(step.lora_rank, step.lora_targets)
    if step.sharding in ("zero2", "zero3"):
        states = 0.0 if step.offload_optimizer else 16.0 / step.gpus
        return parameters * (4.0 / _shards(step, "zero3") + states)
    return parameters * (16.0 if step.adapter_bits == 32 else 8.0) / _shards(step, "fsdp")


def _activations(step: Step, constants: Constants) -> float:
    shape, tokens = step.shape, step.batch * step.sequence
    wide = 2.0 if step.weights == "32" else 1.0
    eager = 15.0 * shape.heads * step.sequence * tokens if step.attention == "eager" else 0.0
    if step.checkpointing:  # the layers' inputs are kept, and one layer at a time is computed again
        stream = 4.0 if step.rest_32 else 2.0
        kept = 0.0 if step.offload_activations else shape.layers * tokens * shape.hidden * stream
        return wide * (kept + 2.0 * _copies(step) * tokens * shape.hidden + eager)
    return wide * shape.layers * (2.0 * _kept_copies(step, constants) * tokens * shape.hidden + eager)


def _ratio(step: Step) -> float:
    return step.shape.active_experts * step.shape.intermediate / step.shape.hidden


def _copies(step: Step) -> float:
    """Hidden-size tensors that a layer holds while its gradient is computed."""
    return 15.0 if step.compiled else 14.0 + 4.0 * _ratio(step)


def _kept_copies(step: Step, constants: Constants) -> float:
    """Hidden-size tensors that a layer keeps for the backward pass when nothing is recomputed.

    A frozen matrix does not keep its input, an adapted one does; 4-bit kernels keep it in either case.
    """
    if step.compiled or not step.lora_rank:
        return _copies(step)
    ratio, adapted = _ratio(step), set(step.lora_targets)
    dropout = 1.5 if step.lora_dropout else 0.0  # what dropout lets through, and its mask
    copies = 8.0 + 4.0 * ratio
    attention, gated, down = bool(adapted & {"q", "k", "v"}), bool(adapted & {"gate", "up"}), "down" in adapted
    if step.weights in ("nf4", "nf4-double", "gptq"):
        copies += constants.quantised_copies
    else:
        copies += attention * (1.0 + dropout) + ("o" in adapted) * dropout + gated + down * ratio
    return copies + gated * 2.0 * dropout + down * ratio * dropout


def _logits(step: Step) -> float:
    held = LOSS_BYTES[step.loss] + (2 if step.rest_32 and step.loss == "upcast" else 0)
    return float(held * step.batch * step.sequence * step.shape.vocabulary)


def _framework(step: Step, constants: Constants) -> float:
    total = 0.0
    if step.measure == "device":
        total += (CONTEXT_T4 if step.turing else constants.context) * GIB
    if step.sharding in ("zero2", "zero3"):
        total += constants.deepspeed * GIB
    if step.sharding == "zero3" and (step.gpus > 1 or step.offload_weights):
        total += 4.0 * step.shape.largest_layer + 2.0 * min(LIVE_PARAMETERS, step.shape.parameters)
        total += 2.0 * min(PREFETCH_PARAMETERS, step.shape.parameters)
    if step.sharding == "fsdp":  # two layers at a time, and embedding and head, are gathered whole
        layers = 2.0 * step.shape.linear / step.shape.layers
        total += constants.fsdp * GIB + layers * WEIGHT_BYTES[step.weights]
        total += 4.0 * step.shape.vocabulary * step.shape.hidden
    return total
