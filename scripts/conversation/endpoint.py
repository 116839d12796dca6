"""The deployed model as a client sees it: where to ask, with what key, and what the answers mean.

The key is fetched by the SDK into this process and goes nowhere but into the request's header: not into a file, an
environment variable, a log, or the text of an error.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scripts.azure import answers
from scripts.conversation import answer, request
from scripts.errors import FAILED, MISSING, UNREACHABLE, UserError, one_line
from scripts.targets import command
from scripts.values import names
from scripts.values.read import Values

if TYPE_CHECKING:
    import httpx

HEADER = "azureml-model-deployment"  # names the deployment that a request is for, whatever its traffic
CONNECT = 15  # seconds to reach the endpoint at all
Messages = Sequence[dict[str, Any]]

# What Azure's gateway means with a status, and what to do; the body of such a reply is often empty, or plain text.
STATUSES = {
    401: "the key or token was refused; fetch it again, it may have been regenerated",
    403: "this account may not ask the endpoint (with aad_token it needs onlineEndpoints/score/action)",
    404: "no deployment has traffic; deploying gives it all",
    408: "no answer within deployment.request_timeout_ms; ask for fewer tokens, or raise it (180000 at most)",
    424: "the scoring server failed; its log says why (az ml online-deployment get-logs)",
    429: "more requests at once than deployment.max_concurrent_requests_per_instance and its queue take; ask fewer at "
    "once, or raise it or deployment.instance_count",
    502: "the scoring server does not answer; its log says why (az ml online-deployment get-logs)",
    503: "the deployment is not ready yet",
}
# The gateway's own refusals: what it says in the body repeats the status, so that the meaning above says more.
GATEWAYS = (404, 408, 429)
# With 424, whatever the model's server answered: its own status, and why the gateway gave up on it.
MODEL_STATUS, MODEL_REASON = "ms-azureml-model-error-statuscode", "ms-azureml-model-error-reason"


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
    credential: Callable[[], str] = field(repr=False)  # fetches the key or token
    only: bool = False  # ask this deployment, whichever the traffic leads to
    streams: bool = True  # until the server refuses to; Azure's own chat server only knows whole answers
    _secret: str = field(default="", repr=False)

    def headers(self) -> dict[str, str]:
        """Returns the headers of a request, the key in them."""
        self._secret = self._secret or self.credential()
        chosen = {HEADER: self.deployment} if self.only else {}
        return {"Authorization": f"Bearer {self._secret}", "Content-Type": "application/json", **chosen}

    def ask(self, messages: Messages, parameters: dict[str, Any], http: httpx.Client) -> str:
        """Returns the answer to a conversation; an `AskError` says why there is none. A refused key is fetched anew."""
        import httpx

        for attempt in (1, 2):
            try:
                reply = http.post(self.uri, content=request.body(messages, parameters), headers=self.headers())
            except httpx.TimeoutException:
                raise AskError(f"endpoint {self.name}: {STATUSES[408]}", 408) from None
            except httpx.HTTPError as error:
                raise AskError(f"endpoint {self.name} cannot be reached: {_reason(error)}", 0) from None
            if reply.status_code != 401 or attempt == 2:
                break
            self._secret = ""
        if reply.status_code != 200:
            said = refusal(reply.status_code, reply.text, reply.headers)
            raise AskError(f"endpoint {self.name}: {said}", reply.status_code)
        return answer.read(reply.text)

    def pieces(self, messages: Messages, parameters: dict[str, Any], http: httpx.Client) -> Generator[str, None, None]:
        """Yields the answer as it comes where the server can stream (parameter `stream`), else in one piece."""
        import httpx

        streams = self.streams
        if streams:
            asked = request.body(messages, {**parameters, "stream": True})
            try:
                with http.stream("POST", self.uri, content=asked, headers=self.headers()) as reply:
                    if reply.status_code == 200:
                        yield from self._streamed(reply)
                        return
                    refused = refusal(reply.status_code, reply.read().decode(errors="replace"), reply.headers)
            except httpx.HTTPError as error:
                raise AskError(f"endpoint {self.name} broke off: {_reason(error)}", 0) from None
            if reply.status_code not in (400, 401, 424):
                raise AskError(f"endpoint {self.name}: {refused}", reply.status_code)
            streams = reply.status_code == 401
        # Perhaps it is the parameter that it does not know; that it answers without it tells.
        whole = self.ask(messages, parameters, http)
        self.streams = streams
        yield whole

    def _streamed(self, reply: httpx.Response) -> Iterator[str]:
        """Yields the pieces of a streamed answer; a server that knows no events sends one whole answer."""
        if not reply.headers.get("content-type", "").startswith(answer.EVENTS):
            reply.read()
            yield answer.read(reply.text)
            return
        try:
            yield from answer.pieces(reply.iter_text())
        except UserError as error:
            raise AskError(f"endpoint {self.name}: {error}", 500) from None


def refusal(status: int, text: str, headers: Mapping[str, str]) -> str:
    """Returns a sentence for a reply that is no answer: the model's status and words, or what the gateway's mean."""
    said, meaning = answer.words(text), STATUSES.get(status, "")
    model = headers.get(MODEL_STATUS)
    if model:
        reason = headers.get(MODEL_REASON, "")
        why = f" ({reason})" if reason not in ("", "model_error") else ""
        hint = f"; {STATUSES[424]}" if not said or int_of(model) >= 500 else ""
        return f"HTTP {status}: the model's server answered {model}{why}: {said or 'without a word'}{hint}"
    if status in GATEWAYS and meaning:
        return f"HTTP {status}: {meaning}" + (f" (it said: {said})" if said else "")
    return f"HTTP {status}: " + (said or meaning or one_line(text) or "no reason given")


def int_of(text: str) -> int:
    """Returns a header's number, 0 for anything else."""
    return int(text) if text.isdecimal() else 0


