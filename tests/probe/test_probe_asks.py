"""`make probe` against the emulator: only questions that read, nothing of anybody in what is printed."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from scripts.errors import CouldNotAskError
from scripts.files import ROOT
from scripts.probe.__main__ import WIDTH, Answer, Probe, report
from scripts.probe.exchanges import Exchange
from scripts.probe.shapes import Difference
from scripts.values.read import load
from tests.conftest import WORKSPACE, enter

SETS = [f"azure.{key}={value}" for key, value in WORKSPACE.items()]


@pytest.fixture
def probe(emulator):
    """A probe of the emulator's workspace, and the requests that it sends."""
    patch = enter(emulator)
    made = Probe(load("demo", SETS))
    sent, send = [], made.client.send_request

    def record(request):
        sent.append(request)
        return send(request)

    made.client.send_request = record
    yield made, sent
    patch.undo()


def test_only_questions_that_read_are_asked(probe):
    asks, sent = probe
    asks.all("eastus")
    assert len(asks.answers) == len(sent) >= 25
    assert {request.method for request in sent} == {"GET"}
    assert not [request.url for request in sent if re.search("listSecrets|listKeys|token", request.url)]
    assert {answer.ask for answer in asks.answers} >= {"GET {ws}", "GET {ws}/jobs", "GET {ws}/datastores/{name}"}


def test_what_is_printed_belongs_to_nobody(emulator):
    command = [sys.executable, "-m", "scripts.probe", "--env", "demo", "--set", *SETS]
    done = subprocess.run(command, cwd=ROOT, env=emulator.env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert re.fullmatch(r"\d+ questions asked, \d+ answered otherwise than recorded", lines[-1])
    assert max(map(len, lines)) <= WIDTH
    assert "the same   GET {ws}/jobs" in lines, done.stdout
    for name in (*WORKSPACE.values(), "workspaceblobstore"):
        if name != "eastus":
            assert name not in done.stdout, name
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-", done.stdout)


def test_what_differs_is_said_last_and_names_are_masked(probe):
    asks, _ = probe
    known = [
        Exchange(
            "jobs-get-404-1", "GET {ws}/jobs/{name}", 404, error={"code": "UserError", "words": "Job {name} gone."}
        )
    ]
    url = f"https://management.azure.com{asks.ws}/jobs/my-secret-job"
    body = {"error": {"code": "UserError", "message": "There is no my-secret-job."}}
    other = asks.compared("GET {ws}/jobs/{name}", url, 404, {}, body, known)
    same = Answer("GET {ws}", 200, known[0])
    text = report(
        [other, same, asks.compared("GET {ws}/x", url, 403, {}, {"error": {"code": "Denied", "message": ""}}, [])]
    )
    assert text.splitlines()[0] == "the same   GET {ws}"
    assert "my-secret-job" not in text and "There is no {name}." in text
    assert "answers 403, which is not in the table: Denied" in text
    assert text.endswith("3 questions asked, 2 answered otherwise than recorded")
    long = Answer("GET {ws}", 200, known[0], (Difference("type", "." + "x" * 60, "is text, Azure sends " + "y " * 60),))
    assert max(map(len, report([long]).splitlines())) <= WIDTH


def test_nobody_who_answers_is_a_sentence(probe, monkeypatch):
    from azure.core.exceptions import ServiceRequestError

    asks, _ = probe

    def fail(request):
        raise ServiceRequestError(f"no route to {request.url}")

    monkeypatch.setattr(asks.client, "send_request", fail)
    with pytest.raises(CouldNotAskError, match=r"could not ask for GET \{ws\}: no route to \{url\}"):
        asks.ask(asks.ws)


def test_a_login_that_has_ended_and_a_workspace_that_is_not_there_are_no_answers(probe, emulator):
    asks, sent = probe
    faults = emulator.home / "faults.yaml"
    faults.write_text("expired-token: {}\n")
    try:
        with pytest.raises(CouldNotAskError, match="ExpiredAuthenticationToken"):
            asks.all("eastus")
    finally:
        faults.unlink()
    asks.ws += "-not"
    with pytest.raises(CouldNotAskError, match="ResourceNotFound"):
        asks.all("eastus")
    assert len(sent) == 2
    assert not asks.answers
