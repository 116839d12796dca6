"""What the SDK raises, in this project's words: not there, could not be asked, refused; and the words themselves."""

from __future__ import annotations

import json
import types
from typing import Any

import pytest
import requests
from azure.ai.ml.exceptions import ErrorCategory, ErrorTarget, ValidationErrorType, ValidationException
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.mgmt.core.exceptions import ARMErrorFormat

from scripts.azure import answers
from scripts.errors import FAILED, MISSING, UNREACHABLE, CouldNotAskError, UserError


def answered(status: int, text: str = "", kind: type = HttpResponseError) -> Exception:
    """An error that azure-core makes of an answer of the service."""
    error: Exception = kind(message=text or f"answered {status}")
    error.status_code = status  # type: ignore[attr-defined]
    return error


def invalid(kind: ValidationErrorType) -> Exception:
    error: Exception = ValidationException(
        message="Asset m does not exist in registry r.", no_personal_data_message="", target=ErrorTarget.ASSET,
        error_category=ErrorCategory.USER_ERROR, error_type=kind,
    )  # fmt: skip
    return error


def raising(error: BaseException) -> Any:
    def get(*names: Any, **options: Any) -> None:
        raise error

    return get


NOT_THERE = [answered(404), ResourceNotFoundError("gone"), invalid(ValidationErrorType.RESOURCE_NOT_FOUND)]
UNANSWERED = [
    *(ServiceRequestError("no route"), ServiceResponseError("cut off"), requests.ConnectionError("refused")),
    *(ClientAuthenticationError("no token"), ConnectionResetError("reset")),
    *(answered(status) for status in (401, 408, 429, 500, 503)),
]
REFUSED = [*(answered(status) for status in (400, 403, 409, 412, 422)), invalid(ValidationErrorType.INVALID_VALUE)]


@pytest.mark.parametrize("error", NOT_THERE, ids=repr)
def test_what_is_not_there_is_none_or_missing(error: Exception) -> None:
    assert answers.ask("model m", raising(error)) is None
    with pytest.raises(UserError, match=r"^there is no model m; make register registers it$") as caught:
        answers.require("model m", "make register registers it", raising(error))
    assert caught.value.code == MISSING


@pytest.mark.parametrize("error", [*UNANSWERED, *REFUSED, KeyError("x")], ids=repr)
def test_whatever_else_keeps_azure_from_answering_is_one_error_with_one_code(error: Exception) -> None:
    for ask in (lambda: answers.ask("quota", raising(error)), lambda: answers.require("quota", "", raising(error))):
        with pytest.raises(CouldNotAskError, match=r"^could not ask for quota: ") as caught:
            ask()
        assert caught.value.code == UNREACHABLE
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("error", UNANSWERED, ids=repr)
def test_a_change_that_nobody_answered(error: Exception) -> None:
    with pytest.raises(CouldNotAskError, match=r"^model m cannot be tagged: ") as caught:
        answers.order("model m cannot be tagged", raising(error))
    assert caught.value.code == UNREACHABLE


@pytest.mark.parametrize("error", REFUSED, ids=repr)
def test_a_change_that_was_refused(error: Exception) -> None:
    with pytest.raises(UserError, match=r"^model m cannot be tagged: ") as caught:
        answers.order("model m cannot be tagged", raising(error))
    assert caught.value.code == FAILED


def test_an_answer_is_an_answer_even_where_it_is_nothing() -> None:
    assert answers.ask("x", lambda: 0) == 0
    assert answers.require("x", "", lambda *names, **options: (names, options), "n", version=1) == (
        ("n",),
        {"version": 1},
    )
    assert answers.require("a download", "", lambda: None) is None


def test_what_the_official_cli_takes_for_no_error() -> None:
    assert answers.or_none(raising(NOT_THERE[0])) is None
    assert answers.or_none(lambda name: name, name="n") == "n"
    for error in (UNANSWERED[0], REFUSED[0]):
        with pytest.raises(type(error)) as caught:
            answers.or_none(raising(error))
        assert caught.value is error


def test_errors_of_this_project_and_of_this_machine_pass() -> None:
    for error in (UserError("ours"), FileNotFoundError(2, "no such file", "/x"), KeyboardInterrupt()):
        with pytest.raises(type(error)) as caught:
            answers.ask("x", raising(error))
        assert caught.value is error


def test_no_login_says_what_it_was_needed_for_once() -> None:
    def outer() -> None:
        answers.ask("the region", raising(CouldNotAskError("not logged in")))

    with pytest.raises(CouldNotAskError, match=r"^could not ask for the region: not logged in$"):
        answers.ask("sizes", outer)


@pytest.mark.parametrize(("error", "sentence"), [
    (answered(403, "(NotAllowed) The client may not.\nCode: NotAllowed\nMessage: The client may not."),
     "The client may not."),
    (answered(500, "first line\nsecond line"), "first line"),
    (ValueError("\x1b[31m\n(x) one thing\x1b[39m\n\n(x) another\n   thing\n\nResolutions: 1) …"), "one thing"),
    (ValueError(""), "ValueError"),
    (KeyError("name"), "unexpected KeyError: 'name'"),
    (ServiceRequestError("<urllib3 object>: [Errno 111] Connection refused"),
     "Azure cannot be reached: [Errno 111] Connection refused"),
])  # fmt: skip
def test_a_sentence_is_the_message_alone(monkeypatch: pytest.MonkeyPatch, error: Exception, sentence: str) -> None:
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert answers.sentence(error) == sentence


def test_proxy_and_certificate_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:s/3@cret@p:1")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/ca.pem")
    refused = ServiceRequestError("Unable to connect to proxy: Tunnel connection failed: 403 Forbidden")
    assert answers.sentence(refused) == (
        "Azure cannot be reached through the proxy http://p:1 (HTTPS_PROXY): Tunnel connection failed: 403 Forbidden"
    )
    assert "REQUESTS_CA_BUNDLE is /ca.pem" in answers.sentence(ServiceRequestError("… CERTIFICATE_VERIFY_FAILED …"))


def test_all_that_the_service_told_is_there_for_who_wants_it() -> None:
    text = '{"error": {"details": [1, 2]}}'
    response: Any = types.SimpleNamespace(reason="Bad", status_code=400, text=lambda: text, headers={})
    error = HttpResponseError(message="bad", response=response)
    error.error = None
    assert answers.told(error) == text
    response.text = lambda: 1 / 0  # a body that was a stream and is gone
    assert answers.told(error).startswith("bad")


def test_the_service_behind_endpoints_is_heard_through_its_wrapping() -> None:
    def told(**said: Any) -> str:
        detail = {"code": "InferencingClientCallFailed", "message": json.dumps(said)}
        body = json.dumps({"error": {"code": "BadRequest", "message": "The request is invalid.", "details": [detail]}})
        response = types.SimpleNamespace(
            status_code=400, reason="", headers={}, text=lambda encoding=None: body, body=body.encode
        )
        return answers.sentence(HttpResponseError(response=response, error_format=ARMErrorFormat))

    assert told(errors={"VmSize": ["Not enough quota."]}, title="One or more") == "Not enough quota."
    assert told(title="Not Found", detail="No such name.") == "No such name."
    assert told(title="Not Found") == "The request is invalid."