def find(client: Any, name: str) -> Endpoint | None:
    """Returns the endpoint if it is there and a deployment of it has traffic, else None."""
    endpoint = answers.ask(f"endpoint {name}", client.online_endpoints.get, name)
    if endpoint is None:
        return None
    traffic = {deployment: share for deployment, share in (endpoint.traffic or {}).items() if int(share)}
    if not traffic or endpoint.provisioning_state != "Succeeded":
        return None
    return _of(client, endpoint, max(traffic, key=traffic.__getitem__))


def deployment_of(client: Any, name: str, deployment: str) -> Endpoint | None:
    """Returns the endpoint for questions to one deployment, which need have no traffic; None if it is not there."""
    endpoint = answers.ask(f"endpoint {name}", client.online_endpoints.get, name)
    return _of(client, endpoint, deployment, only=True) if endpoint else None


def _of(client: Any, endpoint: Any, chosen: str, only: bool = False) -> Endpoint | None:
    deployment = answers.ask(f"deployment {chosen}", client.online_deployments.get, chosen, endpoint.name)
    if deployment is None:
        return None
    settings = deployment.request_settings
    per_instance = getattr(settings, "max_concurrent_requests_per_instance", None) or 1
    return Endpoint(
        name=endpoint.name,
        uri=endpoint.scoring_uri,
        deployment=deployment.name,
        model=model_reference(deployment.model),
        instances=int(deployment.instance_count or 1),
        places=per_instance * int(deployment.instance_count or 1),
        timeout=(getattr(settings, "request_timeout_ms", None) or 5000) / 1000 + 10,
        credential=lambda: _secret(client, endpoint.name),
        only=only,
    )


def require(values: Values, client: Any, name: str) -> Endpoint:
    """Returns the endpoint; a `UserError` if it is not there or nothing is deployed to it."""
    endpoint = find(client, name)
    if endpoint is None:
        raise UserError(
            f"there is no endpoint {name} with a deployment that has traffic; {command('deploy', values.environment)} "
            "makes it",
            MISSING,
        )
    return endpoint


def model_reference(model: Any) -> str:
    """Returns name:version of what a deployment says about its model: an asset, `azureml:name:version` or an ARM id."""
    text = model if isinstance(model, str) else f"{getattr(model, 'name', '')}:{getattr(model, 'version', '')}"
    parts = text.split("/")
    if "models" in parts and "versions" in parts:
        return f"{parts[parts.index('models') + 1]}:{parts[parts.index('versions') + 1]}"
    return text.removeprefix("azureml:")


def http_client(timeout: float) -> httpx.Client:
    """Returns a client with the proxy and CA bundle that the Azure SDK would use."""
    import httpx

    return httpx.Client(timeout=httpx.Timeout(timeout, connect=CONNECT), verify=_trusted())


def async_http_client(timeout: float, connections: int) -> httpx.AsyncClient:
    """Returns the same for as many requests at a time as `connections`."""
    import httpx

    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    return httpx.AsyncClient(timeout=httpx.Timeout(timeout, connect=CONNECT), verify=_trusted(), limits=limits)


def name_of(values: Values) -> str:
    """Returns the name of the environment's endpoint."""
    return names.endpoint_name(values)


def _secret(client: Any, name: str) -> str:
    keys = answers.require(
        f"key for endpoint {name}", f"{command('deploy')} makes it", client.online_endpoints.get_keys, name
    )
    return str(getattr(keys, "primary_key", None) or keys.access_token)


def _trusted() -> ssl.SSLContext | bool:
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE")
    return ssl.create_default_context(cafile=bundle) if bundle else True


def _reason(error: Exception) -> str:
    return one_line(error) or type(error).__name__
