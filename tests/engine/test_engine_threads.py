"""The number of threads follows what other processes leave."""

from __future__ import annotations

import pytest

from scripts.local.engine import threads


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """A clock, the processor time of everybody, and this process's own, to be moved by hand."""
    now = {"clock": 0.0, "busy": 0.0, "own": 0.0}
    monkeypatch.setattr(threads.time, "monotonic", lambda: now["clock"])
    monkeypatch.setattr(threads.time, "process_time", lambda: now["own"])
    monkeypatch.setattr(threads, "_busy", lambda: now["busy"])
    return now


def test_threads_follow_the_neighbours(machine: dict[str, float]) -> None:
    import torch

    before = torch.get_num_threads()
    try:
        follower = threads.Follower(4)

        def after(seconds: float, own: float, others: float) -> int:
            machine["clock"] += seconds
            machine["own"] += own
            machine["busy"] += own + others
            return follower.adjust()

        assert after(2, own=8, others=0) == 4
        assert after(2, own=4, others=4) == 2
        assert torch.get_num_threads() == 2
        assert after(2, own=2, others=14) == 1  # never none
        assert after(0.5, own=0.5, others=0) == 1  # too short to tell
        assert after(2, own=2, others=0.4) == 4
    finally:
        torch.set_num_threads(before)


def test_nothing_changes_where_nobody_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_busy", lambda: None)
    follower = threads.Follower(1)
    follower.since -= 10
    assert follower.adjust() == 1


def test_this_machine_counts() -> None:
    busy = threads._busy()
    assert busy is None or busy > 0
