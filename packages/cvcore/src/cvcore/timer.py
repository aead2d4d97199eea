"""A stopwatch, and named running checks."""

from __future__ import annotations

import sys
import time

from cvcore.errors import CvcoreError


class TimerError(CvcoreError):
    """A timer is read before it was started."""


class Timer:
    """Seconds since the start and since the last check, on a clock that never goes back.

    As a context manager it writes the seconds spent inside to stdout, as ``print_tmpl`` says.
    """

    def __init__(self, start: bool = True, print_tmpl: str | None = None) -> None:
        self.print_tmpl = print_tmpl or "{:.3f}"
        self._started: float | None = None
        self._checked = 0.0
        if start:
            self.start()

    @property
    def is_running(self) -> bool:
        """Whether the timer was started."""
        return self._started is not None

    def __enter__(self) -> Timer:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        sys.stdout.write(f"{self.print_tmpl.format(self.since_last_check())}\n")
        self._started = None

    def start(self) -> None:
        """Start; a running timer goes on and only its last check is moved to now."""
        now = time.monotonic()
        if self._started is None:
            self._started = now
        self._checked = now

    def since_start(self) -> float:
        """Seconds since the start; counts as a check."""
        if self._started is None:
            raise TimerError("the timer is not running; call start() first")
        self._checked = time.monotonic()
        return self._checked - self._started

    def since_last_check(self) -> float:
        """Seconds since the last check or the start; counts as a check."""
        if self._started is None:
            raise TimerError("the timer is not running; call start() first")
        before, self._checked = self._checked, time.monotonic()
        return self._checked - before


_timers: dict[str, Timer] = {}


def check_time(timer_id: str) -> float:
    """Seconds since the last call with this id; 0 at the first."""
    if timer_id not in _timers:
        _timers[timer_id] = Timer()
        return 0.0
    return _timers[timer_id].since_last_check()
