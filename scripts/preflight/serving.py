"""Checks of serving: do the probes wait for the scorer, does the model's conda.yaml let it start, who may ask it."""

from __future__ import annotations

from typing import Any

from scripts.azure.serving_rules import (
    MLFLOW_BELOW,
    MONITORING,
    PROBE_DEFAULTS,
    READY_SECONDS,
    conda_faults,
    probe_seconds,
)
from scripts.errors import MayNotAskError
from scripts.preflight.context import Context
from scripts.preflight.finding import Finding, passed, skipped, warned


def probes(context: Context) -> Finding:
    """Warns when a probe gives the container up before the scorer has installed what the model needs."""
    waits = {name: probe_seconds(_probe(context, name)) for name in ("liveness_probe", "readiness_probe")}
    short = [name for name, seconds in waits.items() if seconds < READY_SECONDS]
    if not short:
        return passed(" and ".join(f"{name} waits {seconds} s" for name, seconds in waits.items()))
    words = " and ".join(f"{name} gives up after {waits[name]} s" for name in short)
    return warned(
        f"{context.at(f'deployment.{short[0]}')}: {words} (initial_delay + failure_threshold x period), a no-code "
        f"model needs up to {READY_SECONDS} s on Azure, where its packages are installed at the start: the deployment "
        "would fail with probe status 502",
        "give both probes initial_delay 500, period 100 and failure_threshold 30, as Microsoft's samples do",
    )


def _probe(context: Context, name: str) -> dict[str, Any]:
    """Returns what the values say of a probe, over Azure's own numbers."""
    return {**PROBE_DEFAULTS, **(context.value(f"deployment.{name}") or {})}


def conda(context: Context) -> Finding:
    """Warns when the base model's conda.yaml, which a trained model may inherit, lets the no-code scorer die."""
    model = context.value("model")
    if model.get("huggingface_id"):
        return skipped("a model of the hub brings no conda.yaml; register looks at what training wrote")
    name, version = model["name"], context.model.version
    where = f"{context.at('model.name')}: {name} version {version}"
    why = "there is none in its folder"
    try:
        text = context.asked.model_file(name, version, "conda.yaml")
    except MayNotAskError as error:
        text, why = None, str(error)
    if text is None:
        return warned(
            f"{where}: whether the scorer starts with its conda.yaml is unverified: {why}",
            f"look at the trained model's conda.yaml before it is deployed: {MONITORING}, and mlflow pinned below "
            f"{MLFLOW_BELOW}, have to be in it",
        )
    faults = conda_faults(_parsed(text))
    if faults:
        return warned(
            f"{where}: its conda.yaml {', and '.join(faults)}: a trained model that inherits it (of flavour "
            "transformers; of others unverified) fails its probes with 502 when it is deployed",
            "correct the trained model's conda.yaml before it is deployed, or name an environment of your own",
        )
    return passed(f"{name}'s conda.yaml has what the scorer imports, and mlflow below {MLFLOW_BELOW}")


def _parsed(text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return None


def who_may_ask(context: Context) -> Finding:
    """Warns that aad_token lets in only logins with a role, which nobody has by being able to deploy."""
    mode = context.value("endpoint.auth_mode")
    if mode == "aad_token":
        return warned(
            f"{context.at('endpoint.auth_mode')}: aad_token lets in logins that have the action "
            "onlineEndpoints/score/action; who has it is not looked at",
            "give callers the role AzureML Data Scientist on the workspace, or take key",
        )
    return passed(f"whoever has the endpoint's {'key' if mode == 'key' else 'token'} may ask it")
