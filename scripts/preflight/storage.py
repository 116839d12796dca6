"""Checks of the workspace's storage: can data, logs and models be written with what datastores and cluster have?

A job whose outputs cannot be written ends as Completed all the same, with nothing in it.
"""

from __future__ import annotations

from scripts.azure.live_workspace import Datastore
from scripts.azure.subscription import StorageAccount
from scripts.preflight.context import Context
from scripts.preflight.finding import Finding, failed, passed, skipped, warned

ROLES = "Storage Blob Data Contributor on the storage account"


def keys(context: Context) -> Finding:
    """Fails when the storage account forbids keys and the workspace's datastores open it with keys."""
    account = _account(context)
    if account is None:
        return skipped("the workspace names no storage account")
    if account.keys:
        return passed(f"storage account {account.name} takes keys")
    locked = [each.name for each in _own(context, account.name) if each.by_key]
    if locked:
        return failed(
            f"{context.at('azure.workspace')}: storage account {account.name} forbids keys (allowSharedKeyAccess is "
            f"false), but {' and '.join(locked)} open it with one: uploads, logs and outputs would end with "
            "KeyBasedAuthenticationNotPermitted, and jobs as Completed with nothing in them",
            f"az ml workspace update -n {context.value('azure.workspace')} --system-datastores-auth-mode identity, and "
            f"give yourself, the cluster and the endpoint {ROLES}",
        )
    mode = context.asked.workspace.datastores_auth_mode
    if mode == "accesskey":
        return warned(
            f"{context.at('azure.workspace')}: storage account {account.name} forbids keys, and the workspace makes "
            "its datastores with keys (systemDatastoresAuthMode is accesskey)",
            f"az ml workspace update -n {context.value('azure.workspace')} --system-datastores-auth-mode identity",
        )
    return passed(f"storage account {account.name} forbids keys, and the datastores need none")


def network(context: Context) -> Finding:
    """Fails when nothing reaches the storage account; warns when this machine may not."""
    account, where = _account(context), context.at("azure.workspace")
    if account is None:
        return skipped("the workspace names no storage account")
    if not account.public and not account.private:
        return failed(
            f"{where}: storage account {account.name} is closed to public networks and has no private endpoint: a job "
            "would end as Completed with nothing in it (NoMatchingArtifactsFoundFromJob)",
            "give it a private endpoint in the workspace's network, or open it: az storage account update -n "
            f"{account.name} --public-network-access Enabled, and look whether it stays so: a policy may undo it",
        )
    if not account.public or account.selected:
        how = "only through its private endpoint" if not account.public else "only from networks that its rules name"
        return warned(
            f"{where}: storage account {account.name} is reached {how}: from elsewhere uploads fail, and a job's log "
            "is an XML page with AuthorizationFailure",
            "run this inside that network, or add this machine's address to the account's rules",
        )
    return passed(f"storage account {account.name} is reached from public networks")


def identity(context: Context) -> Finding:
    """Fails when data are opened by whoever asks, and the cluster is nobody."""
    account = _account_name(context)
    if not account:
        return skipped("the workspace names no storage account")
    own = [each.name for each in _own(context, account) if each.by_identity]
    if not own:
        return passed("the datastores bring their own credentials")
    if context.value("compute.job_identity") == "user_identity":
        return passed(f"the job reads {' and '.join(own)} with the rights of who submits it, who needs {ROLES}")
    name, cluster = context.value("compute.name"), context.asked.cluster(context.value("compute.name"))
    is_there = cluster is not None
    has = cluster.get("identity", "") if cluster else _identity(context)
    what = f"{' and '.join(own)} {'are' if len(own) > 1 else 'is'} opened by the identity of whoever asks"
    if has in ("", "none"):
        todo = f"set compute.identity, and give it {ROLES}"
        if is_there:
            todo = f"az ml compute update -n {name} --identity-type system_assigned, and give it {ROLES}"
        return failed(
            f"{context.at('compute.identity')}: {what}, and cluster {name} {'has' if is_there else 'would have'} none: "
            "a job could not read its data (ScriptExecution.StreamAccess.Authentication)",
            todo,
        )
    return passed(f"{what}, cluster {name} has one ({has}); it needs {ROLES}, which is not looked at")


def _identity(context: Context) -> str:
    """Returns the identity that the values give the cluster, an empty text where they give none."""
    found = context.value("compute.identity")
    return str(found.get("type", "") if isinstance(found, dict) else found or "").lower()


def _account(context: Context) -> StorageAccount | None:
    identifier = context.asked.workspace.storage_account
    return context.asked.subscription.storage_account(identifier) if identifier else None


def _account_name(context: Context) -> str:
    return context.asked.workspace.storage_account.rpartition("/")[2]


def _own(context: Context, account: str) -> list[Datastore]:
    """Returns the datastores that lie in the workspace's own account: what the chain reads and writes."""
    return [each for each in context.asked.datastores if each.account.lower() == account.lower()]
