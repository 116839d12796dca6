"""What if: memory, hours and money of this run on a machine size, the chosen one or any other.

The checks of memory and cost ask for the sizes of the values, `make gpu` for every size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

from scripts.azure import model_types
from scripts.azure.machine_sizes import Card, Size
from scripts.azure.model_shapes import Shape
from scripts.estimate import price, time, training_step
from scripts.estimate.memory import GIB, Memory, Step, estimate
from scripts.estimate.price import Price
from scripts.estimate.run import Run
from scripts.estimate.time import Hours

TIGHT = 0.9  # of a card's memory: above it an estimate is too near to be sure
HOST_SHARE = 0.85  # of the host's memory that training may take; the rest is the system's and the data loader's
SERVING_CONTEXT = 2.0  # GiB: CUDA context, kernels and workspaces of a server
SERVING_MARGIN = 1.1
SERVED_TOKENS = 4096  # of one conversation, whose keys and values a server keeps


@dataclass(frozen=True)
class Schedule:
    """How often the rows are passed: epochs, optimizer steps, rows of a step, and the tokens of all epochs."""

    epochs: float
    steps: int
    rows_a_step: int
    tokens: int


@dataclass(frozen=True)
class Training:
    """This run on a size: its step, what that takes, how long it is and what it costs."""

    size: Size
    card: Card
    step: Step
    hours: Hours | None  # None where the data are not prepared
    price: Price | None  # of one node and hour
    nodes: int
    schedule: Schedule | None = None  # None as `hours`
    unsure: bool = False  # whether activations are computed again, as `step` assumes, or kept: nobody knows

    @cached_property
    def memory(self) -> Memory:
        """The memory of one GPU, term by term."""
        return estimate(self.step)

    @property
    def gib(self) -> float:
        """GiB of one GPU at the peak."""
        return self.memory.total / GIB

    @property
    def fits(self) -> bool:
        """Whether the card holds it."""
        return self.gib <= self.card.usable_gib

    @property
    def is_tight(self) -> bool:
        """Whether it is nearer to the card's memory than an estimate can tell."""
        return self.gib > TIGHT * self.card.usable_gib

    @property
    def host_gib(self) -> float:
        """GiB of the host's memory that DeepSpeed takes."""
        return training_step.host_gib(self.step, self.size.gpus_per_node)

    @property
    def host_has_gib(self) -> float:
        """GiB of the host's memory."""
        return self.size.memory_gb * 1e9 / GIB

    @property
    def host_fits(self) -> bool:
        """Whether the host holds it."""
        return self.host_gib <= HOST_SHARE * self.host_has_gib

    def cost(self, hours: float) -> float | None:
        """Returns what so many hours cost, None where the price is not known."""
        return hours * self.nodes * self.price.per_hour if self.price else None

    def keeping(self) -> Training:
        """Returns the same run where the activations of all layers are kept, as without gradient checkpointing."""
        return replace(self, step=replace(self.step, checkpointing=False), unsure=False)

    def at_stage_2(self) -> Training:
        """Returns the same run with DeepSpeed stage 2, which keeps the weights on the GPU."""
        return replace(self, step=replace(self.step, sharding="zero2", offload_weights=False))


@dataclass(frozen=True)
class Serving:
    """The deployment on a size: what the model takes there, and what it costs."""

    size: Size
    card: Card
    gib: float

    @property
    def has_gib(self) -> float:
        """GiB of all GPUs of the machine."""
        return self.card.usable_gib * self.size.gpus_per_node

    @property
    def fits(self) -> bool:
        """Whether the GPUs hold it."""
        return self.gib <= self.has_gib

    @property
    def is_tight(self) -> bool:
        """Whether it is nearer to their memory than an estimate can tell."""
        return self.gib > TIGHT * self.has_gib


def training_on(run: Run, size: Size | None, all_gpus: bool = False) -> Training | None:
    """Returns this run on a size, None where the model's shape or the size's card is not known.

    `all_gpus` takes every GPU of a node, whatever the values say of the chosen size.
    """
    card = size.card if size else None
    if size is None or card is None or run.shape is None:
        return None
    given = {**run.given, "number_of_gpu_to_use_finetuning": size.gpus_per_node} if all_gpus else run.given
    recomputed = model_types.recomputes(given, run.shape.model_type, run.finetune_config)
    step = training_step.step(given, run.shape, card, longest(run), recomputed is not False)
    schedule = _schedule(run, step)
    return Training(
        size, card, step, _hours(run, step, card, schedule), price_of(run, size, "finetune"),
        run.given["num_nodes_finetune"], schedule, recomputed is None,
    )  # fmt: skip


def serving_on(run: Run, size: Size | None) -> Serving | None:
    """Returns the deployment on a size, None where the model's shape or the size's card is not known."""
    card = size.card if size else None
    if size is None or card is None or run.shape is None:
        return None
    return Serving(size, card, _serving_gib(run, run.shape))


def price_of(run: Run, size: Size, role: str) -> Price | None:
    """Returns the price an hour of a size: from the values for the chosen one, else from the lock, else the catalog."""
    section = {"finetune": "compute", "inference": "deployment"}[role]
    given = run.value(f"{section}.price_per_hour") if size.name == run.size_name(role) else None
    return price.of(size, run.value("azure.region"), given)


def longest(run: Run) -> int | None:
    """Returns the longest conversation that a step may see, None where the data do not say for certain."""
    lengths = [run.data[name].longest for name in ("train", "validation") if name in run.data]
    return max(lengths) if lengths and all(lengths) else None


def _hours(run: Run, step: Step, card: Card, schedule: Schedule | None) -> Hours | None:
    train, held = run.data.get("train"), run.data.get("validation")
    if train is None or schedule is None:
        return None
    work = time.Work(
        rows=train.rows,
        tokens=train.cut(step.sequence),
        epochs=schedule.epochs,
        validation_rows=held.rows if held else 0,
        validation_tokens=held.cut(step.sequence) if held else 0,
    )
    return time.hours(step, card, work, run.given["gradient_accumulation_steps"])


def _schedule(run: Run, step: Step) -> Schedule | None:
    train = run.data.get("train")
    if train is None or not train.rows:
        return None
    epochs, most = float(run.given["num_train_epochs"]), run.given["max_steps"]
    rows_a_step = step.batch * step.gpus * run.given["gradient_accumulation_steps"]
    if most > 0:
        epochs = min(epochs, most * rows_a_step / train.rows)
    steps = math.ceil(epochs * math.ceil(train.rows / rows_a_step))
    return Schedule(epochs, min(steps, most) if most > 0 else steps, rows_a_step,
                    round(epochs * train.cut(step.sequence)))  # fmt: skip


def _serving_gib(run: Run, shape: Shape) -> float:
    """Returns GiB that serving takes: 16-bit weights, and keys and values of one full-length conversation a request."""
    tokens = min(shape.context, SERVED_TOKENS)
    cache = 2 * 2 * shape.layers * shape.kv_heads * shape.head_dim * tokens
    requests = int(run.value("deployment.max_concurrent_requests_per_instance", 1))
    return (2 * shape.parameters + requests * cache) / GIB * SERVING_MARGIN + SERVING_CONTEXT
