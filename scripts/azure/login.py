"""The login: DefaultAzureCredential, and where it gets no token the interactive browser, so that one way always works.

A chain of `az` commands is a chain of processes. So the account that was chosen in the browser is remembered, and its
tokens are kept where Azure CLI keeps its own: the next command asks nobody.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from pathlib import Path
from typing import Any

from scripts.errors import FAILED, UserError

SECONDS = 45.0  # longest that DefaultAzureCredential may take over all its ways (IMDS, az, azd, PowerShell, …)
_BROWSER_SECONDS = 300
_SERVICE_PRINCIPAL = ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET")
_ADVICE = (
    "log in with `az login`, or set AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET, "
    "or run this in a terminal, where it can open a browser"
)


class Login:
    """A token credential that decides at the first token which way to log in, and never waits for ever."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._chosen: Any = None

    def get_token(self, *scopes: str, **options: Any) -> Any:
        """Returns a token for the scopes. Raises UserError with code 1 when there is no way to get one."""
        if self._chosen is not None:
            return self._chosen.get_token(*scopes, **options)
        from azure.identity import DefaultAzureCredential

        usual = DefaultAzureCredential()
        token, error = within(self._seconds, lambda: usual.get_token(*scopes, **options))
        if token is not None:
            self._chosen = usual
            return token
        if _refused(error) or not _in_terminal():
            raise UserError(_sentence(error, self._seconds), FAILED) from error
        self._chosen = _browser(scopes)
        return self._chosen.get_token(*scopes, **options)


def within(seconds: float, work: Any) -> tuple[Any, Exception | None]:
    """Runs `work` on a thread that does not keep the process: (result, None), (None, its error) or (None, None)."""
    outcome: list[tuple[Any, Exception | None]] = []

    def run() -> None:
        try:
            outcome.append((work(), None))
        except Exception as error:
            outcome.append((None, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    return outcome[0] if outcome else (None, None)


def _refused(error: Exception | None) -> bool:
    """True when the service principal of the environment was refused: a browser would hide that."""
    return "AADSTS" in str(error) and all(os.environ.get(name) for name in _SERVICE_PRINCIPAL)


def _in_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _sentence(error: Exception | None, seconds: float) -> str:
    if error is None:
        return f"no way to log in to Azure answered within {seconds:g} s: {_ADVICE}"
    if "Unable to connect to proxy" in str(error):
        proxy = os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy")
        return f"Azure's login cannot be reached through the proxy {proxy} (HTTPS_PROXY)"
    if _refused(error):
        reason = re.search(r"AADSTS\d+: [^\r\n]*?(?=\s*Trace ID|[\r\n]|$)", str(error))
        return (
            f"Azure refused the service principal {os.environ['AZURE_CLIENT_ID']} of AZURE_CLIENT_ID: "
            f"{reason[0] if reason else error}"
        )
    return f"not logged in to Azure: {_ADVICE}"


def _browser(scopes: tuple[str, ...]) -> Any:
    """Logs in through the browser, or silently with the account that an earlier command chose there."""
    from azure.identity import AuthenticationRecord, InteractiveBrowserCredential, TokenCachePersistenceOptions

    kept = Path(os.environ.get("AZURE_CONFIG_DIR") or Path.home() / ".azure") / "az-ml-account.json"
    record = AuthenticationRecord.deserialize(kept.read_text(encoding="utf-8")) if kept.is_file() else None
    credential = InteractiveBrowserCredential(
        cache_persistence_options=TokenCachePersistenceOptions(name="az-ml", allow_unencrypted_storage=True),
        authentication_record=record,
        timeout=_BROWSER_SECONDS,
    )
    if record is None:
        print("No Azure login was found; a browser opens to log in.", file=sys.stderr)
        record = credential.authenticate(scopes=scopes)
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(record.serialize(), encoding="utf-8")
        kept.chmod(0o600)
    return credential
