"""SIGKILL or Ctrl-C between any two requests of a rollout, then the same command: the same end, no request failed."""

import signal

import pytest

from tests.stopped import PLACES, stopped

pytestmark = pytest.mark.slow


def campaign(place, client, number, places):
    """Stops a rollout at so many places; returns how many were met."""
    made = place("deployment.rollout.questions=2")
    first, met, many = made.model(), 0, PLACES
    assert made.deploy() == "" and made.there() == {"demo": (100, first.rpartition(":")[2])}
    caller = client(made)
    for place_ in range(places + 1):
        (live,), other = made.there(), {"demo": "demo-2", "demo-2": "demo"}
        version = made.model().rpartition(":")[2]
        at = 1 + (2 * place_ - 1) * many // (2 * places) if place_ else PLACES
        code, count = stopped(lambda: int(bool(made.deploy())), at, number)
        many = many if place_ else count
        assert code in (0, -number, 130), code
        met += bool(code)
        if code == 130:  # all is as it was, or it was done but for the old one
            assert (live, 100) in [(name, share) for name, (share, _) in made.there().items()] or made.there()[
                other[live]
            ] == (100, version)
        assert made.deploy() == ""
        assert made.there() == {other[live]: (100, version)}, (at, many)
    caller.end()
    assert caller.failed == [] and caller.count > 20
    return met


def test_a_rollout_that_is_killed_goes_on(place, client):
    assert campaign(place, client, signal.SIGKILL, 1) == 1


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_rollout_that_is_stopped_anywhere_goes_on(place, client, number):
    assert campaign(place, client, number, 40) >= 36
