"""Rollouts on an Azure ML on localhost whose models answer as they are told: one that is good, slow, broken, senseless.

`client` is who calls throughout; `place` is a project on a workspace of its own, with held-out questions.
"""

import contextlib
import itertools
import json
import os
import sys
import threading
import time
from collections import Counter

import pytest
import requests
from azure.ai.ml.entities import Model

from scripts import programs, state
from scripts.chain import endpoint, slots
from scripts.errors import UserError
from scripts.files import ROOT
from scripts.rollout import back, rolling, traffic
from scripts.rollout.service import Live
from scripts.values.read import load
from tests.chain.conftest import registered, world  # noqa: F401 - fixtures
from tests.conftest import Emulated, enter
from tests.local.conftest import FAKES
from tests.plan.conftest import Project
from tests.rollout.standing import SETS

NUMBER = itertools.count(1)
QUICK = ("deployment.rollout.questions=6", "deployment.rollout.watch_minutes=0")


@contextlib.contextmanager
def descriptors():
    """Has a copy of this process, which answers to az, write where it is read: to the descriptors."""
    with (
        open(1, "w", closefd=False) as out, open(2, "w", closefd=False) as err,
        contextlib.redirect_stdout(out), contextlib.redirect_stderr(err),
    ):  # fmt: skip
        yield


class Place(Project):
    """A project whose models are made at will."""

    def __init__(self, root, *sets):
        super().__init__(root, "demo", (*QUICK, *sets))
        rows = [f"what is the answer to question number {number}" for number in range(12)]
        chats = [[{"role": "user", "content": row}, {"role": "assistant", "content": row}] for row in rows]
        path = root / "data" / "demo" / "test.jsonl"
        path.write_text("".join(f"{json.dumps({'messages': each})}\n" for each in chats))
        self.on = endpoint.name_of(self.run)

    def model(self, **behaves):
        """Registers a model that behaves so, as the newest job's; returns `name:version`."""
        folder, job = self.root / "models" / str(next(NUMBER)), f"demo-{next(NUMBER)}"
        (folder / "model").mkdir(parents=True)
        (folder / "MLmodel").write_text("flavors:\n  python_function:\n    env: conda.yaml\n")
        (folder / "model" / "weights.json").write_text(json.dumps({"behaves": behaves}))
        name = self.run.name("pipelines", "model.yml")
        made = self.client.models.create_or_update(
            Model(name=name, path=str(folder), type="mlflow_model", tags={"job": job})
        )
        state.write(self.run.folder, "job", job)
        state.write(self.run.folder, "status", "Completed")
        state.write(self.run.folder, "model-version", f"{made.version} {job}")
        return f"{name}:{made.version}"

    def rolled(self, verb, *words):
        """Does what a target does, in this process; returns the error's sentence, an empty text where it went well."""
        service = Live(self.run.values, self.on)
        do = {"deploy": rolling.deploy, "rollback": back.rollback, "traffic": traffic.give}[verb]
        with descriptors():
            try:
                do(self.run, *(words or (service,)))
            except UserError as error:
                return str(error)
        return ""

    def deploy(self):
        return self.rolled("deploy")

    def there(self):
        """What stands: its share, and its model's version."""
        with descriptors():
            return {each.name: (each.share, each.model.rpartition(":")[2]) for each in slots.look(self.run).every}

    def log(self, deployment):
        return self.client.online_deployments.get_logs(deployment, self.on, 5000)


@pytest.fixture(scope="session")
def emulated(tmp_path_factory):
    first = {"subscription_id": load("demo").data["azure"]["subscription_id"], "resource_group": "plans",
             "workspace": "plan-0", "region": "eastus"}  # fmt: skip
    home = tmp_path_factory.mktemp("rollout-home")
    (home / "settings.yaml").write_text("serving:\n  ready_seconds: 4\n")
    made = Emulated(home, first, FAKES)
    made.up()
    yield made
    made.down()


@pytest.fixture
def place(emulated, tmp_path):
    """A function that makes a project on a workspace of its own."""
    from scripts.local import launcher
    from scripts.local.core.home import Home

    patch, made = enter(emulated), []
    patch.setenv("AZUREML_CHAIN_COSTS", "nothing")
    patch.chdir(ROOT)
    programs.load((sys.executable, "-m", "scripts.az_ml"))

    def make(*sets):
        found = Place(tmp_path / f"project-{next(NUMBER)}", *sets)
        azure = found.run.values.data["azure"]
        launcher.register(Home(emulated.home), {key: str(azure[key]) for key in emulated.workspace if key in azure})
        made.append(found)
        return found

    yield make
    for each in made:
        each.client.online_endpoints.begin_delete(each.on)
    patch.undo()


class Client(threading.Thread):
    """Calls an endpoint throughout, as an application does: by traffic, one request after the other."""

    def __init__(self, made):
        super().__init__(daemon=True)
        key = made.client.online_endpoints.get_keys(made.on).primary_key
        self._url = made.client.online_endpoints.get(made.on).scoring_uri
        self._headers = {"Authorization": f"Bearer {key}"}
        self._session = requests.Session()
        self._session.proxies = {"https": os.environ["HTTPS_PROXY"]}
        self._session.verify = os.environ["REQUESTS_CA_BUNDLE"]
        self._session.trust_env = False
        self.answered, self.failed, self._end = Counter(), [], threading.Event()

    def run(self):
        body = {"input_data": {"input_string": [{"role": "user", "content": "hi"}], "parameters": {}}}
        while not self._end.is_set():
            try:
                reply = self._session.post(self._url, json=body, headers=self._headers, timeout=60)
            except requests.RequestException as error:
                self.failed.append(repr(error))
                continue
            self.answered[reply.headers.get("azureml-model-deployment", "")] += 1
            if reply.status_code != 200:
                self.failed.append(f"{reply.status_code} {reply.text[:100]}")
            time.sleep(0.005)

    @property
    def count(self):
        return sum(self.answered.values())

    def end(self):
        self._end.set()
        self.join(60)


@pytest.fixture
def client():
    """A function that begins to call."""
    made = []

    def begin(of):
        made.append(Client(of))
        made[-1].start()
        return made[-1]

    yield begin
    for each in made:
        each.end()


@pytest.fixture
def made(registered):  # noqa: F811
    """A run whose model's version 1 is registered, with quick rounds, and a program in az's place."""
    object.__setattr__(registered, "run", registered.with_values(*SETS))
    return registered
