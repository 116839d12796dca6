"""The private names of azure-ai-ml that this project uses, all of them and nowhere else.

Each is looked up when it is needed; a test holds the list against the pinned version, and says which name went away.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

from scripts.private_names import look_up, missing

PACKAGE = "azure-ai-ml"

# What is used, as module:attribute. Those that only an instance has (`_errors`, `_system_metadata`) stand below.
SHOULD_SKIP_WARNING = "azure.ai.ml._utils._experimental:_should_skip_warning"
ENUMERATIONS = "azure.ai.ml._restclient.arm_ml_service.models"
SCHEMA_BASE = "azure.ai.ml._schema:PathAwareSchema"
SCHEMAS = {  # kind of document -> the schema that its YAML is held against
    "component": "azure.ai.ml._schema.component.command_component:CommandComponentSchema",
    "compute": "azure.ai.ml._schema.compute.aml_compute:AmlComputeSchema",
    "data": "azure.ai.ml._schema.assets.data:DataSchema",
    "job": "azure.ai.ml._schema.pipeline.pipeline_job:PipelineJobSchema",
    "model": "azure.ai.ml._schema.assets.model:ModelSchema",
    "online_deployment": "azure.ai.ml._schema._deployment.online.online_deployment:ManagedOnlineDeploymentSchema",
    "online_endpoint": "azure.ai.ml._schema._endpoint.online.online_endpoint:ManagedOnlineEndpointSchema",
}
_AUTOML = "azure.ai.ml._schema.automl"
OTHER_SCHEMAS = {  # kind of anyone's document -> the schemas, one of which its YAML is held against
    "command_job": ("azure.ai.ml._schema.job.command_job:CommandJobSchema",),
    "sweep_job": ("azure.ai.ml._schema._sweep.sweep_job:SweepJobSchema",),
    "spark_job": ("azure.ai.ml._schema.job.spark_job:SparkJobSchema",),
    "automl_job": (
        f"{_AUTOML}.table_vertical.classification:AutoMLClassificationSchema",
        f"{_AUTOML}.table_vertical.regression:AutoMLRegressionSchema",
        f"{_AUTOML}.table_vertical.forecasting:AutoMLForecastingSchema",
        f"{_AUTOML}.image_vertical.image_classification:ImageClassificationSchema",
        f"{_AUTOML}.image_vertical.image_classification:ImageClassificationMultilabelSchema",
        f"{_AUTOML}.image_vertical.image_object_detection:ImageObjectDetectionSchema",
        f"{_AUTOML}.image_vertical.image_object_detection:ImageInstanceSegmentationSchema",
        f"{_AUTOML}.nlp_vertical.text_classification:TextClassificationSchema",
        f"{_AUTOML}.nlp_vertical.text_classification_multilabel:TextClassificationMultilabelSchema",
        f"{_AUTOML}.nlp_vertical.text_ner:TextNerSchema",
    ),
    "finetuning_job": (
        "azure.ai.ml._schema._finetuning.custom_model_finetuning:CustomModelFineTuningSchema",
        "azure.ai.ml._schema._finetuning.azure_openai_finetuning:AzureOpenAIFineTuningSchema",
    ),
    "distillation_job": ("azure.ai.ml._schema._distillation.distillation_job:DistillationJobSchema",),
    "pipeline_component": ("azure.ai.ml._schema.pipeline.pipeline_component:PipelineComponentSchema",),
    "parallel_component": ("azure.ai.ml._schema.component.parallel_component:ParallelComponentSchema",),
    "spark_component": ("azure.ai.ml._schema.component.spark_component:SparkComponentSchema",),
    "kubernetes_online_endpoint": (
        "azure.ai.ml._schema._endpoint.online.online_endpoint:KubernetesOnlineEndpointSchema",
    ),
    "kubernetes_online_deployment": (
        "azure.ai.ml._schema._deployment.online.online_deployment:KubernetesOnlineDeploymentSchema",
    ),
    "batch_endpoint": ("azure.ai.ml._schema._endpoint.batch.batch_endpoint:BatchEndpointSchema",),
    "batch_deployment": (
        "azure.ai.ml._schema._deployment.batch.batch_deployment:BatchDeploymentSchema",
        "azure.ai.ml._schema._deployment.batch.model_batch_deployment:ModelBatchDeploymentSchema",
        "azure.ai.ml._schema._deployment.batch.pipeline_component_batch_deployment_schema:"
        "PipelineComponentBatchDeploymentSchema",
    ),
    "compute_instance": ("azure.ai.ml._schema.compute.compute_instance:ComputeInstanceSchema",),
    "environment": ("azure.ai.ml._schema.assets.environment:EnvironmentSchema",),
    "schedule": (
        "azure.ai.ml._schema.schedule.schedule:JobScheduleSchema",
        "azure.ai.ml._schema.monitoring.schedule:MonitorScheduleSchema",
        "azure.ai.ml._schema._data_import.schedule:ImportDataScheduleSchema",
    ),
}
KINDS = frozenset(SCHEMAS) | frozenset(OTHER_SCHEMAS)
DECLARED_FIELDS = "_declared_fields"  # of a schema: marshmallow's
VALIDATE = "azure.ai.ml.entities:PipelineJob._validate"
TO_JOB = "azure.ai.ml.entities._builders:BaseNode._to_job"
GET_MODEL = "azure.ai.ml.operations:ModelOperations._get"
REGISTRY_STORAGE = "azure.ai.ml._utils._registry_utils:get_storage_details_for_registry_assets"
OUTPUT_URIS = "azure.ai.ml.operations:JobOperations._get_named_output_uri"
DATASTORE_INFO = "azure.ai.ml._artifacts._artifact_utilities:get_datastore_info"
UPLOADERS = ("azure.ai.ml._artifacts._blob_storage_helper", "azure.ai.ml._artifacts._gen2_storage_helper")
STORAGE_CLIENT = "azure.ai.ml._artifacts._artifact_utilities:get_storage_client"
POLLING = "azure.ai.ml.operations._run_history_constants:RunHistoryConstants"
INTERVALS = ("_WAIT_COMPLETION_POLLING_INTERVAL_MIN", "_WAIT_COMPLETION_POLLING_INTERVAL_MAX")
TO_DICT = (
    "azure.ai.ml.entities:AmlCompute._to_dict",
    "azure.ai.ml.entities:CustomModelFineTuningJob._to_dict",
    "azure.ai.ml.entities:Data._to_dict",
    "azure.ai.ml.entities:ManagedOnlineDeployment._to_dict",
    "azure.ai.ml.entities:ManagedOnlineEndpoint._to_dict",
    "azure.ai.ml.entities:Model._to_dict",
    "azure.ai.ml.entities:PipelineJob._to_dict",
    "azure.ai.ml.entities:Workspace._to_dict",
    "azure.ai.ml:Input._to_dict",
    "azure.ai.ml:Output._to_dict",
)
PATHS = (
    *(SHOULD_SKIP_WARNING, ENUMERATIONS, SCHEMA_BASE, *SCHEMAS.values()),
    *(path for paths in OTHER_SCHEMAS.values() for path in paths),
    *(f"{path}.{DECLARED_FIELDS}" for path in SCHEMAS.values()),
    *(f"{POLLING}.{interval}" for interval in INTERVALS),
    *UPLOADERS,
    *(VALIDATE, TO_JOB, GET_MODEL, REGISTRY_STORAGE, OUTPUT_URIS, DATASTORE_INFO, STORAGE_CLIENT, *TO_DICT),
)


def silence_experimental() -> None:
    """Says no more that a class is experimental: no user of commands can act on that.

    To find out whether to say so the SDK walks over the whole stack: 0.2 s for a pipeline job.
    """
    module, name = SHOULD_SKIP_WARNING.split(":")
    look_up(PACKAGE, SHOULD_SKIP_WARNING)
    setattr(look_up(PACKAGE, module), name, lambda: True)


def silence_uploads() -> None:
    """Prints nothing after an upload: without a progress bar the SDK still ends its colour, with two blank lines."""
    for module in UPLOADERS:
        look_up(PACKAGE, module).print = lambda *_, **__: None


def poll_as_told() -> None:
    """Takes the seconds between two looks at a job from the environment of now: the SDK reads it as it is imported."""
    for name in INTERVALS:
        told = os.environ.get(f"AZUREML_RUN_POLLING_INTERVAL_{name[-3:]}")
        look_up(PACKAGE, f"{POLLING}.{name}")
        if told:
            setattr(look_up(PACKAGE, POLLING), name, told)


def to_dict(entity: Any) -> dict[str, Any]:
    """Returns an entity as its YAML would be."""
    return dict(_own(entity, "_to_dict")())


def as_job(step: Any) -> Any:
    """Returns a step of a pipeline as the job that it is; a job stays what it is."""
    return step._to_job() if isinstance(step, look_up(PACKAGE, TO_JOB.removesuffix("._to_job"))) else step


def refused(job: Any) -> Iterator[tuple[str, str]]:
    """Yields (dotted key, message) of what the SDK refuses inside the steps of a pipeline job."""
    for error in _own(_own(job, "_validate")(), "_errors"):
        yield str(error.yaml_path), str(error.descriptor)


def model_on_the_wire(models: Any, name: str, version: str) -> dict[str, Any]:
    """Returns a model's properties as the registry sent them: the entity has no `isArchived`, `systemMetadata`."""
    properties = _own(models, "_get")(name, version).properties
    return dict(properties) if hasattr(properties, "keys") else {}


