"""One small file of a registry model, without the gigabytes of weights that lie beside it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from scripts.azure import answers, sdk_private
from scripts.errors import MayNotAskError

SECONDS = 30
LARGEST = 1_000_000  # bytes: what is larger is none of the files that are read here


def text(models: Any, name: str, version: str, uri: str, file: str) -> str | None:
    """Returns the text of a file that lies in the model's folder `uri`, None where there is none of that name.

    `models` are the SDK's operations of a registry. Raises MayNotAskError where the registry does not let it be read.
    """
    import requests

    what = f"{file} of model {name} version {version}"
    todo = f"{file} among the artifacts of {name}, in the registry's model catalog of Azure ML studio"
    container = answers.ask(what, _container, models, name, version, uri)
    if not container:
        raise MayNotAskError("the registry gives no address to read it from", what, todo)
    address = _address(container, uri, file)
    answer = answers.ask(what, requests.get, address, timeout=SECONDS, allow_redirects=False, stream=True)
    if answer is None or answer.status_code == 404:
        return None
    if not answer.ok:
        raise MayNotAskError(f"its storage answered {answer.status_code}", what, todo)
    return str(answer.raw.read(LARGEST, decode_content=True).decode("utf-8", "replace"))


def _container(models: Any, name: str, version: str, uri: str) -> str:
    """Returns an empty text where the registry refuses, or answers without a signature, which is an SDK's KeyError."""
    try:
        return sdk_private.registry_container(models, name, version, uri)
    except answers.PROGRAM_FAULTS:
        return ""
    except Exception as error:
        if answers.is_unanswered(error) or answers.status_of(error) is None:
            raise
        return ""


def _address(container: str, uri: str, file: str) -> str:
    """Returns the file's address in a signed container: /<container>/<the model's folder>/<file>?<signature>."""
    signed, folder = urlsplit(container), urlsplit(uri).path.strip("/")
    place = signed.path.strip("/")
    inside = folder if folder.startswith(f"{place}/") else f"{place}/{folder.partition('/')[2]}"
    return urlunsplit(signed._replace(path=f"/{inside}/{file}"))
