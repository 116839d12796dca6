"""All that is emulated, in two lists: the routes of each family of hosts, and the work of long-running operations.

Each route has its methods, its template and its handler, whose docstring says what it does.
"""

from __future__ import annotations

from scripts.local.core import operations
from scripts.local.core.state import Work
from scripts.local.core.web import Routes
from scripts.local.front import control, identity
from scripts.local.resources import (
    absent,
    artifacts,
    codes,
    components,
    computes,
    data_assets,
    datastores,
    deployments,
    endpoints,
    environments,
    jobs,
    mlflow_artifacts,
    mlflow_registry,
    mlflow_server,
    models,
    registry,
    run_history,
    sizes,
    subscriptions,
    workspaces,
)
from scripts.local.serving import gateway
from scripts.local.storage import blob_service

# By the families of hosts in front/application.py.
TABLES: dict[str, Routes] = {
    "arm": Routes().include(
        operations.routes,
        identity.arm,
        workspaces.arm,
        subscriptions.arm,
        sizes.arm,
        computes.arm,
        datastores.arm,
        codes.uploads,
        data_assets.DATA.routes(),
        codes.CODES.routes(),
        environments.ENVIRONMENTS.routes(),
        components.COMPONENTS.routes(),
        models.MODELS.routes(),
        jobs.arm,
        endpoints.arm,
        deployments.arm,
        absent.arm,
    ),
    "identity": identity.routes,
    "data": Routes().include(
        workspaces.data, registry.data, run_history.data, artifacts.data, mlflow_registry.data, mlflow_server.data
    ),
    "blob": blob_service.routes,
    "scoring": gateway.routes,
    "control": Routes().include(
        control.routes, identity.control, workspaces.control, mlflow_registry.control, mlflow_artifacts.control
    ),
}
# By the names that the store keeps, so that what a kill interrupted is found again.
WORK: dict[str, Work] = {
    "compute.put": computes.provision,
    "compute.delete": computes.remove,
    "job.cancel": jobs.stop,
    "endpoint.put": endpoints.provision,
    "endpoint.delete": endpoints.remove,
    "deployment.put": deployments.provision,
    "deployment.delete": deployments.remove,
}
