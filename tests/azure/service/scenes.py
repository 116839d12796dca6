"""What is asked of the emulator, in an order in which each question finds what it needs."""

from __future__ import annotations

from tests.azure.service.asset_scenes import NEWEST, blobs, code, components, data, environments, models
from tests.azure.service.play import ARM, DATA, STABLE, Player, Result
from tests.azure.service.run_scenes import computes, endpoints, entra_endpoint, jobs

LOGIN = "https://login.microsoftonline.com"


def play(player: Player) -> list[Result]:
    """Asks everything and returns what came of it."""
    sign_in(player)
    workspace(player)
    region(player)
    uploads = blobs(player)
    data(player, uploads)
    models(player, uploads)
    environment = environments(player)
    component = components(player, environment, code(player))
    cluster = computes(player)
    jobs(player, environment, component, cluster)
    endpoints(player, uploads)
    entra_endpoint(player)
    other_clients(player)
    player.follow(
        player.ask("delete the cluster", "DELETE", f"{cluster}?underlyingResourceAction=Delete", status=202), "deletion"
    )
    player.ask("a deleted cluster", "GET", cluster, status=404)
    registry(player)
    absent(player)
    return player.results


def sign_in(player: Player) -> None:
    """The token, and what leads to it."""
    env, tenant = player.env, f"{LOGIN}/{player.env['AZURE_TENANT_ID']}"
    no_token = {"headers": {"Accept": "application/json"}}
    player.ask("where the token is", "GET", f"{tenant}/v2.0/.well-known/openid-configuration", **no_token)
    query = f"api-version=1.1&authorization_endpoint={LOGIN}/common/oauth2/authorize"
    player.ask("which clouds", "GET", f"{LOGIN}/common/discovery/instance?{query}", **no_token)
    form = {
        "client_id": env["AZURE_CLIENT_ID"],
        "client_secret": env["AZURE_CLIENT_SECRET"],
        "grant_type": "client_credentials",
        "client_info": "1",
        "scope": f"{ARM}/.default",
    }
    answer = player.ask("the token", "POST", f"{tenant}/oauth2/v2.0/token", data=form, **no_token)
    player.token = answer.json()["access_token"]


def workspace(player: Player) -> None:
    """The workspace and its datastores."""
    ws = player.ws
    player.ask("the workspace", "GET", ws, case=["state:Succeeded"])
    player.ask("no such workspace", "GET", f"{ws}-none", status=404)
    player.ask("workspaces of the group", "GET", ws.rpartition("/")[0])
    player.ask("the default datastore", "GET", f"{ws}/datastores/workspaceblobstore", case=["datastoreType=AzureBlob"])
    player.ask(
        "which is the default", "GET", f"{ws}/datastores?count=30&isDefault=true&orderByAsc=false", case=["page"]
    )
    wish = {"expirableSecret": True, "expireAfterHours": 1}
    player.ask("its secret", "POST", f"{ws}/datastores/workspaceblobstore/listSecrets", wish, case=["secretsType=Sas"])
    player.ask("no such datastore", "GET", f"{ws}/datastores/none_here", status=404)
    properties = {
        "datastoreType": "AzureBlob",
        "accountName": "account",
        "containerName": "container",
        "endpoint": "core.windows.net",
        "protocol": "https",
        "credentials": {"credentialsType": "None"},
    }
    player.ask("a new datastore", "PUT", f"{ws}/datastores/another", {"properties": properties}, status=201)
    player.ask("the same again", "PUT", f"{ws}/datastores/another", {"properties": properties}, status=200)
    player.ask("delete it", "DELETE", f"{ws}/datastores/another")
    player.ask("subscriptions", "GET", f"{ARM}/subscriptions")
    player.ask("which services", "GET", f"{DATA}/discovery")


def region(player: Player) -> None:
    """What the subscription has in the region."""
    for what in ("usages", "quotas", "vmSizes"):
        player.ask(what, "GET", f"{player.locations}/{what}", api=STABLE)


def other_clients(player: Player) -> None:
    """What clients of the stable API ask in passing: the same resources without the keys of the previews."""
    for say, path, case in (
        ("the workspace's computes", "computes", ["page"]),
        ("datastores", "datastores", ["page"]),
        ("data", "data", ["page"]),
        ("versions of data", "data/played/versions", ["page"]),
        ("a version of data", "data/played/versions/1", ["dataType=uri_file"]),
        ("environments", "environments", ["page"]),
        ("versions of an environment", "environments/played/versions", ["page"]),
        ("a version of an environment", "environments/played/versions/1", []),
        ("versions of a component", "components/played/versions", ["page"]),
        ("a version of a component", "components/played/versions/0.0.1", []),
        ("an environment", "environments/played", []),
        ("a component", "components/played", []),
        ("models", "models", ["page"]),
        ("a model", "models/played", []),
        ("versions of a model", "models/flavoured/versions", ["page"]),
        ("a job", "jobs/command", ["jobType=Command"]),
    ):
        player.ask(say, "GET", f"{player.ws}/{path}", case=case, api=STABLE)


def registry(player: Player) -> None:
    """The registry whose models and component the chain uses."""
    discovery = f"{DATA}/registrymanagement/v1.0/registries/azureml/discovery?api-version=v1.0"
    found = player.ask("where it is", "GET", discovery).json()
    base = (
        f"{DATA}/mferp/managementfrontend/subscriptions/{found['subscriptionId']}/resourceGroups/{found['resourceGroup']}"
        "/providers/Microsoft.MachineLearningServices/registries/azureml"
    )
    component = f"{base}/components/chat_completion_pipeline/versions"
    listed = player.ask("the newest component", "GET", component + NEWEST, case=["page"])
    version = listed.json()["value"][0]["id"].rpartition("/")[2]
    player.ask("read it", "GET", f"{component}/{version}")
    player.ask("versions of a model", "GET", f"{base}/models/Phi-4/versions", case=["page"])
    player.ask("no such model", "GET", f"{base}/models/none-here/versions/2", status=404)


def absent(player: Player) -> None:
    """What the emulator has none of: lists are empty, and one that is asked for is not there."""
    player.ask("schedules", "GET", f"{player.ws}/schedules?listViewType=All")
    player.ask("no such schedule", "GET", f"{player.ws}/schedules/none", status=404)
    player.ask("connections", "GET", f"{player.ws}/connections")
    player.ask("no such connection", "GET", f"{player.ws}/connections/none", status=404)
    player.ask("batch endpoints", "GET", f"{player.ws}/batchEndpoints")
    player.ask("no such batch endpoint", "GET", f"{player.ws}/batchEndpoints/none", status=404)
