"""Checks of the login and what it may do: the Azure CLI, the values' workspace, its permissions, the clock."""

from __future__ import annotations

import json
import shutil
import subprocess

from scripts.azure import az_extension, permissions
from scripts.azure.component import COMPONENT
from scripts.doctor.machine import judged
from scripts.errors import CouldNotAskError, UserError
from scripts.preflight import azure_cli
from scripts.preflight.context import Context
from scripts.preflight.finding import Finding, failed, passed, skipped, warned
from scripts.workspace import refuse_placeholders

# Seconds that this machine's clock may be off. Storage refuses a request that was signed 15 minutes ago or ahead
# (Microsoft, Authorize with Shared Key: 15 minutes); Entra ID allows a certificate's assertion 5 (its documentation).
CLOCK_WARNS, CLOCK_FAILS = 120, 600
INSTALL = "install it: https://aka.ms/azure-cli; or call targets with AZ='.venv/bin/python -m scripts.az_ml'"


def cli(context: Context) -> Finding:
    """Fails where the Azure CLI or its extension ml is missing or too old."""
    if not az_extension.is_official(context.az):
        return azure_cli.extension(context)
    if shutil.which(context.az) is None:
        return failed(f"there is no {context.az}", INSTALL)
    found = az_extension.installed(context.az)
    version = judged("azure-cli", found.cli)
    return version if version.todo else azure_cli.extension(context)


def cli_login(context: Context) -> Finding:
    """Fails where az is not logged in, or sees no such subscription: it keeps that itself, and asks nobody."""
    if not az_extension.is_official(context.az):
        return skipped(f"{context.az or 'another program'} answers to az, not the Azure CLI")
    if shutil.which(context.az) is None:
        return skipped(f"there is no {context.az}")
    subscription = context.value("azure.subscription_id")
    command = [context.az, "account", "show", "--subscription", subscription, "--output", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=az_extension.SECONDS, check=False)
    try:
        said = json.loads(done.stdout)
        return passed(f"az is logged in as {said['user']['name']}")
    except (ValueError, KeyError, TypeError):
        seen = f"az is not logged in, or this login sees no subscription {subscription}"
        return failed(f"{context.at('azure.subscription_id')}: {seen}", "az login; az account list -o table shows them")


def workspace_named(context: Context) -> Finding:
    """Fails where the values still name the placeholders that ship with the project."""
    try:
        refuse_placeholders(context.values)
    except UserError as error:
        sentence, _, todo = str(error).partition("; ")
        return failed(sentence, todo)
    azure = context.values.data["azure"]
    return passed(f"workspace {azure['workspace']} in {azure['resource_group']} ({azure['region']})")


def login(context: Context) -> Finding:
    """Fails where there is no token for Azure Resource Manager, in whatever way this machine could get one."""
    try:
        tenant = context.asked.subscription.token_tenant
    except CouldNotAskError as error:
        said = str(error).removeprefix(f"could not ask for {error.what}: ")
        reason, advised, todo = said.partition(": log in with ")
        return failed(reason, f"log in with {todo}" if advised else "OFFLINE=1 leaves out what needs Azure")
    return passed(f"logged in to directory {tenant}" if tenant else "logged in")


def clock(context: Context) -> Finding:
    """Compares this machine's clock with the Date of an answer of Azure Resource Manager."""
    skew = context.asked.subscription.skew
    if skew is None:
        return skipped("no answer of Azure said what time it is")
    said = f"this machine's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} Azure's"
    todo = "set the clock: timedatectl set-ntp true (macOS: sudo sntp -sS time.apple.com)"
    if abs(skew) > CLOCK_FAILS:
        return failed(f"{said}: its storage refuses what is signed 15 minutes off", todo)
    return warned(said, todo) if abs(skew) > CLOCK_WARNS else passed(said)


def workspace(context: Context) -> Finding:
    """Reads the workspace, and compares its region with the values'."""
    name, region = context.value("azure.workspace"), context.asked.region
    if region.lower() != context.value("azure.region").lower():
        return failed(f"{context.at('azure.region')}: workspace {name} is in {region}", f"set azure.region: {region}")
    return passed(f"workspace {name} answers; it is in {region}")


def registry(context: Context) -> Finding:
    """Reads the fine-tuning component in the registry that the values name."""
    found = context.asked.component(COMPONENT)
    where = context.value("model.registry")
    if found is None:
        return failed(
            f"{context.at('model.registry')}: registry {where} shows no component {COMPONENT}",
            "set model.registry: azureml, or ask its owner for the role AzureML Registry User",
        )
    return passed(f"registry {where} can be read: {found.name} {found.version}")


def may(context: Context) -> Finding:
    """Compares what the login may do in the workspace with what the chain does there; nothing is tried."""
    azure = context.values.data["azure"]
    resource = (
        f"/subscriptions/{azure['subscription_id']}/resourceGroups/{azure['resource_group']}"
        f"/providers/Microsoft.MachineLearningServices/workspaces/{azure['workspace']}"
    )
    has = context.asked.subscription.permissions(resource)
    missing = [each for each in permissions.needed() if not permissions.grants(has, each.action)]
    unverified = "unverified: deny assignments, conditions of a role and the storage's own roles are not in the answer"
    if not missing:
        return passed("this login may do all that the chain does in the workspace", unverified)
    lines = [f"{each.action.partition('/')[2]} ({each.target}{f', {each.when}' * bool(each.when)})" for each in missing]
    always = [each for each in missing if not each.when]
    found = failed if always else warned
    return found(
        f"this login lacks {len(missing)} of {len(permissions.needed())} actions in the workspace",
        f"ask its owner for {permissions.ROLE}",
        *lines,
        unverified,
    )
