"""make rehearse as a user calls it: a local Azure ML of its own, of which nothing is left but a report."""

import json
import os
import signal
import subprocess
import time

import psutil
import pytest

from scripts.chain.rendered import Rendered
from scripts.local.core.faults import FAULTS
from scripts.rehearse import record
from tests.chain.conftest import VENV, chain, fast  # noqa: F401 - two fixtures

pytestmark = pytest.mark.slow
SETS = "SET=request.max_new_tokens=8 evaluation.weights=false"  # the tests' engine trains no weights
CHAIN = ["data", "compute", "finetune", "register", "deploy", "invoke", "answers", "undeploy"]


def words(*more):
    return ["make", "--no-print-directory", f"VENV={VENV}", "ENV=demo", SETS, *more]


def rehearse(on, *more):
    """Calls make rehearse; returns make's exit code, what is printed, and what is written."""
    done = subprocess.run(words("rehearse", *more), cwd=on.project, env=on.env, text=True, timeout=1200,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
    assert "Traceback" not in done.stdout, done.stdout
    return done.returncode, done.stdout, written(on)


def written(on):
    return record.read(on.project / ".runs/demo/rehearsal", "demo")


def left(on):
    """Returns what is there of a rehearsal: its home, its processes, and a state of the user's that was none before."""
    home = on.project / ".runs/demo/rehearsal/home"
    found = [each.info["cmdline"] for each in psutil.process_iter(["environ", "cmdline"])
             if (each.info["environ"] or {}).get("AZUREML_LOCAL_HOME") == str(home)]  # fmt: skip
    return [*found, *(path for path in (home, on.project / ".runs/demo/local") if path.exists())]


def test_it_passes_writes_a_report_and_leaves_nothing(fast, tmp_path):  # noqa: F811
    shown_at = tmp_path / "told.md"
    faults = "FAULTS=size-not-available,low-priority-pool-empty"
    code, shown, told = rehearse(fast, f"RESULT={shown_at}", faults)
    assert code == 0, shown
    assert [(step.target, step.code) for step in told.steps] == [(target, 0) for target in CHAIN]
    assert told.outcome == "passed" and told.yaml == Rendered("demo", fast.project).fingerprint()
    assert told.on_azure[0].startswith("on Azure the job takes ")
    assert told.answers[0].tuned and told.answers[0].base is None
    size, absent = told.faults
    assert (absent.is_met, absent.code, absent.bills) == (False, 0, "nothing")
    assert size.is_met and size.code == 1 and size.of_azure.startswith("(InvalidPropertyValue) The specified value ")
    assert size.recovered and size.recovery == ["make compute ENV=demo"] and "was not made" in size.said
    assert [line for line in shown.splitlines() if len(line) > 80 and str(shown_at) not in line] == []
    assert "REHEARSAL" not in shown_at.read_text() and "### When it goes wrong" in shown_at.read_text()
    assert json.loads(shown_at.with_suffix(".json").read_text())["outcome"] == "passed"
    assert left(fast) == [] and not (fast.home / "faults.yaml").exists()
    assert list((fast.project / "runs").glob("*")) == []


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long)])
def test_an_interrupted_one_leaves_no_fault_and_no_process(fast, number):  # noqa: F811
    process = subprocess.Popen(
        words("rehearse"), cwd=fast.project, env=fast.env, text=True, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    shown = ""
    while "compute" not in shown and (line := process.stdout.readline()):
        shown += line
    time.sleep(0.3)
    os.killpg(process.pid, number)
    shown += process.stdout.read()
    process.wait(60)
    assert "Traceback" not in shown and process.returncode, shown
    deadline = time.monotonic() + 30
    while left(fast) and time.monotonic() < deadline:  # make itself is gone at once
        time.sleep(0.2)
    assert left(fast) == [] and written(fast).outcome == "interrupted"
    assert "make rehearse ENV=demo begins again" in " ".join(shown.split()) or number == signal.SIGTERM


def test_a_killed_one_is_cleared_away_by_the_next_which_tells_why_it_failed(fast):  # noqa: F811
    fast.emulated.up()  # the user's own, which goes on
    process = subprocess.Popen(words("rehearse"), cwd=fast.project, env=fast.env, text=True, stdout=subprocess.PIPE,
                               stdin=subprocess.DEVNULL, start_new_session=True)  # fmt: skip
    while "compute" not in process.stdout.readline():
        pass
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert left(fast)
    code, shown, told = rehearse(fast, "FAULTS=no-such")
    assert code == 2 and "there is no fault 'no-such'" in shown and told is None

    file = fast.project / "pipelines/demo/model.yml"
    before = file.read_text()
    file.write_text(before.replace("type: mlflow_model", "type: mlflow_modell"))
    code, shown, told = rehearse(fast)
    file.write_text(before)
    assert code == 2 and told.outcome == "failed" and told.failed.target == told.steps[-1].target == "data"
    assert "error: the rehearsal failed at data: " in shown and "make rehearse ENV=demo" in shown
    assert "pipelines/demo/model.yml" in told.failed.reason
    page = (fast.project / ".runs/demo/rehearsal/rehearsal.md").read_text()
    assert "**It failed at `data`**" in page and left(fast) == []
    assert psutil.pid_exists(fast.emulated.record["pid"])


@pytest.mark.long
def test_the_walk_through_all_faults(chain):  # noqa: F811 - it trains: some faults need a job that lasts
    code, shown, told = rehearse(chain, "FAULTS=all")
    assert code == 0, shown
    assert {each.fault for each in told.faults} == set(FAULTS)
    assert all(each.recovered for each in told.faults)
    assert [each.fault for each in told.faults if not each.is_met] == ["low-priority-pool-empty"]
    assert all(each.said and each.recovery for each in told.faults if each.code)