def registry_container(models: Any, name: str, version: str, uri: str) -> str:
    """Returns the signed address of the container in which a registry keeps a model's files; `uri` is the model's."""
    address, _ = look_up(PACKAGE, REGISTRY_STORAGE)(
        service_client=_own(models, "_registry_service_client"),
        asset_type="models",
        asset_name=name,
        asset_version=version,
        rg_name=_own(models, "_resource_group_name"),
        reg_name=_own(models, "_registry_name"),
        uri=uri,
    )
    return str(address)


@dataclass(frozen=True)
class StoredFile:
    """A file of a storage: its name below a place there, its size, and what the storage changes with its content."""

    name: str
    size: int
    etag: str


@dataclass(frozen=True)
class StoredFiles:
    """The files at a place of a storage, by their names in it, and the storage that has them."""

    files: list[StoredFile]
    place: str
    storage: Any

    @property
    def names(self) -> list[str]:
        """The files' names."""
        return [file.name for file in self.files]

    def download(self, name: str, into: Path) -> None:
        """Downloads one file to the same name in a folder."""
        self.storage.download(starts_with=f"{self.place}{name}", destination=str((into / name).parent))

    def content(self, name: str) -> Iterator[bytes]:
        """Yields what a file holds, in pieces."""
        blob = _own(self.storage, "container_client").get_blob_client(f"{self.place}{name}")
        yield from blob.download_blob().chunks()


