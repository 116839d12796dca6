"""One file of a registry model: where it lies, and what is told when it may not be read."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ServiceRequestError

from scripts.azure import registry_files
from scripts.errors import CouldNotAskError, MayNotAskError

FILES = {"/models/phi/8/mlflow_model_folder/conda.yaml": "dependencies: []\n"}
URI = "https://account.blob.core.windows.net/models/phi/8/mlflow_model_folder"


class Blobs(BaseHTTPRequestHandler):
    """A container: what is signed is given."""

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        text = FILES.get(path, "")
        self.send_response(403 if query != "sig=right" else 200 if text else 404)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *arguments: Any) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def blobs() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Blobs)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/models"
    server.shutdown()
    server.server_close()


def models(answer: Any, error: Exception | None = None) -> Any:
    """Returns the SDK's operations of a registry, in so far as the SDK's own function asks of them."""

    def send_request(request: Any) -> Any:
        if error:
            raise error
        assert request.url.endswith(
            "/registries/azureml/datarefs/phi/versions/8?api-version=2021-10-01-dataplanepreview"
        )
        return SimpleNamespace(raise_for_status=lambda: None, json=lambda: answer)

    client = SimpleNamespace(_config=SimpleNamespace(subscription_id="s"), send_request=send_request)
    return SimpleNamespace(_registry_service_client=client, _resource_group_name="g", _registry_name="azureml")


def signed(address: str) -> dict[str, Any]:
    return {"blobReferenceForConsumption": {"blobUri": URI, "credential": {"credentialType": "SAS", "sasUri": address}}}


def test_a_file_that_is_there_and_one_that_is_not(blobs: str) -> None:
    asked = models(signed(f"{blobs}?sig=right"))
    assert registry_files.text(asked, "phi", "8", URI, "conda.yaml") == "dependencies: []\n"
    assert registry_files.text(asked, "phi", "8", URI, "no.yaml") is None


def test_what_may_not_be_read_is_told(blobs: str) -> None:
    refused = HttpResponseError("no", response=SimpleNamespace(status_code=405, reason="", headers={}))  # type: ignore
    refused.status_code = 405
    unsigned = {"blobReferenceForConsumption": {"credential": {"credentialType": "NoCredentials"}}}
    for asked, words in (
        (models(signed(f"{blobs}?sig=wrong")), "its storage answered 403"),
        (models(unsigned), "no address"),
        (models(None, refused), "no address"),
    ):
        with pytest.raises(MayNotAskError, match=words) as caught:
            registry_files.text(asked, "phi", "8", URI, "conda.yaml")
        assert "artifacts of phi" in caught.value.todo
    with pytest.raises(CouldNotAskError) as silent:
        registry_files.text(models(None, ServiceRequestError("nobody")), "phi", "8", URI, "conda.yaml")
    assert not isinstance(silent.value, MayNotAskError)
