"""Each fault of the table, set, and the command that meets it: what that shows is what the table says it shows.

UPDATE=1 writes what was measured into the table (scripts/local/core/faults.yaml).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from scripts.az_ml.__main__ import run
from scripts.local.core.faults import FAULTS, TABLE
from tests.conftest import WORKSPACE
from tests.local.conftest import SIZE, Local

ELSEWHERE = {"preemption": "tests of jobs", "slow-operation": "no failure"}
ENDPOINT = "fault-endpoint"


class Commands:
    """What a user runs, each with what it needs."""

    def __init__(self, local: Local, capsys: Any) -> None:
        self.local, self.capsys = local, capsys

    def az(self, *words: str, **document: Any) -> str:
        """Runs a command, with a YAML file where a document is given, and returns what it shows on stderr."""
        if document:
            path = self.local.folder / "document.yml"
            path.write_text(json.dumps(document))
            words = (*words, "-f", str(path))
        self.capsys.readouterr()
        self.code = run(["ml", *words])
        shown = self.capsys.readouterr()
        return str(shown.err if self.code else shown.out)

    def must(self, *words: str, **document: Any) -> str:
        """Runs a command that has to succeed."""
        shown = self.az(*words, **document)
        assert self.code == 0, shown
        return shown

    def set(self, name: str) -> None:
        """Sets a fault."""
        (self.local.emulated.home / "faults.yaml").write_text(f"{name}: {{}}\n")

    def clear(self) -> None:
        """Ends all faults."""
        (self.local.emulated.home / "faults.yaml").unlink(missing_ok=True)

    def compute(self, name: str) -> str:
        tier = "low_priority" if name == "low-priority-pool-empty" else "dedicated"
        self.set(name)
        return self.az("compute", "create", type="amlcompute", name="fault-cluster", size=SIZE, tier=tier)

    def endpoint(self, name: str) -> str:
        self.set(name)
        return self.az("online-endpoint", "create", name=ENDPOINT, auth_mode="key")

    def _served(self) -> dict[str, Any]:
        model = self.local.model()
        self.must("online-endpoint", "create", name=ENDPOINT, auth_mode="key")
        where = {"name": "blue", "endpoint_name": ENDPOINT, "model": f"azureml:{model.name}:{model.version}"}
        return {**where, "instance_type": SIZE, "instance_count": 1}

    def deployment(self, name: str) -> str:
        document = self._served()
        self.set(name)
        return self.az("online-deployment", "create", **document)

    def log_of_a_deployment(self, name: str) -> str:
        document = self._served()
        self.set(name)
        self.must("online-deployment", "create", "--no-wait", **document)
        return self.must("online-deployment", "get-logs", "-n", "blue", "-e", ENDPOINT)

    def invoke(self, name: str) -> str:
        self.must("online-deployment", "create", **self._served())
        self.set(name)
        request = self.local.request()
        return self.az("online-endpoint", "invoke", "-n", ENDPOINT, "--deployment-name", "blue", "-r", request)

    def data(self, name: str) -> str:
        self.set(name)
        path = str(self.local.rows(9, "forbidden.jsonl"))
        return self.az("data", "create", name=self.local.name("rows"), version="1", type="uri_file", path=path)

    def model(self, name: str) -> str:
        self.set(name)
        job = self.local.submit()
        assert self.local.ended(job) == "Completed"
        path = f"azureml://jobs/{job}/outputs/trained_model"
        return self.az("model", "create", name=self.local.name("model"), version="1", type="mlflow_model", path=path)

    def stream(self, name: str) -> str:
        if name != "log-unreadable":
            self.set(name)
        job = self.local.submit({"seed": 4})
        self.set(name)
        return self.az("job", "stream", "-n", job)

    def status(self, name: str) -> str:
        self.set(name)
        job = self.local.submit({"seed": 4})
        self.local.ended(job)
        return self.must("job", "show", "-n", job, "--query", "status", "-o", "tsv")

    def workspace(self, name: str) -> str:
        self.set(name)
        return self.az("workspace", "show", "-n", WORKSPACE["workspace"])


VERBS: dict[str, tuple[str, Callable[[Commands, str], str]]] = {
    "compute": ("az ml compute create", Commands.compute),
    "endpoint": ("az ml online-endpoint create", Commands.endpoint),
    "deployment": ("az ml online-deployment create", Commands.deployment),
    "deployment.hold": ("az ml online-deployment get-logs", Commands.log_of_a_deployment),
    "scoring": ("az ml online-endpoint invoke", Commands.invoke),
    "blob": ("az ml data create", Commands.data),
    "blob.log": ("az ml job stream", Commands.stream),
    "job.output": ("az ml model create", Commands.model),
    "job": ("az ml job stream", Commands.stream),
    "job.cancel": ("az ml job show --query status", Commands.status),
    "token": ("az ml workspace show", Commands.workspace),
}


def telling(shown: str) -> str:
    """Returns the line of an error that says most, with nothing that differs from run to run."""
    lines = [line for line in shown.splitlines() if line.strip()]
    marks = ("<Error>", '"message": ', "Exception Details:", "ERROR: ")
    line = next((line for mark in marks for line in lines if mark in line), lines[-1] if lines else "")
    line = re.sub(r'^(ERROR: |Exception Details:|\.+|\s*"message": )', "", line).strip(" \t,")
    line = line.replace(WORKSPACE["subscription_id"], "<subscription>")
    line = re.sub(r"\b(job|model|rows)-\d+\b", r"<\1>", line)
    return re.sub(r"Supported VM sizes: .*", "Supported VM sizes: …", line)


@pytest.mark.parametrize("name", [name for name in FAULTS if name not in ELSEWHERE])
def test_a_fault_shows_what_the_table_says(local: Local, capsys: Any, name: str) -> None:
    commands, fault = Commands(local, capsys), FAULTS[name]
    command, verb = VERBS.get(fault.at) or VERBS[fault.at.partition(".")[0]]
    try:
        measured = telling(verb(commands, name))
    finally:
        commands.clear()
        local.ml.online_endpoints.begin_delete(name=ENDPOINT).result()
    assert measured
    if os.environ.get("UPDATE"):
        _write(name, command, measured)
    else:
        assert (fault.command, fault.shows) == (command, measured)


def _write(name: str, command: str, shows: str) -> None:
    text = TABLE.read_text()
    start = text.index(f"\n{name}:\n")
    end = text.find("\n\n", start + 1)
    row = text[start:] if end < 0 else text[start:end]
    kept = row.partition("\n  command: ")[0].rstrip("\n")
    made = f"{kept}\n  command: {command}\n  shows: {json.dumps(shows, ensure_ascii=False)}"
    TABLE.write_text(text[:start] + made + ("\n" if end < 0 else text[end:]))
    yaml.safe_load(TABLE.read_text())


def test_the_list_shows_every_fault_with_what_it_shows(local: Local, capsys: Any) -> None:
    from scripts.local.__main__ import fault, parser
    from scripts.local.core.home import Home

    fault(Home(local.emulated.home), parser().parse_args(["fault"]))
    listed = capsys.readouterr().out
    widest = max(listed.splitlines(), key=len)
    assert len(widest) <= 80 or len(widest.split()) == 1, widest
    listed = " ".join(listed.split())
    for name, each in FAULTS.items():
        assert f" {name} " in f" {listed}"
        assert name in ELSEWHERE or f"{each.command}: " in listed
