"""Azure cannot be asked: every program that asks it ends with 5 and a sentence on stderr, and keeps stdout clean."""

from __future__ import annotations

import importlib
import json
import logging
from typing import Any

import pytest

from scripts import errors

PROGRAMS = {
    "gpu": "scripts.gpu --env dev --live -o json",
    "lock": "scripts.lock --env dev",
    "metrics": "scripts.metrics --env dev --job some-job -o json",
    "metrics compare": "scripts.metrics compare --env dev one another -o json",
    "promote": "scripts.promote --env prod --model-version 1 --check",
    "chat": "scripts.chat --env dev",
    "chat.web": "scripts.chat.web --env dev",
    "preflight": "scripts.preflight --env dev -o json",
}


@pytest.fixture(autouse=True)
def nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A login that would do, and a proxy that is not there."""
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.setenv(name, "11111111-2222-3333-4444-555555555555")
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    monkeypatch.setattr("scripts.azure.login._in_terminal", lambda: False)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # those of a command that ran in this process before


@pytest.mark.parametrize("line", PROGRAMS.values(), ids=PROGRAMS)
def test_exit_5_and_a_sentence_on_stderr(line: str, capsys: Any) -> None:
    module, *words = line.split()
    name = f"{module}.__main__" if module.split(".")[-1] in ("metrics", "preflight", "chat") else module
    program = importlib.import_module(name)
    with pytest.raises(SystemExit) as ended:
        errors.main(lambda: program.run(words))
    printed = capsys.readouterr()
    assert ended.value.code == errors.UNREACHABLE, printed
    assert printed.err.startswith("error: ")
    assert "could not ask for " in printed.err
    assert "http://127.0.0.1:9" in printed.err
    assert len(printed.err.splitlines()) == 1
    if "preflight" in module:  # it says what it could check all the same
        assert json.loads(printed.out)["exit_code"] == errors.UNREACHABLE
    else:
        assert printed.out == ""


def test_az_keeps_its_own_exit_code(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from scripts.az_ml.__main__ import run

    assert run("ml job show -n x --subscription s -g g -w w".split()) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("ERROR: ")
    assert "http://127.0.0.1:9" in printed.err


def test_promotion_may_only_warn_that_azure_cannot_be_asked(capsys: Any) -> None:
    """What `make deploy PROMOTION=warn` does: nobody's answer is no reason to stop where a refusal is none."""
    from scripts import promote

    assert promote.run("--env prod --model-version 1 --check --warn".split()) == 0
    assert capsys.readouterr().err.startswith("warning: could not ask for ")
