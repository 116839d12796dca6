"""Both sides of every resource of an environment: its rendered YAML as the SDK reads it, and the workspace."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from scripts import state
from scripts.azure import answers, sdk_private, updates
from scripts.azure.client import import_sdk
from scripts.chain import cluster, data, endpoint, job, model, slots
from scripts.chain.run import BUSY, Run
from scripts.errors import MISSING, UserError
from scripts.plan import resource
from scripts.plan.resource import LATER, STATE, Resource
from scripts.targets import billed
from scripts.values.names import ENVIRONMENT_TAG

_FAILED = ("failed", "canceled")


class World:
    """One look at the workspace of a run; nothing is changed by it, and nothing kept."""

    def __init__(self, run: Run, client: Any) -> None:
        self._run, self._client = run, client
        self.data_version = _data_version(run)
        self.has_models = False  # a version of the model was registered once, of whichever job
        self.resources = list(self._all())

    def of(self, kind: str) -> list[Resource]:
        """Returns the resources of a kind."""
        return [each for each in self.resources if each.kind == kind]

    def __getitem__(self, kind: str) -> Resource:
        """The first resource of a kind: the only one that the YAML names, but of clusters and data assets."""
        return self.of(kind)[0]

    def _all(self) -> Iterator[Resource]:
        yield from self._data()
        for which in ("finetune", "prepare") if self._run.in_pipeline else ("finetune",):
            yield self._cluster(which)
        made = self._job()
        yield made
        registered = self._model(made.name)
        yield registered
        yield from self._serving(registered)

    def _data(self) -> Iterator[Resource]:
        if self.data_version == data.IN_PIPELINE:
            return
        base = self._run.name(*data.FILE)
        for split in data.job_kind(self._run).files:
            name, version = f"{base}-{split}", self.data_version
            live = self._ask(f"data asset {name}:{version}", self._client.data.get, name, version) if version else None
            yield self._both(resource.DATA, data.FILE, "data", live, f"{name}:{version or '?'}")

    def _cluster(self, which: str) -> Resource:
        file = cluster.FILES[which]
        name = self._run.name(*file)
        live = self._ask(f"compute {name}", self._client.compute.get, name)
        least = self._run.document(*file).get("min_instances")
        always = billed(f"{least} of its nodes always run, and are billed") if least else ""
        return self._both(resource.CLUSTER, file, "compute", live, name, note=always, which=which)

    def _job(self) -> Resource:
        """Returns the job of today's YAML and data: its name is made of them, so another content is another job."""
        if not self.data_version:
            todo = f"its name, and the version of its data, are known when {self._run.make('data')} has prepared them"
            return Resource(resource.JOB, f"{self._run.environment}-?", {}, None, todo)
        name, before = state.next_job(self._run.folder, self._run.environment, self.data_version, self._run.root), ""
        while status := self._status(name):
            if state.plain_status(status) not in state.ENDED_BADLY:
                ended = state.plain_status(status) in job.ENDED
                note = status if ended else f"{status}: {self._run.make('apply')} waits for it"
                return Resource(resource.JOB, name, {}, {}, note, runs=not ended)
            stem, _, attempt = name.rpartition("-")
            name, before = f"{stem}-{int(attempt) + 1}", f"job {name} ended before: {status}"
        return Resource(resource.JOB, name, {}, None, before)

    def _status(self, name: str) -> str:
        found = self._ask(f"job {name}", self._client.jobs.get, name)
        return str(found.status) if found else ""

    def _model(self, of_job: str) -> Resource:
        """Returns the newest version that belongs to the job; the service counts them."""
        name = self._run.name(*model.FILE)
        ask = self._client.models.list
        found = self._ask(f"the versions of model {name}", lambda: list(ask(name))) or []
        self.has_models = bool(found)
        mine = [each for each in found if (each.tags or {}).get(state.JOB_TAG) == of_job and each.version.isdecimal()]
        live = max(mine, key=lambda each: int(each.version), default=None)
        title = f"{name}:{live.version}" if live else name
        return self._both(resource.MODEL, model.FILE, "model", live, title)

    def _serving(self, registered: Resource) -> Iterator[Resource]:
        on = endpoint.name_of(self._run)
        live = self._ask(f"endpoint {on}", self._client.online_endpoints.get, on)
        there = self._ask(f"the deployments of endpoint {on}", lambda: list(self._deployments(on))) if live else None
        found = {each.name: each for each in there or []}
        plain = [sdk_private.to_dict(each) for each in found.values()]
        shares = {"traffic": live.traffic, "mirror_traffic": live.mirror_traffic} if live else {}
        standing = slots.of(self._run, shares, plain)
        serves = any(each.is_good for each in standing.every)
        name = standing.live.name if standing.live and standing.live.name in standing.names else standing.names[0]
        bound = {"traffic": {name: 100}}  # as the chain gives it
        made = self._both(resource.ENDPOINT, endpoint.FILE, "online_endpoint", live, on, forgiven=serves, bound=bound)
        yield made
        served = self._deployment(name, found.get(name), registered)
        if made.action == resource.REPLACE and served.seen is not None:
            served = replace(served, goes=True, note="it goes with its endpoint")
        elif any(not updates.is_in_place(change.field) for change in served.changes):
            beside = (
                f"{self._run.make('deploy')} makes the new one beside it, and it answers until that has the traffic"
            )
            served = replace(served, note="; ".join(filter(None, (served.note, beside))))
        yield served
        for each in standing.every:
            if each.name != name:
                yield self._beside(standing, each, served) or self._other(found[each.name])

    def _beside(self, standing: slots.Slots, other: slots.Deployment, served: Resource) -> Resource | None:
        """Returns what becomes of the other slot, which a rollout takes up or has left; None for another deployment."""
        if other.name not in standing.names:
            return None
        kept = self._run.values.data["deployment"]["rollout"]["keep_previous"] and other.is_good
        if served.action != resource.UNCHANGED:
            has = f" ({other.share} % of the traffic, {other.mirrored} % mirrored)" * bool(
                other.share or other.mirrored
            )
            note, stays = (
                f"it stands beside the other{has}; {self._run.make('deploy')} takes it up, or makes it anew",
                True,
            )
        elif kept and not standing.is_newer(other):
            note, stays = f"it answered before, and is kept for {self._run.make('rollback')}", True
        else:
            note, stays = "a rollout left it", False
        return Resource(resource.DEPLOYMENT, other.name, None, {}, note, ours=True, stays=stays)

    def _deployments(self, on: str) -> Any:
        return self._client.online_deployments.list(on)

    def _deployment(self, name: str, live: Any, registered: Resource) -> Resource:
        """Returns the deployment, with the model version that the YAML names, or else the one of the job."""
        own = registered.name if registered.seen is not None else f"{registered.name}:{LATER}"
        named, note = model.named(self._run), ""
        if named:
            found = self._ask(f"model {named}", self._client.models.get, *named.split(":", 1))
            if not model.takes_its_own(self._run, found and found.tags):
                scaled = self._scaled(live)
                return self._both(resource.DEPLOYMENT, slots.FILE, "online_deployment", live, name, bound=scaled)
            note = f"{named} was not promoted in this workspace, so the job's own model stands in for it"
        bound = {"model": own, **self._scaled(live)}
        return self._both(resource.DEPLOYMENT, slots.FILE, "online_deployment", live, name, note, bound=bound)

    def _scaled(self, live: Any) -> dict[str, int]:
        """Returns the number of machines that autoscaling has made of the YAML's, where it is one that it may make."""
        count = int(getattr(live, "instance_count", None) or 0)
        return {"instance_count": count} if slots.may_scale_to(self._run.values, count) else {}

    def _other(self, found: Any) -> Resource:
        """Returns a deployment of the endpoint that no YAML names."""
        ours = (found.tags or {}).get(ENVIRONMENT_TAG) == self._run.environment
        by = getattr(found.creation_context, "created_by", None) if getattr(found, "creation_context", None) else None
        who = f"made by {by}" if by else "who made it the service does not say"
        why = f"tagged {ENVIRONMENT_TAG}={self._run.environment}, so an earlier YAML of it made it" if ours else who
        return Resource(resource.DEPLOYMENT, found.name, None, {}, f"no YAML names it; {why}", ours)

    def _both(
        self, kind: str, file: tuple[str, ...], loads: str, live: Any, name: str, note: str = "", which: str = "",
        forgiven: bool = False, bound: Mapping[str, Any] | None = None,
    ) -> Resource:  # fmt: skip
        """Returns a resource of the YAML, and of what the chain binds beside it (`bound`).

        `forgiven`: its failed state hinders nothing.
        """
        document, found = self._run.document(*file), sdk_private.to_dict(live) if live else {}
        now = state.plain_status(str(found.get(STATE) or ""))
        if now == "deleting":
            found, note = {}, "it is being deleted"
        elif now in BUSY:
            note = f"it is {now}"
        hidden = ("name", "path", "version", "endpoint_name")
        wanted, seen = updates.fields(kind, document, self._loaded(file, loads), found or None, hidden)
        for key, value in (bound or {}).items():
            wanted[key] = updates.same_form(kind, key, value)
            if seen is not None:
                seen[key] = updates.same_form(kind, key, found.get(key))
        if seen is not None and now in _FAILED and not forgiven:
            wanted, seen = {**wanted, STATE: "Succeeded"}, {**seen, STATE: now.capitalize()}
        return Resource(kind, name, wanted, seen, note, which=which)

    def _loaded(self, file: tuple[str, ...], loads: str) -> dict[str, Any]:
        path = self._run.file(*file)
        try:
            # A model has a place only once a job has made it.
            place = [{"path": "azureml://jobs/none/outputs/none"}] if loads == "model" else []
            entity = getattr(import_sdk(), f"load_{loads}")(source=str(path), params_override=place)
        except Exception as error:  # the SDK raises its own, marshmallow's and pydash's errors
            place_of = path.relative_to(self._run.root)
            todo = f"{self._run.make('validate')} says where"
            raise UserError(f"{place_of}: {answers.sentence(error)}; {todo}") from error
        return sdk_private.to_dict(entity)

    @staticmethod
    def _ask(what: str, get: Any, *names: str) -> Any:
        return answers.ask(what, get, *names)


def _data_version(run: Run) -> str:
    """Returns the version of the data assets: of the YAML, else of what is prepared here; empty where nobody knows."""
    if run.in_pipeline:
        return data.IN_PIPELINE
    if named := data.named(run):
        return named
    try:
        return state.data_version(run.environment, run.root)
    except UserError as error:
        if error.code != MISSING:
            raise
        return state.kept(run.folder, "data-version")
