"""The stopwatch, on a clock that the tests turn."""

from __future__ import annotations

import pytest

import cvcore.timer as timer_module
from cvcore.timer import Timer, TimerError, check_time


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(timer_module.time, "monotonic", made.monotonic)
    return made


def test_time_is_counted_from_the_start_and_from_the_last_check(clock: Clock) -> None:
    timer = Timer()
    clock.now += 2.0
    assert timer.since_start() == 2.0
    clock.now += 0.5
    assert timer.since_last_check() == 0.5
    clock.now += 0.25
    assert timer.since_last_check() == 0.25
    assert timer.since_start() == 2.75


def test_a_start_while_running_moves_the_last_check_only(clock: Clock) -> None:
    timer = Timer()
    clock.now += 1.0
    timer.start()
    clock.now += 1.0
    assert timer.since_last_check() == 1.0
    assert timer.since_start() == 2.0


def test_a_timer_that_never_started_cannot_be_read() -> None:
    timer = Timer(start=False)
    assert not timer.is_running
    for read in (timer.since_start, timer.since_last_check):
        with pytest.raises(TimerError, match="call start"):
            read()


def test_a_block_says_how_long_it_took(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with Timer():
        clock.now += 1.5
    with Timer(print_tmpl="took {:.1f} s") as timer:
        clock.now += 2.0
    assert capsys.readouterr().out == "1.500\ntook 2.0 s\n"
    assert not timer.is_running


def test_a_named_check_begins_at_zero(clock: Clock) -> None:
    assert check_time("timer_test_id") == 0.0
    clock.now += 3.0
    assert check_time("timer_test_id") == 3.0
    assert check_time("timer_test_other") == 0.0
