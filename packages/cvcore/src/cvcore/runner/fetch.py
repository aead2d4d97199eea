"""Getting the next batch, and saying what happened when a loader's worker dies."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from cvcore.dist import is_distributed
from cvcore.errors import CvcoreError
from cvcore.interrupt import Interrupted, abandonable
from cvcore.runner.random_state import get_random_state, set_random_state

SHARED_MEMORY = Path("/dev/shm")
DEAD_WORKER = re.compile(r"DataLoader worker \(pid\(?s?\)? ?[\d, ]+\)")


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
    except RuntimeError as error:
        if DEAD_WORKER.search(str(error)) is None or isinstance(error, CvcoreError):
            raise
        raise WorkerDiedError(_describe(error)) from error


def _describe(error: RuntimeError) -> str:
    free = ""
    if SHARED_MEMORY.is_dir():
        space = shutil.disk_usage(SHARED_MEMORY)
        free = (
            f" {SHARED_MEMORY} has {space.free / 2**20:.0f} of {space.total / 2**20:.0f} MiB free."
        )
    first = str(error).splitlines()[0]
    return (
        f"a worker process of the data loader died: {first}.{free} It ran out of memory or shared "
        "memory, or was killed. Use fewer workers (data.workers_per_gpu), or give the container "
        "more shared memory (docker run --shm-size=8g, or --ipc=host)"
    )