def output_files(client: Any, job: str, output: str) -> StoredFiles | None:
    """Lists the files of a job's named output, None without such an output: the SDK only downloads it whole."""
    return stored_files(client, _own(client.jobs, "_get_named_output_uri")(job, output).get(output) or "")


def stored_files(client: Any, uri: str) -> StoredFiles | None:
    """Lists the files below a URI of a datastore, or the one file that it names; None for another URI."""
    place = re.search(r"/?datastores/([^/]+)/paths/(.+?)/*$", uri)
    if place is None:
        return None
    datastore, path = place[1], place[2]
    storage = look_up(PACKAGE, STORAGE_CLIENT)(**look_up(PACKAGE, DATASTORE_INFO)(client.datastores, datastore))
    found = _listed(storage, path)
    above = path.rpartition("/")[0]
    inside = [file for file in found if file.name.startswith(f"{path}/")]
    at, files = (f"{path}/", inside) if inside else (f"{above}/", [file for file in found if file.name == path])
    return StoredFiles([replace(file, name=file.name.removeprefix(at)) for file in files], at, storage)


def _listed(storage: Any, path: str) -> list[StoredFile]:
    """Lists all whose name begins with a path: the SDK's own list has no ETags, and Data Lake Gen2 another client."""
    if hasattr(storage, "container_client"):
        found = storage.container_client.list_blobs(name_starts_with=path)
        return [StoredFile(blob.name, blob.size, blob.etag) for blob in found]
    return [StoredFile(name, 0, "") for name in storage.list(path)]


