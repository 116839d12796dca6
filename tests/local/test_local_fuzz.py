"""Requests that nobody should send: none is answered with 500 or not at all, and none spoils what is stored."""

from __future__ import annotations

import pytest

from tests.conftest import WORKSPACE, Emulated
from tests.local.conftest import FAKES
from tests.local.fuzz import Fuzz


@pytest.mark.torture
def test_mutated_requests_over_every_route(tmp_path, campaign):
    for home in range(campaign.size(1, 4)):
        emulated = Emulated(tmp_path / str(home), WORKSPACE, FAKES)
        emulated.up()
        try:
            fuzz = Fuzz(emulated, campaign.seed + home)
            fuzz.run(count := campaign.size(500, 2500))
            campaign.tried += count
            for fault in fuzz.faults:
                campaign.wrong("500", fault)
            for end in ("before a kill", "after it"):
                for wrong in fuzz.listings():
                    campaign.wrong("500", f"{end}: {wrong}")
                for left in fuzz.settle(60):
                    campaign.wrong("stuck", f"{end}: {left}")
                if end == "before a kill":
                    emulated.kill()
                    emulated.up()
                    fuzz.connections.clear()
        finally:
            emulated.down()
