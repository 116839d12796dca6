"""Another user of this machine: what that one can read, ask or change of a local Azure ML that trains and serves."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from scripts import state
from scripts.local.core.home import Home, credentials
from tests.conftest import REPOSITORY, WORKSPACE, Emulated, enter
from tests.local.conftest import FAKES, Local

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Local]:
    """An emulator whose home was there before, open to all, in a folder that all may enter; nothing is masked."""
    around = Path(tempfile.mkdtemp(prefix="second-user-"))
    around.chmod(0o755)
    home = around / "home"
    home.mkdir(mode=0o755)
    (home / "emulator.log").touch(0o644)
    before = os.umask(0)
    emulated = Emulated(home, WORKSPACE, FAKES)
    patch = None
    try:
        emulated.up()
        patch = enter(emulated)
        yield Local(emulated, tmp_path, *emulated.clients())
    finally:
        os.umask(before)
        if patch:
            patch.undo()
        emulated.down()
        shutil.rmtree(around)


def test_another_user_can_read_ask_and_change_nothing(opened):
    from azure.ai.ml.entities import ManagedOnlineDeployment, ManagedOnlineEndpoint

    local, home = opened, Home(opened.emulated.home)
    model = local.model()
    endpoint = local.name("seen")
    local.ml.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name=endpoint)).result()
    size = "Standard_NC24ads_A100_v4"
    deployment = ManagedOnlineDeployment(
        name="blue", endpoint_name=endpoint, model=model, instance_type=size, instance_count=1
    )
    local.ml.online_deployments.begin_create_or_update(deployment).result()
    job = local.submit({"seed": 1})  # trains until it is ended
    local.until(lambda: local.ml.jobs.get(job).status == "Running")
    kept = home.root.parent / ".runs" / "demo" / "local"
    state.write(kept, "job", job)

    program = psutil.Process(local.emulated.record["pid"])
    tree = [program, *program.children(recursive=True)]
    assert len(tree) == 3  # the emulator, the training, the server
    listening = [each.laddr.port for process in tree for each in process.net_connections() if each.status == "LISTEN"]
    assert len(listening) == 3  # proxy, plain, and the server's
    own, keys = credentials(home), local.ml.online_endpoints.get_keys(endpoint)
    path = f"/subscriptions/{WORKSPACE['subscription_id']}/resourceGroups/{WORKSPACE['resource_group']}"
    path += f"/providers/Microsoft.MachineLearningServices/workspaces/{WORKSPACE['workspace']}"
    api = f"/mlflow/v2.0{path}/api/2.0"
    there = {
        "open": str(home.root.parent),
        "files": [str(each) for root in (home.root, kept) for each in (root, *root.rglob("*"))],
        "processes": [each.pid for each in tree],
        "ports": listening,
        "paths": ["/", "/score", "/control/health", "/control/status", "/msi/token?resource=x", "/nothing", "/MLFLOW/x",
                  f"{api}/mlflow/experiments/search", f"{api}/mlflow-artifacts/artifacts?path={job}",
                  f"{api}/mlflow-artifacts/artifacts/{job}/x", f"{api}/mlflow/registered-models/create",
                  "https://management.azure.com/subscriptions"],
        "secrets": [own.client_secret, own.sas_signature, own.proxy_key, home.read_record().key, keys.primary_key],
    }  # fmt: skip
    child = subprocess.run(
        [sys.executable, REPOSITORY / "tests" / "local" / "second_user.py"],
        input=json.dumps(there),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert child.returncode == 0, child.stderr
    assert json.loads(child.stdout) == []
    assert len(there["files"]) > 20
    local.ml.jobs.begin_cancel(job).result()


def test_a_home_of_another_user_or_behind_a_link_is_refused(tmp_path):
    from scripts.errors import UserError

    theirs = tmp_path / "theirs"
    theirs.mkdir()
    os.chown(theirs, 65534, 65534)
    with pytest.raises(UserError, match=r"theirs: belongs to another user \(65534\).*set AZUREML_LOCAL_HOME"):
        Home(theirs).create()
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(UserError, match="link: is a link"):
        Home(tmp_path / "link").create()
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file: is no folder"):
        Home(tmp_path / "file").create()


@pytest.mark.parametrize("name", ["credentials.json", "ca-key.pem", "blobs", "models", "blobs/account"])
@pytest.mark.parametrize("link", [False, True])
def test_what_another_user_put_into_an_open_home_is_refused(tmp_path, name, link):
    from scripts.errors import UserError

    home, theirs = tmp_path / "home", tmp_path / "theirs"
    home.mkdir()
    home.chmod(0o777)
    (home / name).parent.mkdir(exist_ok=True)
    theirs.mkdir()
    planted = home / name
    planted.symlink_to(theirs) if link else planted.mkdir() if "." not in name else planted.touch()
    os.chown(planted, 65534, 65534, follow_symlinks=False)
    for _ in range(2):  # the refusal is not forgotten
        with pytest.raises(UserError, match=rf"{name}: belongs to another user \(65534\)"):
            Home(home).create()


def test_a_local_azure_ml_of_another_user_is_not_taken_for_ones_own(fake_emulator, tmp_path):
    """Its home is there, and it answers: who was led to it would hand it all data."""
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o755)
    for name in ("emulator.json", "credentials.json", "ca.pem"):
        shutil.copy(fake_emulator.home / name, theirs)
    for path in (theirs, *theirs.iterdir()):
        os.chown(path, 65534, 65534)
    environment = os.environ | {"AZUREML_LOCAL_HOME": str(theirs)}
    for verb in ("up", "status", "env", "down"):
        words = [sys.executable, "-m", "scripts.local", verb]
        done = subprocess.run(words, env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        assert done.stdout == "" and done.returncode != 0
        assert f"{theirs}: belongs to another user (65534)" in done.stderr
