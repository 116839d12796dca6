"""The deployed model as a client sees it: where to ask, with what key, and what the answers mean.

The key is fetched by the SDK into this process and goes nowhere but into the request's header: not into a file, an
environment variable, a log, or the text of an error.
"""

from __future__ import annotations

import contextlib
import json
import os
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from scripts.azure import answers
from scripts.errors import FAILED, MISSING, UNREACHABLE, UserError, one_line
from scripts.invoke import answer
from scripts.values.read import Values

# What Azure's gateway says with a status, and what to do; the body of such a reply is often empty.
STATUSES = {
    401: "the key or token was refused; fetch it again, it may have been regenerated",
    403: "this account may not ask the endpoint",
    404: "no deployment has traffic; make deploy gives it all",
    408: "no answer within deployment.request_timeout_ms",
    424: "the scoring server failed; its log says why (az ml online-deployment get-logs)",
    429: "more requests at once than deployment.max_concurrent_requests_per_instance and its queue take",
    502: "the scoring server does not answer; its log says why (az ml online-deployment get-logs)",
    503: "the deployment is not ready yet",
}


class AskError(UserError):
    """A request without an answer; `status` is the HTTP status, 0 where there was none."""

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence, FAILED if status else UNREACHABLE)
        self.status = status


@dataclass
class Endpoint:
    """An online endpoint with the deployment that has the traffic."""

    name: str
    uri: str
    deployment: str
    model: str  # name:version as far as the deployment says
    instances: int
    places: int  # requests that it works on at a time: instances times max_concurrent_requests_per_instance
    timeout: float  # seconds
    credential: Any = field(repr=False)  # a function that returns the key or token
    streams: bool = True  # until the server refuses to; Azure's own chat server only knows whole answers
    _secret: str = field(default="", repr=False)

    def headers(self) -> dict[str, str]:
        """Returns the headers of a request, the key in them."""
        self._secret = self._secret or self.credential()
        return {"Authorization": f"Bearer {self._secret}", "Content-Type": "application/json"}

    def ask(self, messages: Sequence[dict[str, Any]], parameters: dict[str, Any], http: Any = None) -> str:
        """Returns the answer to a conversation; an `AskError` says why there is none. A refused token is fetched anew once."""
        import httpx

        with http_client(self.timeout) if http is None else contextlib.nullcontext(http) as using:
            for attempt in (1, 2):
                try:
                    reply = using.post(self.uri, json=body(messages, parameters), headers=self.headers())
                except httpx.TimeoutException:
                    raise AskError(f"endpoint {self.name}: {STATUSES[408]}", 408) from None
                except httpx.HTTPError as error:
                    raise AskError(f"endpoint {self.name} cannot be reached: {_reason(error)}", 0) from None
                if reply.status_code != 401 or attempt == 2:
                    break
                self._secret = ""
        if reply.status_code != 200:
            raise AskError(f"endpoint {self.name}: {refusal(reply.status_code, reply.text)}", reply.status_code)
        return answer(reply.text)

    def pieces(self, messages: Sequence[dict[str, Any]], parameters: dict[str, Any], http: Any) -> Iterator[str]:
        """Yields the answer as it comes where the server can stream (parameter `stream`), else in one piece."""
        import httpx

        if self.streams:
            request = {"json": body(messages, {**parameters, "stream": True}), "headers": self.headers()}
            try:
                with http.stream("POST", self.uri, **request) as reply:
                    if reply.status_code == 200:
                        yield from _events(reply, self.name)
                        return
                    refused = refusal(reply.status_code, reply.read().decode(errors="replace"))
            except httpx.HTTPError as error:
                raise AskError(f"endpoint {self.name} broke off: {_reason(error)}", 0) from None
            if reply.status_code not in (400, 401, 424):
                raise AskError(f"endpoint {self.name}: {refused}", reply.status_code)
            # Perhaps it is the parameter that it does not know; asking without it tells.
            self.streams = reply.status_code == 401
        yield self.ask(messages, parameters, http)


def body(messages: Sequence[dict[str, Any]], parameters: dict[str, Any]) -> dict[str, Any]:
    """Returns the request of the chat-completion models; only what a server should read of a message goes along."""
    kept = [{key: message[key] for key in ("role", "content") if key in message} for message in messages]
    return {"input_data": {"input_string": kept, "parameters": parameters}, "params": {}}


