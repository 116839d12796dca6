"""What Azure's SDK raises, in this project's words: not there, could not be asked, or refused.

`ask`, `require` and `order` are how this project's verbs call the SDK. `az_ml` has the official CLI's exit codes, so it
calls the SDK itself and takes only `or_none` and the words.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from typing import Any, TypeVar

from scripts.errors import FAILED, MISSING, CouldNotAskError, UserError, one_line

T = TypeVar("T")

ANSI = re.compile(r"\x1b\[[0-9;]*m")  # the SDK colours its messages even when nothing shows colours
_POINT = re.compile(r"\(x\) (.+?)(?=\n\s*\n|\n\s*Resolutions|\Z)", re.DOTALL)  # its "(x) what is wrong" blocks
_MESSAGE = re.compile(r"^(?:Message|\(\w+\)):? *(.+)$", re.MULTILINE)  # of "(Code) message", as azure-core prints it
_WRAPPED = re.compile(r"^Exception Details:\s*\(\w+\) (\{.+\})$", re.MULTILINE)  # of the service behind endpoints
_NOT_NOW = (401, 408, 429)  # an expired token, a timeout, a throttle: nothing is said about what was asked
PROGRAM_FAULTS = (KeyError, AttributeError, TypeError, IndexError)  # from the SDK: a fault of it, and no message


def ask(what: str, get: Callable[..., T], *names: Any, **options: Any) -> T | None:
    """Returns `get(*names, **options)`, None for what is not there; a CouldNotAskError where nobody can say."""
    try:
        return get(*names, **options)
    except CouldNotAskError as error:  # no login; or something asked first, whose own words say it
        if error.what:
            raise
        raise CouldNotAskError(str(error), what) from error
    except UserError:
        raise
    except Exception as error:  # the SDK raises its own, azure-core's, msrest's and requests' errors
        if isinstance(error, OSError) and error.filename:  # of this machine: no space left, no permission
            raise
        if is_missing(error):
            return None
        raise CouldNotAskError(sentence(error), what) from error


def require(what: str, advice: str, get: Callable[..., T], *names: Any, **options: Any) -> T:
    """Returns what `ask` does; a UserError with `advice` says that there is no `what`."""
    found = ask(what, lambda: (get(*names, **options),))  # in a tuple: what is there may be None, as a download is
    if found is None:
        raise UserError(f"there is no {what}; {advice}", MISSING)
    return found[0]


def order(failure: str, do: Callable[..., T], *names: Any, **options: Any) -> T:
    """Has Azure ML change something; a UserError tells a refusal (code 1) from a request that was not answered.

    `failure` begins the sentence: `model chat:1 cannot be tagged`.
    """
    try:
        return do(*names, **options)
    except UserError:
        raise
    except Exception as error:
        reason = f"{failure}: {sentence(error)}"
        raise (CouldNotAskError(reason) if is_unanswered(error) else UserError(reason, FAILED)) from error


def or_none(get: Callable[..., T], *names: Any, **options: Any) -> T | None:
    """Returns `get(*names, **options)`, None for what is not there; every other error passes as it is."""
    try:
        return get(*names, **options)
    except Exception as error:  # the SDK has several for this
        if is_missing(error):
            return None
        raise


def status_of(error: BaseException) -> int | None:
    """Returns the HTTP status with which the service answered, None where it did not."""
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) else None


def is_missing(error: BaseException) -> bool:
    """Tells whether the service, or the SDK for it, says that what was asked for is not there."""
    from azure.core.exceptions import ResourceNotFoundError

    if isinstance(error, ResourceNotFoundError) or status_of(error) == 404:
        return True
    if "azure.ai.ml" not in sys.modules:  # then it raised nothing, and takes a second to load
        return False
    from azure.ai.ml.exceptions import ValidationErrorType, ValidationException

    if not isinstance(error, ValidationException):  # for the newest version of what has none
        return False
    return bool(error.error_type == ValidationErrorType.RESOURCE_NOT_FOUND)


def is_unanswered(error: BaseException) -> bool:
    """Tells whether nobody answered, or only that there is no answer now."""
    from azure.core.exceptions import ClientAuthenticationError

    status = status_of(error)
    if status is not None:
        return status in _NOT_NOW or status >= 500
    return _is_broken_connection(error) or isinstance(error, ClientAuthenticationError)


def told(error: BaseException) -> str:
    """Returns all that an error has to tell, on as many lines as it takes, without colours and wrappings."""
    from azure.core.exceptions import HttpResponseError

    if isinstance(error, HttpResponseError):
        return plain(_service(error))
    text = plain(str(error)) or type(error).__name__
    if _is_broken_connection(error):
        return _unreachable(text)
    points = [" ".join(point.split()) for point in _POINT.findall(text)]
    if points:
        return "\n".join(points)
    return f"unexpected {type(error).__name__}: {text}" if isinstance(error, PROGRAM_FAULTS) else text


def sentence(error: BaseException) -> str:
    """Returns what an error tells in one line: the message of Azure, or of the service behind its endpoints."""
    text = told(error)
    message = _MESSAGE.search(text)
    return one_line(_wrapped(text) or (message[1] if message else text.splitlines()[0]))


def _wrapped(text: str) -> str:
    """The reason in the JSON that the service behind online endpoints sends in place of a message, if it is there."""
    found = _WRAPPED.search(text)
    try:
        said = json.loads(found[1]) if found else {}
    except ValueError:
        return ""
    reasons = [reason for reasons in said.get("errors", {}).values() for reason in reasons]
    return " ".join(map(str, reasons)) or str(said.get("detail", ""))


def plain(text: str) -> str:
    """Returns a text without terminal colours."""
    return ANSI.sub("", text).strip()


def _service(error: Any) -> str:
    """The service's own error, as az prints it; of a failed deployment all details, not only the first."""
    if getattr(error.error, "code", None) or error.response is None:
        return str(error)
    try:
        return error.response.text() or str(error)
    except Exception:  # the body was a stream and is gone
        return str(error)


def _is_broken_connection(error: BaseException) -> bool:
    from azure.core.exceptions import ServiceRequestError, ServiceResponseError
    from requests import RequestException

    return isinstance(error, (ServiceRequestError, ServiceResponseError, RequestException, ConnectionError))


def proxy_shown() -> str:
    """Returns the proxy of the environment as a message may show it: without a password."""
    return re.sub("//.*@", "//", os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy") or "")


def _unreachable(text: str) -> str:
    proxy = proxy_shown()
    if "CERTIFICATE_VERIFY_FAILED" in text:
        bundle = os.environ.get("REQUESTS_CA_BUNDLE")
        known = f"REQUESTS_CA_BUNDLE is {bundle}" if bundle else "REQUESTS_CA_BUNDLE is not set"
        either = f" (or the proxy {proxy})" if proxy else ""
        return f"the certificate that Azure{either} shows is not trusted; {known}"
    # The innermost words of a connection error, without the objects that it is wrapped in.
    reasons = re.findall(r"\[Errno -?\d+\] [^'\")\]>]+|Tunnel connection failed: [^'\")\]>]+", text)
    reason = reasons[-1] if reasons else text
    if proxy and "proxy" in text.lower():
        return f"Azure cannot be reached through the proxy {proxy} (HTTPS_PROXY): {reason}"
    return f"Azure cannot be reached: {reason}"
