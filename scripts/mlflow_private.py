"""The internal names of MLflow that this project uses, all of them and nowhere else.

Import one from here where it is needed: `from scripts.mlflow_private import SqlRun`. It is looked up then; a test holds
the list against the pinned version, and says which name went away.
"""

from __future__ import annotations

from typing import Any

from scripts.private_names import look_up

PACKAGE = "mlflow-skinny"

PATHS = {
    "MlflowHostCreds": "mlflow.utils.rest_utils:MlflowHostCreds",
    "RestStore": "mlflow.store.tracking.rest_store:RestStore",
    "ModelStore": "mlflow.store.model_registry.sqlalchemy_store:SqlAlchemyStore",
    "RunStore": "mlflow.store.tracking.sqlalchemy_store:SqlAlchemyStore",
    "SqlLoggedModel": "mlflow.store.tracking.dbmodels.models:SqlLoggedModel",
    "SqlRun": "mlflow.store.tracking.dbmodels.models:SqlRun",
    "SqlTag": "mlflow.store.tracking.dbmodels.models:SqlTag",
    "app": "mlflow.server:app",
    "initialize_tables": "mlflow.store.db.utils:_initialize_tables",
}
ARTIFACT_ROOT_VARIABLE = "_MLFLOW_SERVER_ARTIFACT_ROOT"  # to be set before the server is imported
STORES = ("mlflow.server.handlers:_tracking_store", "mlflow.server.handlers:_model_registry_store")


def __getattr__(name: str) -> Any:
    if name not in PATHS:
        raise AttributeError(name)
    return look_up(PACKAGE, PATHS[name])


def use_stores(runs: Any, models: Any) -> None:
    """Makes MLflow's server work on these two stores."""
    for path, store in zip(STORES, (runs, models), strict=True):
        module, name = path.split(":")
        look_up(PACKAGE, path)
        setattr(look_up(PACKAGE, module), name, store)
