"""SIGKILL between any two requests of an apply, then the same apply again: the same end, and nothing twice."""

import signal

import pytest

from scripts.plan import resource
from tests.stopped import PLACES, stopped


def what_is_there(made) -> dict[str, object]:
    """Everything that the workspace has, counted."""
    client = made.client
    name, on = made.run.name("pipelines", "model.yml"), made.world()[resource.ENDPOINT].name
    return {
        "jobs": [job.name for job in client.jobs.list()],
        "models": [(each.version, each.tags["job"]) for each in client.models.list(name)],
        "data": sorted(
            (each.name, [one.version for one in client.data.list(each.name)]) for each in client.data.list()
        ),
        "clusters": [each.name for each in client.compute.list()],
        "endpoints": [each.name for each in client.online_endpoints.list()],
        "deployments": [(each.name, each.instance_count) for each in client.online_deployments.list(on)],
        "traffic": client.online_endpoints.get(on).traffic,
    }


def same(made, end: dict[str, object], at: int) -> None:
    found = what_is_there(made)
    found["endpoints"] = [each.rpartition("-")[0] for each in found["endpoints"]]
    assert found == end, f"killed before request {at}"


def campaign(project, places: int) -> int:
    """Kills an apply at so many places of a first run and of one that replaces all; returns how many were met."""
    first = project()
    code, many = stopped(first.apply, PLACES)
    assert code == 0 and many > 50
    end = what_is_there(first)
    end["endpoints"] = [each.rpartition("-")[0] for each in end["endpoints"]]
    met = 0
    for place in range(places):
        at = 1 + (2 * place + 1) * many // (2 * places) if places < many else place + 1
        made = project()
        met += stopped(made.apply, at)[0] == -signal.SIGKILL
        assert made.apply() == 0 and made.todo() == []
        same(made, end, at)
        made.client.online_endpoints.begin_delete(made.world()[resource.ENDPOINT].name)  # its server takes memory
    return met


def test_an_apply_that_is_killed_goes_on(project):
    assert campaign(project, 2) == 2


@pytest.mark.long
def test_an_apply_that_is_killed_before_any_request_goes_on(project):
    assert campaign(project, 400) > 60


REPLACED = (("pipelines", "compute.yml", "size"), ("endpoints", "endpoint.yml", "auth_mode"),
            ("endpoints", "deployment.yml", "instance_type"))  # fmt: skip
OTHERS = {"size": "Standard_NC24ads_A100_v4", "auth_mode": "aad_token", "instance_type": "Standard_NC24ads_A100_v4"}


def replacing(project, places: int) -> int:
    made, met, many = project(), 0, PLACES
    assert made.apply() == 0
    for place in range(places + 1):
        before = [made.edit(*file, **{key: OTHERS[key]}) for *file, key in REPLACED]
        at = 1 + (2 * place - 1) * many // (2 * places) if place else PLACES
        code, count = stopped(made.apply, at)
        many, met = (count if not place else many), met + (code == -signal.SIGKILL)
        assert made.apply() == 0 and made.todo() == []
        found = what_is_there(made)
        assert len(found["jobs"]) == len(found["models"]) == len(found["deployments"]) == 1, at
        for (*file, _), old in zip(REPLACED, before, strict=True):
            made.edit(*file, **old)
        assert made.apply() == 0 and made.todo() == []
    return met


def test_a_replacement_that_is_killed_goes_on(project):
    assert replacing(project, 1) == 1


@pytest.mark.long
def test_a_replacement_that_is_killed_anywhere_goes_on(project):
    assert replacing(project, 40) >= 39
