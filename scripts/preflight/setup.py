"""Checks of how the workspace is set up: its container registry, where images are built, whom its network lets out."""

from __future__ import annotations

from scripts import render
from scripts.preflight.context import Context
from scripts.preflight.finding import Finding, failed, passed, skipped, warned

REGISTRY_USD_A_MONTH = 5  # a Basic registry, as two users' bills have it (2026)


def container_registry(context: Context) -> Finding:
    """Warns when the workspace has no container registry yet: the first image makes one, which is billed and new."""
    if context.asked.workspace.container_registry:
        return passed(f"container registry {context.asked.workspace.container_registry.rpartition('/')[2]}")
    return warned(
        f"{context.at('azure.workspace')}: the workspace has no container registry yet: the first image that is built "
        f"makes one (about {REGISTRY_USD_A_MONTH} USD a month, even if the build fails), and an endpoint made in the "
        "same minutes may lack its role to pull (AcrPull)",
        "nothing, but if the first deployment ends with 'does not have pull permission', wait five minutes and "
        "deploy again; a cluster that was made before the registry needs an identity with AcrPull",
    )


def rendered(context: Context) -> Finding:
    """Fails where the rendered YAML, which runs, is not what the values give, which are checked here."""
    if context.values.sets:
        return skipped("SET asks what other values would do; what runs is what is rendered")
    lag, _, todo = render.lag(context.values, context.root).partition("; ")
    return failed(lag, todo) if lag else passed("the rendered YAML is what the values give")


def image_build(context: Context) -> Finding:
    """Warns when a private workspace builds its images where its storage cannot be reached."""
    workspace = context.asked.workspace
    if not workspace.is_private:
        return passed("the workspace is open, images are built by Azure")
    if workspace.image_build_compute:
        return passed(f"images are built on {workspace.image_build_compute}")
    return warned(
        f"{context.at('azure.workspace')}: the workspace is private and names no cluster to build images on "
        "(imageBuildCompute): the image of the deployment would hang until it times out",
        "make a CPU cluster in its network, then az ml workspace update -n "
        f"{context.value('azure.workspace')} --image-build-compute <cluster>",
    )


def hub_model(context: Context) -> Finding:
    """Warns when a model of the hub is to be fetched by a job that may reach approved addresses only."""
    model, isolated = context.value("model.huggingface_id"), context.asked.workspace.is_isolated
    if not model:
        return skipped("the model is not of the Hugging Face hub")
    if isolated:
        return warned(
            f"{context.at('model.huggingface_id')}: {model} is fetched by the job, but the workspace's network lets "
            "only approved addresses through: the first step would end with 'Passing huggingface ID is only valid "
            "with valid internet connection.'",
            "add outbound rules for huggingface.co and its file servers (FQDN), or take a model of the registry",
        )
    return passed(f"the job can fetch {model}: the workspace's network lets it out")
