"""The login: which way is taken, and that it ends, with one sentence."""

import threading
import time
import types

import pytest

from scripts.azure import login
from scripts.errors import UNREACHABLE, CouldNotAskError


class Usual:
    """Stands for DefaultAzureCredential."""

    def __init__(self, outcome):
        self.outcome = outcome

    def get_token(self, *scopes, **options):
        if isinstance(self.outcome, Exception):
            raise self.outcome
        if self.outcome == "hang":
            time.sleep(30)
        return types.SimpleNamespace(token=self.outcome, expires_on=0)


@pytest.fixture
def usual(monkeypatch):
    for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)

    def arrange(outcome, terminal=False):
        monkeypatch.setattr("azure.identity.DefaultAzureCredential", lambda: Usual(outcome))
        monkeypatch.setattr(login, "_in_terminal", lambda: terminal)

    return arrange


def test_the_usual_way_first(usual):
    usual("token")
    assert login.Login().get_token("scope").token == "token"


def test_no_login_and_no_terminal_is_a_sentence(usual):
    usual(RuntimeError("DefaultAzureCredential failed to retrieve a token from the included credentials.\nAttempted…"))
    with pytest.raises(CouldNotAskError) as refused:
        login.Login().get_token("scope")
    assert refused.value.code == UNREACHABLE
    assert str(refused.value).startswith("not logged in to Azure: log in with `az login`")
    assert "\n" not in str(refused.value)


def test_who_only_looks_opens_no_browser(usual, monkeypatch):
    usual(RuntimeError("nothing"), terminal=True)
    monkeypatch.setattr(login, "_browser", lambda scopes: pytest.fail("a browser was opened"))
    with pytest.raises(CouldNotAskError, match=r"^not logged in to Azure: .*AZURE_CLIENT_SECRET$"):
        login.Login(browser=False).get_token("scope")


def test_it_never_waits_for_ever(usual):
    usual("hang")
    started = time.monotonic()
    with pytest.raises(CouldNotAskError, match=r"answered within 0\.2 s"):
        login.Login(seconds=0.2).get_token("scope")
    assert time.monotonic() - started < 5


def test_what_failed_once_is_not_tried_again(usual, monkeypatch):
    usual(RuntimeError("nothing"))
    one = login.Login()
    for _ in range(2):
        with pytest.raises(CouldNotAskError, match=r"^not logged in"):
            one.get_token("scope")
        monkeypatch.setattr("azure.identity.DefaultAzureCredential", None)


def test_a_refused_service_principal_says_why_even_in_a_terminal(usual, monkeypatch):
    for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.setenv(name, name.lower())
    usual(
        RuntimeError("…\nAuthentication failed: AADSTS7000215: Invalid client secret. Trace ID: 1\r\nmore"),
        terminal=True,
    )
    with pytest.raises(CouldNotAskError) as refused:
        login.Login().get_token("scope")
    assert str(refused.value).endswith("of AZURE_CLIENT_ID: AADSTS7000215: Invalid client secret.")


def test_in_a_terminal_the_browser_is_next_and_the_account_is_kept(usual, monkeypatch, tmp_path):
    usual(RuntimeError("nothing"), terminal=True)
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path / "azure"))
    asked = []

    class Browser:
        def __init__(self, authentication_record, **options):
            self.record = authentication_record
            assert options["timeout"] > 0

        def authenticate(self, scopes):
            asked.append(scopes)
            return Record("account")

        def get_token(self, *scopes, **options):
            return types.SimpleNamespace(token="from the browser", expires_on=0)

    class Record(str):
        def serialize(self):
            return '{"username": "me"}'

        @staticmethod
        def deserialize(text):
            return Record(text)

    monkeypatch.setattr("azure.identity.InteractiveBrowserCredential", Browser)
    monkeypatch.setattr("azure.identity.AuthenticationRecord", Record)
    assert login.Login().get_token("scope").token == "from the browser"
    kept = tmp_path / "azure" / "az-ml-account.json"
    assert kept.read_text() == '{"username": "me"}' and kept.stat().st_mode & 0o077 == 0
    assert login.Login().get_token("scope").token == "from the browser"
    assert asked == [("scope",)]  # the second command asks nobody


def test_threads_that_ask_at_once_look_for_one_way(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    class Slow:
        def __init__(self) -> None:
            made.append(self)

        def get_token(self, *scopes: str, **options: object) -> object:
            time.sleep(0.02)
            return types.SimpleNamespace(token="t")

    monkeypatch.setattr("azure.identity.DefaultAzureCredential", Slow)
    ours = login.Login()
    threads = [threading.Thread(target=ours.get_token, args=("s",)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
