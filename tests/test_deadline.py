"""Work that must end in time."""

from __future__ import annotations

import time

import pytest

from scripts.deadline import within


def test_the_result_or_the_error_of_the_work() -> None:
    assert within(5, lambda: 7) == 7
    assert within(5, lambda: None) is None
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 // 0)
    with pytest.raises(SystemExit):
        within(5, lambda: exec("raise SystemExit(3)"))


def test_what_takes_too_long_is_left_behind() -> None:
    started = time.monotonic()
    with pytest.raises(TimeoutError, match=r"^no answer in 0\.1 s$"):
        within(0.1, lambda: time.sleep(20))
    assert time.monotonic() - started < 5
