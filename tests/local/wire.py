"""The emulator as a client of the wire meets it, for answers that the SDK hides."""

from __future__ import annotations

import base64
import socket
import ssl
from typing import Any
from urllib.parse import urlsplit

import requests

API = "2023-08-01-preview"


def tunnel(emulated: Any, host: str, timeout: float = 20) -> ssl.SSLSocket:
    """Returns a connection to an emulated host, through the proxy."""
    proxy = urlsplit(emulated.env["HTTPS_PROXY"])
    key = base64.b64encode(f"{proxy.username}:{proxy.password}".encode()).decode()
    plain = socket.create_connection(("127.0.0.1", proxy.port), timeout)
    plain.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nProxy-Authorization: Basic {key}\r\n\r\n".encode())
    assert b" 200 " in plain.recv(1000)
    trusted = ssl.create_default_context(cafile=str(emulated.home / "ca.pem"))
    return trusted.wrap_socket(plain, server_hostname=host)


class Wire:
    """Sends requests about a workspace; paths are those behind it, or whole ones that start with a slash."""

    def __init__(self, local: Any) -> None:
        words = local.emulated.workspace
        self.subscription = f"/subscriptions/{words['subscription_id']}"
        self.group = f"{self.subscription}/resourceGroups/{words['resource_group']}"
        self.workspace = f"{self.group}/providers/Microsoft.MachineLearningServices/workspaces/{words['workspace']}"
        token = local.ml._credential.get_token("https://management.azure.com/.default").token
        self.headers = {"Authorization": f"Bearer {token}"}

    def ask(self, method: str, path: str, body: Any = None, host: str = "management.azure.com", **query: Any) -> Any:
        """Returns the response to a request."""
        url = path if path.startswith("https://") else f"https://{host}{self._path(path)}"
        params = {} if "api-version=" in url else {"api-version": API}
        return requests.request(method, url, params=params | query, json=body, headers=self.headers, timeout=30)

    def _path(self, path: str) -> str:
        return path if path.startswith("/") else f"{self.workspace}/{path}"

    def get(self, path: str, **query: Any) -> Any:
        """Returns the JSON of a GET that succeeds."""
        answer = self.ask("GET", path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def put(self, path: str, **properties: Any) -> Any:
        """Returns the response to a PUT of properties."""
        return self.ask("PUT", path, {"properties": properties})

    def refused(self, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, str, str]:
        """Returns the status, the innermost code and the message of a refusal."""
        answer = self.ask(method, path, body, **query)
        assert answer.status_code >= 400, answer.text
        error = answer.json()["error"]
        infos = {each["type"]: each["info"]["value"] for each in error.get("additionalInfo") or []}
        chain, code = infos.get("InnerError") or error.get("innerError"), error["code"]
        while chain:
            code, chain = chain["code"], chain["innerError"]
        details = error.get("details") or []
        return answer.status_code, details[0]["code"] if details else code, error["message"]
