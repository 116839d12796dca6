"""How long training takes: seconds per micro-batch from its arithmetic, then hours as a range.

    seconds = max(FLOPs / (peak x achievable share), layers x launch time) + traffic with the host
    FLOPs per token = 6N for full training, 4N for LoRA, and 2N more when activations are computed again

The share that a card achieves grows with the width of the matrices. README.md beside this file has the sources;
`make bench-estimates` compares the rates with 140 published ones.
"""

from __future__ import annotations

from dataclasses import dataclass

from scripts.azure.machine_sizes import Card
from scripts.azure.model_shapes import Shape
from scripts.estimate.memory import Step

# Fitted on the published rates (the reference is an A100): share of the peak = best x hidden / (hidden + half).
PLAIN = (1.0, 5000.0)  # Hugging Face and peft as they come: (best, half)
OPTIMISED = (0.8, 1000.0)  # compiled, packed or fused stacks
TURING_BEST = 0.24
LAUNCH = 0.005  # seconds per layer that the host needs to launch a step's kernels
EAGER = 1.25  # how much longer a step takes when the attention matrix is held
DEQUANTISE = 12e-12  # seconds per packed parameter and pass on an A100
REFERENCE_TFLOPS = 312.0

# The range around the estimate: six of seven published rates lie within.
FASTEST, SLOWEST = 0.75, 1.5
STARTUP = (0.25, 0.5, 1.0)  # hours: a node, the image, importing and converting the model: fast, likely, slow
CPU_ADAM = 1.0e9  # parameters a second that DeepSpeed's Adam updates on a host's cores


@dataclass(frozen=True)
class Work:
    """What is trained on, over all GPUs, a pass: rows and tokens after truncation; and what each evaluation reads."""

    rows: int
    tokens: int
    epochs: float
    validation_rows: int = 0
    validation_tokens: int = 0


@dataclass(frozen=True)
class Hours:
    """Hours of the job: the likely figure and its range, with what was assumed, a sentence each."""

    low: float
    likely: float
    high: float
    assumptions: tuple[str, ...]


def share(card: Card, hidden: int, optimised: bool = False) -> float:
    """Returns the share of its peak that a card achieves on matrices of this width."""
    best, half = OPTIMISED if optimised else PLAIN
    if card.gpu == "T4" and not optimised:
        return TURING_BEST * hidden / (hidden + half * card.tflops_16 / REFERENCE_TFLOPS)
    return card.achievable * best * hidden / (hidden + half)


def flops_per_token(shape: Shape, sequence: float, full: bool, checkpointing: bool) -> float:
    """Returns the floating-point operations of one trained token, the causal half of the attention included."""
    passes = (6 if full else 4) + (2 if checkpointing else 0)
    return passes * (shape.flops_parameters + shape.layers * sequence * shape.heads * shape.head_dim)


def micro_batch_seconds(step: Step, card: Card, tokens: float, optimised: bool = False) -> float:
    """Returns the seconds that one GPU needs for one micro-batch of `tokens` tokens, forward and backward."""
    shape = step.shape
    full = not step.lora_rank
    operations = tokens * flops_per_token(shape, tokens / step.batch, full, step.checkpointing)
    seconds = operations / (card.tflops_16 * 1e12 * share(card, shape.hidden, optimised))
    if step.weights == "32":
        seconds *= 2.0  # tensor cores take 32-bit matrices at half the rate or less
    if step.attention == "eager":
        seconds *= EAGER
    passes = 3 if step.checkpointing else 2
    if step.weights not in ("16", "32"):
        seconds += shape.linear / step.gpus * passes * DEQUANTISE * REFERENCE_TFLOPS / card.tflops_16
    if not optimised:
        kernels = 1.5 if step.weights not in ("16", "32") else 2.5 if step.sharding == "zero3" else 1.0
        seconds = max(seconds, LAUNCH * shape.layers * kernels)
    if step.offload_weights:  # every pass reads the weights from the host again
        seconds = max(seconds, 2.0 * shape.parameters * passes / (card.host_gb_per_s * 1e9))
    return seconds


def update_seconds(step: Step, card: Card) -> float:
    """Returns the seconds of one optimizer step; only an offloaded optimizer takes a while."""
    if not step.offload_optimizer:
        return 0.0
    trained = step.shape.lora_parameters(step.lora_rank, step.lora_targets) if step.lora_rank else step.shape.parameters
    return trained / step.gpus * (4.0 / (card.host_gb_per_s * 1e9) + 1.0 / CPU_ADAM)


def hours(step: Step, card: Card, work: Work, accumulation: int = 1) -> Hours:
    """Returns how long the job takes, from the asking for a node to the converted model."""
    micro_batches = -(-work.rows // (step.batch * step.gpus))
    mean = min(step.sequence, work.tokens / max(work.rows, 1))
    # a batch is padded to its longest row; conversations of a batch differ by about a quarter of their mean each
    padded = min(float(step.sequence), mean * (1 + 0.25 * (step.batch - 1) ** 0.5))
    training = micro_batches * micro_batch_seconds(step, card, padded * step.batch)
    training += micro_batches / accumulation * update_seconds(step, card)
    third = 0.0
    if work.validation_rows:  # forward only
        third = work.validation_tokens / max(work.tokens, 1) * micro_batches / 3
        third *= micro_batch_seconds(step, card, padded * step.batch)
    likely = (training + third) * work.epochs / 3600
    loading = 3 * 2 * step.shape.parameters / 0.2e9 / 3600  # imported, saved and converted at about 200 MB/s
    low, middle, high = (loading * factor + start for factor, start in zip((0.5, 1, 2), STARTUP, strict=True))
    assumptions = [
        f"{share(card, step.shape.hidden):.0%} of {card.gpu}'s {card.tflops_16:g} TFLOP/s",
        f"{mean:.0f} tokens a conversation",
        f"{middle:.1f} h for the node, the image and the model's import and conversion",
    ]
    if step.offload_weights:
        assumptions.append("weights read from the host in every pass (DeepSpeed stage 3 as the component ships it)")
    return Hours(likely * FASTEST + low, likely + middle, likely * SLOWEST + high, tuple(assumptions))