def _events(reply: Any, name: str) -> Iterator[str]:
    """Yields the pieces of server-sent events {"output": …}; a server that knows no events sends one whole answer."""
    if not reply.headers.get("content-type", "").startswith("text/event-stream"):
        reply.read()
        yield answer(reply.text)
        return
    for line in reply.iter_lines():
        data = line.removeprefix("data: ")
        if data == line or data == "[DONE]":
            continue
        try:
            event = json.loads(data)
        except ValueError:
            event = None
        if not isinstance(event, dict):
            raise AskError(f"endpoint {name}: the stream has something that is no event: {data[:100]!r}", 500)
        if "error" in event:
            error = event["error"]
            raise AskError(f"endpoint {name}: {error.get('message', error) if isinstance(error, dict) else error}", 500)
        if event.get("output"):
            yield str(event["output"])


def refusal(status: int, text: str) -> str:
    """Returns a sentence for a reply that is no answer: the server's own words where it has some, else what it means."""
    try:
        said = json.loads(text)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        said = ""
    meaning = STATUSES.get(status, "")
    return f"HTTP {status}: " + (str(said) or meaning or one_line(text) or "no reason given")


def find(values: Values, client: Any, name: str) -> Endpoint | None:
    """Returns the endpoint if it is there and a deployment of it has traffic, else None."""
    endpoint = answers.ask(f"endpoint {name}", client.online_endpoints.get, name)
    if endpoint is None:
        return None
    traffic = {deployment: share for deployment, share in (endpoint.traffic or {}).items() if int(share)}
    if not traffic or endpoint.provisioning_state != "Succeeded":
        return None
    chosen = max(traffic, key=traffic.__getitem__)
    deployment = answers.ask(f"deployment {chosen}", client.online_deployments.get, chosen, name)
    if deployment is None:
        return None
    settings = deployment.request_settings
    per_instance = getattr(settings, "max_concurrent_requests_per_instance", None) or 1
    return Endpoint(
        name=name,
        uri=endpoint.scoring_uri,
        deployment=deployment.name,
        model=model_reference(deployment.model),
        instances=int(deployment.instance_count or 1),
        places=per_instance * int(deployment.instance_count or 1),
        timeout=(getattr(settings, "request_timeout_ms", None) or 5000) / 1000 + 10,
        credential=lambda: _secret(client, name),
    )


def require(values: Values, client: Any, name: str) -> Endpoint:
    """Returns the endpoint; a `UserError` if it is not there or nothing is deployed to it."""
    found = find(values, client, name)
    if found is None:
        raise UserError(
            f"there is no endpoint {name} with a deployment that has traffic; make deploy ENV={values.environment} "
            "makes it",
            MISSING,
        )
    return found


def model_reference(model: Any) -> str:
    """Returns name:version of what a deployment says about its model: an asset, `azureml:name:version` or an ARM id."""
    text = model if isinstance(model, str) else f"{getattr(model, 'name', '')}:{getattr(model, 'version', '')}"
    parts = text.split("/")
    if "models" in parts and "versions" in parts:
        return f"{parts[parts.index('models') + 1]}:{parts[parts.index('versions') + 1]}"
    return text.removeprefix("azureml:")


def http_client(timeout: float, kind: str = "Client", **options: Any) -> Any:
    """Returns an httpx client (`Client` or `AsyncClient`) with the proxy and CA bundle that the Azure SDK would use."""
    import httpx

    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE")
    verify = ssl.create_default_context(cafile=bundle) if bundle else True
    return getattr(httpx, kind)(timeout=httpx.Timeout(timeout, connect=15), verify=verify, **options)


def name_of(values: Values) -> str:
    """Returns the name of the environment's endpoint."""
    from scripts.values import names

    return f"{values.data['endpoint']['name']}-{names.suffix(values)}"


def _secret(client: Any, name: str) -> str:
    keys = answers.require(f"key for endpoint {name}", "make deploy makes it", client.online_endpoints.get_keys, name)
    return getattr(keys, "primary_key", None) or keys.access_token


def _reason(error: Exception) -> str:
    return one_line(error) or type(error).__name__
