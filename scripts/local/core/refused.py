"""What Azure ML has and the local one has not: refused in one sentence, in a declared place that can be listed.

`ABSENT` are whole resources of a workspace: their lists are empty, one of them is not there, and making one is refused
(the routes are in resources/absent.py). `KINDS` are what a body may ask for; who reads the body raises `refused(key)`.
scripts/local/AZURE.md lists both.
"""

from __future__ import annotations

import dataclasses

from scripts.local.core.web import AzureError, Layer, not_found

CODE = "NotEmulated"


@dataclasses.dataclass(frozen=True)
class Absent:
    """A resource of a workspace: its collection in a path, Azure's word for it, what to do instead.

    `missing` are code, inner codes and sentence of Azure's 404 for one ({name}, {workspace}), as recorded by
    Microsoft's SDK and CLI tests, 2023-2024; without it the 404's words are unverified.
    """

    collection: str
    word: str
    instead: str
    missing: tuple[str, tuple[str, ...], str] | None = None
    layer: Layer = Layer.MANAGEMENT

    def not_there(self, name: str, workspace: str) -> AzureError:
        """Returns the 404 for one of them."""
        code, inner, words = self.missing or ("UserError", ("NotFound",), f"{self.word} {{name}} not found.")
        error = not_found(words.format(name=name, workspace=workspace), code, inner)
        error.layer = self.layer
        return error


@dataclasses.dataclass(frozen=True)
class Kind:
    """What a body may ask for: Azure's word for it, where it stands, and what to do instead."""

    word: str
    where: str
    instead: str


ABSENT = (
    Absent(
        "batchEndpoints",
        "batch endpoint",
        "ask an online endpoint row by row, or run the rows through a command job",
        (
            "UserError",
            ("NotFound", "EndpointNotFound"),
            "An endpoint with the name '{name}' does not exist in the workspace '{workspace}'. Please check the "
            "endpoint name and also ensure the current user has access to it.",
        ),
    ),
    Absent(
        "schedules",
        "schedule",
        "start the job from your own scheduler",
        ("UserError", ("NotFound",), "Resource Trigger {name} not found"),
    ),
    Absent(
        "connections",
        "connection",
        "pass what a job needs as an input or an environment variable",
        ("UserError", ("NotFoundError",), "Connection {name} can't be found in this workspace"),
        Layer.PROVIDER,
    ),
    Absent("serverlessEndpoints", "serverless endpoint", "deploy the model to an online endpoint"),
    Absent("featuresets", "feature set", "prepare the columns in the data itself"),
    Absent("featurestoreEntities", "feature store entity", "prepare the columns in the data itself"),
    Absent("marketplaceSubscriptions", "marketplace subscription", "use a model of the registry azureml"),
    Absent("inferencePools", "inference pool", "deploy the model to an online endpoint"),
    Absent("outboundRules", "outbound rule of a managed network", "nothing leaves this machine anyway"),
    Absent("privateEndpointConnections", "private endpoint connection", "it listens on this machine only"),
)
KINDS: dict[str, Kind] = {}


def sentence(word: str, instead: str) -> str:
    """Returns the one sentence of every refusal."""
    article = "an" if word[0] in "aeiou" else "a"
    return f"This asks for {article} {word}, which Azure ML has and the local Azure ML has not; {instead}."


def refused(key: str) -> AzureError:
    """Returns the refusal of a declared kind; `raise refused("sweep")`."""
    kind = KINDS[key]
    return AzureError(400, CODE, sentence(kind.word, kind.instead))
