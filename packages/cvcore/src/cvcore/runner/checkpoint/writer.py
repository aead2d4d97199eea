"""Writing checkpoints at once, or beside the training in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch

Task = Callable[[], None]


class CheckpointWriter:
    """Does what has to do with files, in order: write one, then point to it, then remove another.

    Attributes:
        background: Do it in a thread, which keeps one copy of the weights in memory meanwhile.
            A task that fails keeps those behind it from being done, and its error is raised by
            the next call.
    """

    def __init__(self) -> None:
        self.background = False
        self._pool: ThreadPoolExecutor | None = None
        self._pending: list[Future[None]] = []

    def run(self, task: Task) -> None:
        """Do ``task``, or let it be done once those before it are."""
        if not self.background:
            self.close()
            task()
            return
        if self._pool is None:
            # Its thread is joined when the interpreter ends, so that nothing is lost by a crash.
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        before = list(self._pending)
        self._pending.append(self._pool.submit(_after, before, task))

    def wait(self) -> None:
        """Until everything is on the disk; raises what went wrong.

        Raises:
            CheckpointError: A file could not be written.
        """
        pending, self._pending = self._pending, []
        for future in pending:
            future.result()

    def close(self) -> None:
        """As :meth:`wait`, and give the thread back."""
        try:
            self.wait()
        finally:
            if self._pool is not None:
                self._pool.shutdown()
                self._pool = None


def _after(before: list[Future[None]], task: Task) -> None:
    # One thread does them in order, so that all of them are done; a failed one raises here.
    for future in before:
        future.result()
    task()


def snapshot(value: Any) -> Any:
    """A copy, on the CPU, of every tensor in ``value``, which may then change or be freed."""
    if isinstance(value, torch.Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, Mapping):
        copied = type(value)((key, snapshot(item)) for key, item in value.items())  # type: ignore[call-arg]
        if hasattr(value, "_metadata"):
            copied._metadata = value._metadata  # type: ignore[attr-defined]
        return copied
    if isinstance(value, (list, tuple)):
        return type(value)(snapshot(item) for item in value)
    return value
