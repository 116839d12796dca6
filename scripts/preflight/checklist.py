"""Every check, in the order in which it runs and is printed; a new one is written down here."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from scripts.errors import CouldNotAskError, MayNotAskError
from scripts.preflight import (
    azure_cli,
    cluster,
    cost,
    data,
    limits,
    memory,
    model,
    numbers,
    parameters,
    quota,
    serving,
    setup,
    sizes,
    storage,
    subscription,
)
from scripts.preflight.context import Context
from scripts.preflight.finding import Finding, Result, skipped, warned


@dataclass(frozen=True)
class Check:
    """A check with its name; a live one needs a workspace, one that waits is asked beside the live ones."""

    name: str
    work: Callable[[Context], Finding]
    live: bool = False
    waits: bool = False

    @property
    def group(self) -> str:
        """The group that it is printed in: the module that it stands in."""
        return getattr(self.work, "func", self.work).__module__.rpartition(".")[2]


CHECKS = (
    Check("az-extension", azure_cli.extension, waits=True),
    Check("directory", subscription.directory, live=True),
    Check("providers", subscription.providers, live=True),
    Check("model-lifecycle", model.lifecycle),
    Check("lock", model.lock),
    Check("model-registry", model.registry),
    Check("model-version", model.version),
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
    Check("region-exists", sizes.region_exists),
    Check("sizes-in-region", sizes.in_region, live=True),
    Check("sizes-usable", sizes.usable, live=True),
    Check("sizes-for-subscription", sizes.restricted, live=True),
    Check("region", sizes.region_agrees, live=True),
    Check("cluster-name", cluster.name_length),
    Check("cluster-nodes", cluster.nodes),
    Check("cluster-idle-cost", cluster.idle),
    Check("low-priority", cluster.low_priority),
    Check("cluster", cluster.cluster, live=True),
    Check("quota-training", quota.training, live=True),
    Check("quota-serving", quota.serving, live=True),
    Check("quota-clusters", quota.clusters, live=True),
    Check("storage-keys", storage.keys, live=True),
    Check("storage-network", storage.network, live=True),
    Check("storage-identity", storage.identity, live=True),
    Check("container-registry", setup.container_registry, live=True),
    Check("image-build", setup.image_build, live=True),
    Check("hub-model", setup.hub_model, live=True),
    Check("rendered", setup.rendered),
    Check("data-source", data.source),
    Check("data-own", data.own),
    Check("data-content", data.content),
    Check("data-left-out", data.left_out),
    Check("data-unused", data.unused),
    Check("job-kind", parameters.job_kind),
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
    Check("numbers", numbers.numbers),
    Check("gpu-memory", memory.gpu_memory),
    Check("host-memory", memory.host_memory),
    Check("node-disk", memory.node_disk),
    Check("deepspeed-stage", memory.deepspeed_stage),
    Check("serving-memory", memory.serving_memory),
    Check("probes", serving.probes),
    Check("conda", serving.conda, live=True),
    Check("endpoint-auth", serving.who_may_ask),
    Check("time-and-cost", cost.time_and_cost),
    Check("endpoint-cost", cost.endpoint_cost),
    Check("price-age", cost.price_age),
    Check("limit-job-cost", limits.job_cost),
    Check("limit-job-hours", limits.job_hours),
    Check("limit-endpoint-cost", limits.endpoint_cost),
    Check("limit-sizes", limits.sizes),
    Check("limit-regions", limits.regions),
    Check("limit-tags", limits.tags),
)


def named(name: str) -> Check:
    """Returns a check by its name."""
    return next(check for check in CHECKS if check.name == name)


def run(context: Context, checks: Sequence[Check] = CHECKS) -> list[Result]:
    """Runs checks; the live ones only where the context can ask, and then all at once: each waits for answers."""
    asking = [check for check in checks if (check.live or check.waits) and context.live is not None]
    results: dict[str, Result] = {}
    errors: list[BaseException] = []

    def ask(check: Check) -> None:
        try:
            results[check.name] = result_of(check, context)
        except BaseException as error:  # raised again below, where somebody waits for it
            errors.append(error)

    if asking:
        _log_in(context)
    threads = [threading.Thread(target=ask, args=(check,), daemon=True) for check in asking]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return [results.get(check.name) or result_of(check, context) for check in checks]


def _log_in(context: Context) -> None:
    """Asks for the workspace first: the SDK is imported once, and a login in the browser is asked for once."""
    with contextlib.suppress(CouldNotAskError):  # each check says so in its own words
        _ = context.asked.region


def result_of(check: Check, context: Context) -> Result:
    """Runs a check; what nobody can say is a result too."""
    if check.live and context.live is None:
        return Result(check.name, check.group, skipped("offline: needs a workspace"))
    try:
        return Result(check.name, check.group, check.work(context))
    except MayNotAskError as error:
        return Result(check.name, check.group, warned(str(error), f"let somebody look who may: {error.todo}"))
    except CouldNotAskError as error:
        return Result(check.name, check.group, skipped(str(error)), unasked=True)
