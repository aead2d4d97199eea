"""Signals that ask a run to end: the first is noted and obeyed between steps, a second at once.

SIGTERM comes from schedulers that want the machine back, SIGINT from Ctrl-C. Inside
:func:`signals_noted` neither stops the program by itself: whoever runs steps asks
:func:`noted_signal` between them, and waits inside :func:`abandonable`.
"""

from __future__ import annotations

import functools
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.sharedctypes import RawValue
from multiprocessing.util import Finalize
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT)
ECHO_SECONDS = 1.0


class Interrupted(KeyboardInterrupt):
    """A run ends because a signal asked it to.

    Args:
        signum: The signal.
        text: What was saved and how to go on.

    Attributes:
        exit_code: 128 and the signal's number, as shells have it: 143 for SIGTERM, 130 for SIGINT.
    """

    def __init__(self, signum: int, text: str = "") -> None:
        super().__init__(text or f"interrupted by {signal.Signals(signum).name}")
        self.signum = signum
        self.exit_code = 128 + signum


class _Notes:
    """What this process knows of signals."""

    def __init__(self) -> None:
        self.owner: int | None = None  # the process that notes; children it forks do not
        self.signum: int | None = None
        self.time = 0.0  # when it came, in seconds of the monotonic clock
        self.abandonable = 0  # how many such contexts are open


_notes = _Notes()


@contextmanager
def signals_noted() -> Iterator[None]:
    """Context in which the first signal is noted and a second one ends the process at once.

    Nothing changes inside another such context, or in a thread: signals reach the main thread.
    """
    if _notes.owner == os.getpid() or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {signum: signal.signal(signum, _note) for signum in SIGNALS}
    _notes.owner, _notes.signum, _notes.abandonable = os.getpid(), None, 0
    try:
        yield
    finally:
        _notes.owner = _notes.signum = None
        for signum, handler in before.items():
            # None stands for a handler that was not set from Python and cannot be put back.
            signal.signal(signum, signal.SIG_DFL if handler is None else handler)


def _note(signum: int, frame: FrameType | None) -> None:
    if _notes.owner != os.getpid():
        return  # a child that was forked inside the context: its parent decides
    if _notes.signum is not None:
        if _is_echo(signum):
            return
        os.write(2, b"\nsecond signal: ending at once, without saving\n")
        os._exit(128 + signum)
    _notes.signum, _notes.time = signum, time.monotonic()
    name = signal.Signals(signum).name
    os.write(2, f"\n{name}: finishing the step and saving; once more ends at once\n".encode())
    if _notes.abandonable:
        raise Interrupted(signum)


def _is_echo(signum: int) -> bool:
    """Whether torchrun passes on what a scheduler has sent to all processes itself."""
    launched = "TORCHELASTIC_RUN_ID" in os.environ
    return launched and signum == _notes.signum and time.monotonic() - _notes.time < ECHO_SECONDS


def noted_signal() -> int | None:
    """The signal that asked this process to end, if one did."""
    return _notes.signum if _notes.owner == os.getpid() else None


@contextmanager
def abandonable() -> Iterator[None]:
    """Context for waiting and for work that may be given up halfway.

    Raises:
        Interrupted: A signal was noted before, or comes while the context is open.
    """
    _notes.abandonable += 1
    try:
        signum = noted_signal()
        if signum is not None:
            raise Interrupted(signum)
        yield
    finally:
        _notes.abandonable -= 1


def end_of_process() -> Any:
    """A number that the processes this one starts share: its ``value`` is 1 once this one ends."""
    return _end_of(os.getpid())


@functools.cache
def _end_of(process: int) -> Any:
    flag = RawValue("b")
    # Before multiprocessing ends what is left of this process's children, and waits for them.
    Finalize(None, setattr, (flag, "value", 1), exitpriority=100)
    return flag


def leave_signals_to_parent(end_of_parent: Any = None) -> None:
    """Make this process, a loader's worker, deaf to signals that the whole group is sent.

    Ctrl-C is ignored, and the first SIGTERM too; the second one ends the process, so that a
    parent can still get rid of a worker that does not answer. A parent that ends sends one alone.

    Args:
        end_of_parent: The parent's :func:`end_of_process`.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, functools.partial(_ignore_once, end_of_parent=end_of_parent))


def _ignore_once(signum: int, frame: FrameType | None, end_of_parent: Any) -> None:
    signal.signal(signum, signal.SIG_DFL)
    if end_of_parent is not None and end_of_parent.value:
        signal.raise_signal(signum)
