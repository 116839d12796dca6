"""The steps' service: a small program in az's place, and demo's run on it."""

import json
import sys
from pathlib import Path

import pytest

from scripts import render
from scripts.chain import endpoint
from scripts.chain.az import Az
from scripts.chain.run import Run
from scripts.errors import UserError
from scripts.rollout.service import Reply
from scripts.values.read import load

FAKE = Path(__file__).parent / "fakes" / "az.py"
NOT_KNOWN = {"code": 1, "err": "ERROR: (AuthorizationFailed) The client has no authorization.\n"}
# The service's words, from field reports of 2022 to 2026; of the endpoint that is busy: azure-sdk-for-net#36961, of the
# name that is taken: mlops-project-template#29.
UNRECOVERABLE = (
    "ERROR: (BadRequest) The request is invalid.\nInferencingClientCallFailed: Specified deployment [demo] "
    "failed during initial provisioning and is in an unrecoverable state. Delete and re-create.\n"
)
LOST = (
    "ERROR: (BadRequest) The request is invalid.\nThis endpoint has not been created successfully or is in deleting "
    "provisioning state. Please recreate endpoint\n"
)
BUSY = "ERROR: (BadRequest) Cannot create a deployment in endpoint x because it is in Updating provisioning state\n"
NO_PULL = "ERROR: (BadArgument) Endpoint identity does not have pull permission on the registry\n"
TAKEN = (
    "ERROR: (BadRequest) There is already an endpoint with this name, Endpoint name needs to be unique within a "
    "region. Try some other name.\n"
)


class World:
    """The fake service, and demo's run on it."""

    def __init__(self, folder, monkeypatch):
        self.place = folder / "world.json"
        self.put({"calls": [], "things": {}, "models": [], "script": {}})
        monkeypatch.setenv("FAKE_AZ_WORLD", str(self.place))
        self.folder = folder / "state"
        self.program = [sys.executable, str(FAKE)]
        self.root = folder / "project"
        self.render()
        self.run = self.with_values()
        self.cluster, self.on = "compute/gpu-cluster", f"endpoint/{endpoint.name_of(self.run)}"

    def with_values(self, *sets):
        where = ["--subscription", "s", "--resource-group", "g", "--workspace-name", "w"]
        return Run(Az(self.program, where), load("demo", sets), self.folder, self.root)

    def render(self, data_version=""):
        """Renders demo's YAML, which leaves its data to be bound unless it is to name them."""
        render.write(render.render(load("demo"), data_version=data_version), "demo", self.root)

    def prepared(self, version, fallback=None):
        """Puts prepared data there, as far as their manifest is asked."""
        path = self.root / "data" / "demo" / "manifest.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"version": version, "fallback": fallback}))

    def put(self, world):
        self.place.write_text(json.dumps(world))

    def get(self):
        return json.loads(self.place.read_text())

    def has(self, **things):
        """Puts things there: `has(compute__x="Failed")` by kind and name."""
        world = self.get()
        for key, found in things.items():
            world["things"][key.replace("__", "/")] = found
        self.put(world)

    def thing(self, key, state, **more):
        world = self.get()
        world["things"][key] = {"provisioning_state": state, **more}
        self.put(world)

    def say(self, command, *answers):
        world = self.get()
        world["script"][command] = list(answers)
        self.put(world)

    def calls(self, *but):
        """The commands that changed something, in their order."""
        asked = ("show", "list", "get-logs", *but)
        return [" ".join(words[:2]) for words in self.get()["calls"] if words[1] not in asked]

    def words(self, command):
        """Every command line of a command."""
        return [words for words in self.get()["calls"] if " ".join(words[:2]) == command]


class Answers:
    """Who is asked beside az: deployments answer in their own ways, else the true answer at once; there is room."""

    def __init__(self, room="", **replies):
        self.room, self.replies, self.asked = room, replies, []

    def ask(self, deployment, case):
        self.asked.append(deployment)
        found = self.replies.get(deployment.replace("-", "_"), Reply("yes", 0.1))
        return found(case) if callable(found) else found

    def no_room(self):
        return self.room

    def price(self):
        return ", 0.53 USD an hour"


def refused(step, *arguments):
    with pytest.raises(UserError) as caught:
        step(*arguments)
    return caught.value.code, str(caught.value)
