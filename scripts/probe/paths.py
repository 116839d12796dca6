"""What a URL of Azure ML asks for, without whose it is: the names in a path become words in braces."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

PROVIDER = "/providers/Microsoft.MachineLearningServices"
_SCOPES = (
    (re.compile(rf"/subscriptions/[^/]+/resourceGroups/[^/]+{PROVIDER}/workspaces/[^/]+", re.IGNORECASE), "{ws}"),
    (re.compile(rf"/subscriptions/[^/]+/resourceGroups/[^/]+{PROVIDER}/registries/[^/]+", re.IGNORECASE), "{registry}"),
    (re.compile(r"/subscriptions/[^/]+/resourceGroups/[^/]+", re.IGNORECASE), "{group}"),
    (re.compile(r"/subscriptions/[^/]+", re.IGNORECASE), "{subscription}"),
)
# What follows one of these in a path is a name.
_COLLECTIONS = {
    each.lower(): f"{{{word}}}"
    for word, names in {
        "name": "computes datastores data models environments components codes jobs onlineEndpoints batchEndpoints "
        "schedules connections runs experiments tempdatarefs deploymenttemplates registries vaults",
        "version": "versions",
        "deployment": "deployments",
        "location": "locations",
        "operation": "operations computeOperationsStatus mfeOperationsStatus mfeOperationResults "
        "workspaceOperationsStatus registryOperationsStatus",
    }.items()
    for each in names.split()
}
_FAMILIES = (
    (re.compile(r"(management|sanitized)\.azure\.com"), ""),
    (re.compile(r"login\.microsoftonline\.com"), "identity:"),
    (re.compile(r".+\.blob\.core\.windows\.net"), "blob:"),
    (re.compile(r".+\.inference\.ml\.azure\.com"), "scoring:"),
    (re.compile(r".+\.api\.azureml\.ms|.+\.azureml\.ms"), "data:"),
)


def template(url: str) -> str:
    """Returns the template of a URL, as `{ws}/computes/{name}`; before another host's than ARM stands its kind."""
    parts = urlsplit(url)
    family = next((word for pattern, word in _FAMILIES if pattern.fullmatch(parts.hostname or "")), "other:")
    path = re.sub(r"/{2,}", "/", parts.path).rstrip("/")
    if family == "blob:":
        return family + "/{container}" + ("/{blob}" if path.count("/") > 1 else "")
    if family == "identity:":
        return family + re.sub(r"^/(?!common)[^/]+", "/{tenant}", path)
    for pattern, word in _SCOPES:
        path = pattern.sub(word, path, count=1)
    segments = path.split("/")
    for at in range(len(segments) - 1, 0, -1):
        name = _COLLECTIONS.get(segments[at - 1].lower())
        if name and not segments[at].startswith("{") and (not family or at > 2):
            segments[at] = name
    return family + "/".join(segments)


def query(url: str) -> dict[str, str]:
    """Returns the query of a URL, the names in lower case."""
    return {name.lower(): values[0] for name, values in parse_qs(urlsplit(url).query, keep_blank_values=True).items()}


_MASKS = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE), "{guid}"),
    (re.compile(r"/subscriptions/\S+", re.IGNORECASE), "{arm-id}"),
    (re.compile(r"azureml:\S+"), "{azureml-uri}"),
    (re.compile(r"https?://\S+"), "{url}"),
    (re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+"), "{address}"),
    (re.compile(r"(?<=\[)[^\]]*(?=\])"), "{name}"),
    (re.compile(r"'[^']*'"), "'{name}'"),
)


def masked(words: str, url: str) -> str:
    """Returns a message without what belongs to somebody: ids, addresses, and every name that stands in the URL."""
    for pattern, word in _MASKS:
        words = pattern.sub(word, words)
    names = {each for each in re.split(r"[/?&=]", url) if len(each) > 2 and each not in template(url)}
    for name in sorted(names, key=len, reverse=True):
        words = re.sub(rf"(?<![\w{{]){re.escape(name)}(?![\w}}])", "{name}", words)
    return words
