"""Every check, in the order in which it runs and is printed; a new one is written down here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from scripts.errors import CouldNotAskError
from scripts.preflight import cluster, cost, memory, model, parameters, quota, sizes
from scripts.preflight.context import Context
from scripts.preflight.finding import Finding, Result, skipped


@dataclass(frozen=True)
class Check:
    """A check with its name; a live one needs a workspace."""

    name: str
    work: Callable[[Context], Finding]
    live: bool = False

    @property
    def group(self) -> str:
        """The group that it is printed in: the module that it stands in."""
        return getattr(self.work, "func", self.work).__module__.rpartition(".")[2]


CHECKS = (
    Check("model-lifecycle", model.lifecycle),
    Check("lock", model.lock),
    Check("model-exists", model.exists, live=True),
    Check("drift", model.drift, live=True),
    Check("chat-tokens", model.chat_tokens),
    Check("lora", model.lora_algorithm),
    Check("finetune-size", partial(sizes.listed, role="finetune")),
    Check("inference-size", partial(sizes.listed, role="inference")),
    Check("finetune-size-alive", partial(sizes.alive, role="finetune")),
    Check("inference-size-alive", partial(sizes.alive, role="inference")),
    Check("finetune-size-minimum", partial(sizes.minimum, role="finetune")),
    Check("inference-size-minimum", partial(sizes.minimum, role="inference")),
    Check("sizes-in-region", sizes.in_region, live=True),
    Check("region", sizes.region_agrees, live=True),
    Check("cluster-nodes", cluster.nodes),
    Check("cluster-idle-cost", cluster.idle),
    Check("cluster", cluster.cluster, live=True),
    Check("quota-training", quota.training, live=True),
    Check("quota-serving", quota.serving, live=True),
    Check("gpus-per-node", parameters.gpus_per_node),
    Check("deepspeed", parameters.deepspeed),
    Check("onnx-runtime", parameters.onnx_runtime),
    Check("checkpointing", parameters.checkpointing),
    Check("precision", parameters.precision),
    Check("data-files", parameters.data_files),
    Check("training-rows", parameters.training_rows),
    Check("sequence-length", parameters.sequence_length),
    Check("evaluation", parameters.evaluation),
    Check("learning-rate", parameters.learning_rate),
    Check("saved-models", parameters.saved_models),
    Check("gpu-memory", memory.gpu_memory),
    Check("host-memory", memory.host_memory),
    Check("deepspeed-stage", memory.deepspeed_stage),
    Check("serving-memory", memory.serving_memory),
    Check("time-and-cost", cost.time_and_cost),
    Check("endpoint-cost", cost.endpoint_cost),
)


def named(name: str) -> Check:
    """Returns a check by its name."""
    return next(check for check in CHECKS if check.name == name)


def run(context: Context) -> list[Result]:
    """Runs every check; the live ones only where the context can ask."""
    return [_result(check, context) for check in CHECKS]


def _result(check: Check, context: Context) -> Result:
    if check.live and context.live is None:
        return Result(check.name, check.group, skipped("offline: needs a workspace"))
    try:
        return Result(check.name, check.group, check.work(context))
    except CouldNotAskError as error:
        return Result(check.name, check.group, skipped(str(error)), unasked=True)