def system_metadata(model: Any) -> Any:
    """Returns the metadata that the registry keeps about a model, None where it has none."""
    return _own(model, "_system_metadata")


def wire_word(enumeration: str, member: str) -> str | None:
    """Returns the word on the wire for a member of one of the service's enumerations, None where it is not one."""
    found = getattr(look_up(PACKAGE, ENUMERATIONS), enumeration, None)
    members = found.__members__ if isinstance(found, type) and issubclass(found, Enum) else {}
    return str(members[member].value) if member in members else None


def schema(kind: str, message: str = "") -> Any:
    """Returns the schema that a message of the SDK names, else the one for a kind of document, else None."""
    names = re.findall(r"Validation for (\w+) failed", message)  # the innermost comes last
    waiting = [look_up(PACKAGE, SCHEMA_BASE)] if names else []
    while waiting:
        here = waiting.pop()
        if here.__name__ == names[-1]:
            return here
        waiting += here.__subclasses__()
    return look_up(PACKAGE, SCHEMAS[kind]) if kind in SCHEMAS else None


def schemas(kind: str) -> list[Any]:
    """Returns the schemas, one of which the YAML of a kind is held against; none for a kind that none is known for."""
    paths = (SCHEMAS[kind],) if kind in SCHEMAS else OTHER_SCHEMAS.get(kind, ())
    return [look_up(PACKAGE, path) for path in paths]


def branches(node: Any, data: Mapping[str, Any]) -> Iterator[tuple[Any, bool]]:
    """Yields (schema or field, whether unknown keys are ignored) of all that a mapping may be at a schema or field.

    Of a union only those for the mapping's `type` count, where it has one.
    """
    if hasattr(node, "experimental_field"):
        yield from branches(node.experimental_field, data)
    elif hasattr(node, "_union_fields"):
        own = getattr(node, "_type_sensitive_fields_dict", {}).get(str(data.get("type")))
        for each in own or node._union_fields:
            yield from branches(each, data)
    elif hasattr(node, "nested"):
        nested = node.nested
        if isinstance(nested, str):
            nested = schema("", f"Validation for {nested} failed")
        elif not hasattr(nested, DECLARED_FIELDS):
            nested = nested()
        yield nested, node.unknown == "include"
    else:
        yield node, False


def takes_anything(node: Any) -> bool:
    """Tells whether a mapping of any keys may stand at a field, as at one without a schema for its values."""
    inner = [getattr(node, "experimental_field", None), *getattr(node, "_union_fields", ())]
    if any(takes_anything(each) for each in inner if each is not None):
        return True
    return type(node).__name__ in ("Raw", "Dict", "Field") and getattr(node, "value_field", None) is None


def value_node(node: Any) -> Any:
    """Returns the field of a mapping's values or of a list's items, None for a field of neither."""
    return getattr(node, "value_field", None) or getattr(node, "inner", None)


def fields(schema_or_field: Any) -> dict[str, Any]:
    """Returns the fields of a schema, or of what a field nests, by their names in YAML; {} where it nests no schema."""
    declared = getattr(getattr(schema_or_field, "schema", schema_or_field), DECLARED_FIELDS, {})
    return {field.data_key or name: field for name, field in declared.items()}


def _own(instance: Any, name: str) -> Any:
    try:
        return getattr(instance, name)
    except AttributeError as error:
        kind = type(instance)
        raise missing(PACKAGE, f"{kind.__module__}:{kind.__qualname__}.{name}", error) from error
