"""Getting the next batch, and saying what happened when a loader's worker dies."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from cvcore.dist import is_distributed
from cvcore.errors import CvcoreError
from cvcore.interrupt import Interrupted, abandonable
from cvcore.runner.random_state import get_random_state, set_random_state

SHARED_MEMORY = Path("/dev/shm")
WAIT = 0.5  # seconds for a worker that has closed its end to be gone


class WorkerDiedError(CvcoreError, RuntimeError):
    """A loader's worker process was killed from outside."""


def next_batch(batches: Iterator[Any]) -> Any:
    """The next batch; a signal ends the wait for it, and leaves no trace in the random state.

    On several ranks the wait goes on: the others are in the step that needs this one.

    Raises:
        StopIteration: There is none.
        Interrupted: A signal asked the process to end.
        WorkerDiedError: A worker was killed.
    """
    state = get_random_state()
    try:
        with nullcontext() if is_distributed() else abandonable():
            return next(batches)
    except Interrupted:
        set_random_state(state)
        raise
    except (RuntimeError, OSError, EOFError) as error:
        try:
            dead = _dead_workers(batches)
        except RuntimeError:  # of torch's handler of SIGCHLD, at a death noticed just now
            dead = _dead_workers(batches)
        if not dead or isinstance(error, CvcoreError):
            raise
        raise WorkerDiedError(_describe(dead)) from error


def _dead_workers(batches: Iterator[Any]) -> list[str]:
    """Worker processes of a loader's iterator that a signal has ended."""
    workers = getattr(batches, "_workers", ())
    # What a worker has under way when it dies may be noticed before the death itself.
    for worker in workers:
        # torch's handler of SIGCHLD raises wherever a worker's death is noticed: in here too.
        with suppress(RuntimeError):
            worker.join(WAIT)
    codes = [(worker.pid, worker.exitcode) for worker in workers]
    return [f"process {pid} by {_signal_name(-code)}" for pid, code in codes if code and code < 0]


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _describe(dead: list[str]) -> str:
    free = ""
    if SHARED_MEMORY.is_dir():
        space = shutil.disk_usage(SHARED_MEMORY)
        free = (
            f" {SHARED_MEMORY} has {space.free / 2**20:.0f} of {space.total / 2**20:.0f} MiB free."
        )
    return (
        f"a worker of the data loader was killed: {', '.join(dead)}.{free} Mostly it ran out of "
        "memory or shared memory. Use fewer workers (data.workers_per_gpu), or give the container "
        "more shared memory (docker run --shm-size=8g, or --ipc=host)"
    )
