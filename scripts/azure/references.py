"""How Azure ML writes where an asset is: patterns to read a reference, and the one way to write it."""

from __future__ import annotations

import re

_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]*"  # of the workspace or of a registry; scripts.azure.name_rules says more

# azureml://registries/<registry>/<kind>/<name>, with /versions/<version> or /labels/<label> behind it or without
REGISTRY = re.compile(
    r"azureml://registries/(?P<registry>[^/]+)/(?P<kind>\w+)/(?P<name>[^/]+)"
    r"(?:/(?P<by>versions|labels)/(?P<version>[^/]+))?"
)
# <name>:<version>, or <name>@<label>, what stands behind azureml: for an asset of the workspace
SHORT = re.compile(rf"(?P<name>{_NAME})(?P<by>[:@])(?P<version>[A-Za-z0-9_.-]+)")
# the places that a URI may name, as far as the word behind azureml://
PLACE = re.compile(r"azureml://(registries|jobs|datastores|subscriptions|locations)/[^/]+")


def registry_asset(registry: str, kind: str, name: str, version: str = "") -> str:
    """Returns the reference to an asset of a registry; `kind` is models, components or environments."""
    return f"azureml://registries/{registry}/{kind}/{name}" + (f"/versions/{version}" if version else "")
