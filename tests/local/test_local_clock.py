"""The clock that can be put ahead: what is made and what is old go by it, who signs in and what is signed do not."""

import datetime
import subprocess
import sys
from email.utils import parsedate_to_datetime

import pytest
import requests

from scripts.errors import UserError
from scripts.local import launcher
from scripts.local.core.home import Home

LIST = "https://management.azure.com{ws}/computes?api-version=2024-04-01"


def ahead(moment: datetime.datetime) -> float:
    """Hours that a moment is ahead of this machine's clock."""
    return (moment - datetime.datetime.now(datetime.UTC)).total_seconds() / 3600


def answered(local):
    words = local.emulated.workspace
    path = f"/subscriptions/{words['subscription_id']}/resourceGroups/{words['resource_group']}"
    path += f"/providers/Microsoft.MachineLearningServices/workspaces/{words['workspace']}"
    token = local.ml._credential.get_token("https://management.azure.com/.default").token
    return requests.get(LIST.format(ws=path), headers={"Authorization": f"Bearer {token}"}, timeout=30)


def test_it_goes_on_ahead_over_a_restart_and_back(own):
    home = Home(own.emulated.home)
    own.cluster("before")
    command = [sys.executable, "-m", "scripts.local", "clock", "30"]
    subprocess.run(command, env=own.emulated.env, check=True, timeout=60)
    own.cluster("after")
    own.emulated.kill()
    own.emulated.up()
    answer = answered(own)
    assert ahead(parsedate_to_datetime(answer.headers["Date"])) == pytest.approx(30, abs=0.1)
    made = {each["name"]: each["properties"]["createdOn"] for each in answer.json()["value"]}
    for name, hours in (("before", 0), ("after", 30)):
        assert ahead(datetime.datetime.fromisoformat(made[name])) == pytest.approx(hours, abs=0.1)
    shown = subprocess.run([*command[:-2], "status"], env=own.emulated.env, text=True, capture_output=True, timeout=60)
    assert "clock      30 h ahead of this machine's" in shown.stdout
    launcher.put_clock(home, 0)  # the token of before is good all the same, and the certificate is
    assert ahead(parsedate_to_datetime(answered(own).headers["Date"])) == pytest.approx(0, abs=0.1)
    with pytest.raises(UserError, match="allowed is a number from 0"):
        launcher.put_clock(home, -1)
    wrong = subprocess.run([*command[:-1], "soon"], env=own.emulated.env, text=True, capture_output=True, timeout=60)
    assert wrong.returncode == 2 and "'soon' is not a number of hours" in wrong.stderr


def test_a_cluster_has_the_nodes_of_the_job_that_runs_on_it(local):
    def nodes():
        return next(each for each in answered(local).json()["value"] if each["name"] == "gpu-cluster")["properties"]

    local.cluster()
    assert nodes()["properties"]["currentNodeCount"] == 0
    job = local.submit({"seed": "1"})  # which waits until it is ended
    local.until(lambda: nodes()["properties"]["nodeStateCounts"]["runningNodeCount"] == 1)
    local.ml.jobs.begin_cancel(job).result()
    assert nodes()["properties"]["currentNodeCount"] == 0
