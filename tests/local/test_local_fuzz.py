"""Requests that nobody should send: none is answered with 500 or not at all, and none spoils what is stored."""

from __future__ import annotations

import pytest

from tests.conftest import WORKSPACE, Emulated
from tests.local.conftest import FAKES
from tests.local.fuzz import Fuzz


@pytest.mark.parametrize(
    ("seed", "count"), [(1, 500), *(pytest.param(seed, 2500, marks=pytest.mark.long) for seed in range(2, 6))]
)
def test_no_request_breaks_the_emulator(tmp_path, seed, count):
    emulated = Emulated(tmp_path / "home", WORKSPACE, FAKES)
    emulated.up()
    try:
        fuzz = Fuzz(emulated, seed)
        fuzz.run(count)
        assert not fuzz.faults, "\n".join(fuzz.faults)
        assert not (wrong := fuzz.listings()), "\n".join(wrong)
        assert not (left := fuzz.settle(60)), "\n".join(left)
        emulated.kill()
        emulated.up()
        fuzz.connections.clear()
        assert not (wrong := fuzz.listings()), "\n".join(wrong)
        assert not (left := fuzz.settle(60)), "\n".join(left)
    finally:
        emulated.down()
