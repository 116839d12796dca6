"""The login: DefaultAzureCredential, and where it gets no token the interactive browser, so that one way always works.

A chain of `az` commands is a chain of processes. So the account that was chosen in the browser is remembered, and its
tokens are kept where Azure CLI keeps its own: the next command asks nobody.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from pathlib import Path
from typing import Any

from scripts import files
from scripts.azure.answers import proxy_shown
from scripts.deadline import within
from scripts.errors import CouldNotAskError, one_line

SECONDS = 45.0  # longest that DefaultAzureCredential may take over all its ways (IMDS, az, azd, PowerShell, …)
_BROWSER_SECONDS = 300
_SERVICE_PRINCIPAL = ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET")
_ADVICE = "log in with `az login`, or set AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET"
_OR_BROWSER = ", or run this in a terminal, where it can open a browser"


class Login:
    """A token credential that decides at the first token which way to log in, and never waits for ever.

    Without `browser` it asks nobody: for who only looks, and may look in vain.
    """

    def __init__(self, seconds: float = SECONDS, browser: bool = True) -> None:
        self._seconds, self._may_ask = seconds, browser
        self._chosen: Any = None
        self._failure = ""
        self._one = threading.Lock()  # who asks much asks on several threads, and one way to log in is looked for once

    def get_token(self, *scopes: str, **options: Any) -> Any:
        """Returns a token for the scopes. Raises CouldNotAskError when there is no way to get one."""
        with self._one:
            return self._token(*scopes, **options)

    def _token(self, *scopes: str, **options: Any) -> Any:
        if self._chosen is not None:
            return self._chosen.get_token(*scopes, **options)
        if self._failure:  # each try takes seconds, and a command that asks much would try each time
            raise CouldNotAskError(self._failure)
        from azure.identity import DefaultAzureCredential

        usual = DefaultAzureCredential()
        try:
            token = within(self._seconds, lambda: usual.get_token(*scopes, **options))
        except Exception as error:  # each way to log in has errors of its own
            if _refused(error) or not (self._may_ask and _in_terminal()):
                self._failure = _sentence(error, self._seconds, _ADVICE + _OR_BROWSER * self._may_ask)
                raise CouldNotAskError(self._failure) from error
        else:
            self._chosen = usual
            return token
        self._chosen = _browser(scopes)
        return self._chosen.get_token(*scopes, **options)


def _refused(error: Exception) -> bool:
    """True when the service principal of the environment was refused: a browser would hide that."""
    return "AADSTS" in str(error) and all(os.environ.get(name) for name in _SERVICE_PRINCIPAL)


def _in_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _sentence(error: Exception, seconds: float, advice: str) -> str:
    if isinstance(error, TimeoutError):
        return f"no way to log in to Azure answered within {seconds:g} s: {advice}"
    if "Unable to connect to proxy" in str(error):
        return f"Azure's login cannot be reached through the proxy {proxy_shown()} (HTTPS_PROXY)"
    if _refused(error):
        reason = re.search(r"AADSTS\d+: [^\r\n]*?(?=\s*Trace ID|[\r\n]|$)", str(error))
        return (
            f"Azure refused the service principal {os.environ['AZURE_CLIENT_ID']} of AZURE_CLIENT_ID: "
            f"{reason[0] if reason else error}"
        )
    return f"not logged in to Azure: {advice}"


def _browser(scopes: tuple[str, ...]) -> Any:
    """Logs in through the browser, or silently with the account that an earlier command chose there."""
    from azure.identity import AuthenticationRecord, InteractiveBrowserCredential, TokenCachePersistenceOptions

    kept = Path(os.environ.get("AZURE_CONFIG_DIR") or Path.home() / ".azure") / "az-ml-account.json"
    anew = "delete it, and the browser opens to log in"
    account = files.read_json(kept, anew, dict[str, str])
    try:
        record = None if account is None else AuthenticationRecord.deserialize(json.dumps(account))
        credential = InteractiveBrowserCredential(
            cache_persistence_options=TokenCachePersistenceOptions(name="az-ml", allow_unencrypted_storage=True),
            authentication_record=record,
            timeout=_BROWSER_SECONDS,
        )
    except (ValueError, KeyError, AttributeError) as error:
        files.refuse(kept, f"is no account ({type(error).__name__}: {one_line(error)})", anew)
    if record is None:
        print("No Azure login was found; a browser opens to log in.", file=sys.stderr)
        record = credential.authenticate(scopes=scopes)
        files.write_private(kept, record.serialize())
    return credential
