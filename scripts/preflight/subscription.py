"""Checks of the subscription: the login is of its directory, the providers that the chain needs are registered."""

from __future__ import annotations

from scripts.azure.subscription import needed_providers
from scripts.preflight.context import Context
from scripts.preflight.finding import Finding, failed, passed, skipped, warned


def directory(context: Context) -> Finding:
    """Fails when the login's token is of another directory than the subscription: every request would be refused."""
    asked, where = context.asked.subscription, context.at("azure.subscription_id")
    ours, theirs = asked.token_tenant.lower(), asked.tenant.lower()
    if not ours or not theirs:
        return skipped("the login's token, or the subscription, does not say of which directory it is")
    if ours != theirs:
        return failed(
            f"{where}: the subscription is of directory {theirs}, the login's token of {ours}: Azure refuses it with "
            "InvalidAuthenticationTokenTenant",
            f"az login --tenant {theirs} (or AZURE_TENANT_ID={theirs}), and az account set -s "
            f"{context.value('azure.subscription_id')}",
        )
    return passed(f"login and subscription are of directory {theirs}")


def providers(context: Context) -> Finding:
    """Fails for a resource provider that the subscription is not registered with."""
    states = context.asked.subscription.providers
    there = {name: state.lower() for name, state in states.items()}
    missing = [each for each in needed_providers() if there[each.namespace] not in ("registered", "registering")]
    coming = [name for name, state in there.items() if state == "registering"]
    if missing:
        words = " and ".join(f"{each.namespace} (for {each.needed})" for each in missing)
        return failed(
            f"{context.at('azure.subscription_id')}: the subscription is not registered with {words}: creating the "
            "endpoint would end with SubscriptionNotRegistered",
            "; ".join(f"az provider register --namespace {each.namespace} --wait" for each in missing)
            + "; a login with roles on the resource group alone may not do it: ask the subscription's owner",
        )
    if coming:
        return warned(f"{' and '.join(coming)} is being registered", "run this again in some minutes")
    return passed(f"registered: {', '.join(states)}")
