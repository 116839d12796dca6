"""Does what a plan says: the Makefile's own targets, in their order, and what they leave as they find it.

Everything is asked again before it is done, so whoever was stopped, or killed, calls the same command once more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scripts import state
from scripts.azure import answers
from scripts.chain import cluster, deployment, endpoint
from scripts.chain.run import Run, say
from scripts.errors import FAILED, UserError
from scripts.plan import resource
from scripts.plan.resource import CHANGE, CREATE, DELETE, LEFT_ALONE, REPLACE, Resource
from scripts.plan.world import World

Targets = Callable[..., int]  # runs targets of the Makefile in turn, and returns the exit code of the first that fails


class Stopped(Exception):
    """A target failed, for the reason that it has said; `code` is its exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code


class Applying:
    """One apply of an environment."""

    def __init__(self, run: Run, client: Any, targets: Targets) -> None:
        self._run, self._client, self._targets = run, client, targets

    def apply(self, world: World) -> None:
        """Carries out what differs; `Stopped` where a target failed, a UserError where something was refused."""
        _refuse_to_take_others_along(world)
        _keep_what_is_known(self._run, world)
        self._assets(world, resource.DATA, "data")
        self._clusters(world)
        made = world[resource.JOB]
        if made.action == CREATE or made.runs:
            self._target("finetune")
        self._assets(world, resource.MODEL, "register")
        self._serve(world)
        for each in world.of(resource.DEPLOYMENT):
            if each.action == DELETE:
                deployment.remove(self._run, each.name)
                say(f"{each.title}: deleted")

    def _target(self, *names: str) -> None:
        if code := self._targets(*names):
            raise Stopped(code)

    def _assets(self, world: World, kind: str, target: str) -> None:
        """Has a target make what is not there, and corrects the words about what is: its content never changes."""
        if any(each.action == CREATE for each in world.of(kind)):
            self._target(target)
        for each in world.of(kind):
            if each.action == CHANGE:
                name, _, version = each.name.rpartition(":")
                assets = self._client.data if kind == resource.DATA else self._client.models
                self._amend(each, assets.get, (name, version), assets.create_or_update)

    def _clusters(self, world: World) -> None:
        todo = [each for each in world.of(resource.CLUSTER) if each.action in (CREATE, CHANGE, REPLACE)]
        if not todo:
            return
        self._target("gate")
        for each in todo:
            if each.action == REPLACE:
                say(f"{each.title} is deleted, and made as the YAML says")
                cluster.remove(self._run, each.name)
            elif each.action == CHANGE:
                cluster.change(self._run, each.which)
        if any(each.action != CHANGE for each in todo):
            self._target("compute")

    def _serve(self, world: World) -> None:
        on, served = world[resource.ENDPOINT], world[resource.DEPLOYMENT]
        if on.action == REPLACE:
            self._target("may-deploy")  # nothing that serves is deleted for what may not take its place
            say(f"{on.title} is deleted, and made as the YAML says: until then it answers nothing")
            endpoint.delete(self._run, on.name, endpoint.show(self._run, on.name))
        if on.action == CHANGE:
            self._amend(on, self._client.online_endpoints.get, (on.name,), self._send_endpoint)
        if on.action in (CREATE, REPLACE) or served.action in (CREATE, CHANGE, REPLACE):
            self._target("deploy")

    def _send_endpoint(self, entity: Any) -> None:
        self._client.online_endpoints.begin_create_or_update(entity).result()

    def _amend(self, each: Resource, get: Any, names: tuple[str, ...], send: Any) -> None:
        """Sends what is there with the words that differ; what others have added to it, such as tags, stays."""
        entity = answers.require(each.title, "look at the workspace", get, *names)
        for change in each.changes:
            key, _, tag = change.field.partition(".")
            if key == "tags":
                entity.tags = {**(entity.tags or {}), tag: change.new}
            elif key == "traffic":
                entity.traffic = self._traffic(entity, change.new)
            else:
                setattr(entity, key, change.new)
        answers.order(f"{each.title} cannot be changed", send, entity)
        say(f"{each.title}: {', '.join(change.field for change in each.changes)} changed")

    @staticmethod
    def _traffic(entity: Any, wanted: str) -> dict[str, int]:
        """Returns the shares that the YAML wants, as they are as long as who is to have them is not there."""
        name, _, share = wanted.partition("=")
        there = entity.traffic or {}  # the SDK names every deployment in it
        return {**dict.fromkeys(there, 0), name: int(share)} if name in there else dict(there)


def _refuse_to_take_others_along(world: World) -> None:
    """Refuses to replace an endpoint on which somebody else has a deployment: that would be deleted with it."""
    on = world[resource.ENDPOINT]
    others = [each for each in world.of(resource.DEPLOYMENT) if each.action == LEFT_ALONE and not each.ours]
    if on.action == REPLACE and others:
        raise UserError(
            f"{on.title} cannot be replaced: {others[0].title} is on it ({others[0].note}) and would be deleted with "
            "it; delete that first, or give endpoint.name another value; nothing was done",
            FAILED,
        )


def _keep_what_is_known(run: Run, world: World) -> None:
    """Writes what the workspace knows of this YAML's job and data into the state: in a fresh clone there is none."""
    if world.data_version and all(each.action != CREATE for each in world.of(resource.DATA)):
        state.write(run.folder, "data-version", world.data_version)
    made, registered = world[resource.JOB], world[resource.MODEL]
    if made.action == CREATE:
        return
    if state.kept(run.folder, "job") != made.name:
        (run.folder / "status").unlink(missing_ok=True)
        state.write(run.folder, "job", made.name)
    if not made.runs:
        state.write(run.folder, "status", made.note)
    if registered.action != CREATE:
        state.write(run.folder, "model-version", f"{registered.name.rpartition(':')[2]} {made.name}")
