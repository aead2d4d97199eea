"""Waiting jobs, taken together: one thread works, any number of threads ask."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from detcore.errors import DetcoreError

Job = TypeVar("Job")
Answer = TypeVar("Answer")


class QueueFullError(DetcoreError):
    """As many jobs wait as are allowed to."""


class ClosedError(DetcoreError):
    """The batcher takes no more jobs."""


@dataclass(slots=True)
class _Waiting(Generic[Job, Answer]):
    job: Job
    future: Future[Answer] = field(default_factory=Future)


class Batcher(Generic[Job, Answer]):
    """Runs jobs in batches, in the order in which they came.

    Args:
        work: Gives one answer a job; called from one thread only.
        batch_size: Jobs in a batch, at most.
        max_wait: Seconds that the first job of a batch waits for others.
        max_queue: Jobs that may wait.
        observe: Told the size of each batch and the seconds that it took.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Job]], Sequence[Answer]],
        *,
        batch_size: int = 1,
        max_wait: float = 0.0,
        max_queue: int = 64,
        observe: Callable[[int, float], None] | None = None,
    ) -> None:
        self._work = work
        self._batch_size = batch_size
        self._max_wait = max_wait
        self._observe = observe
        # None is the last thing that the thread takes; there is always room for it.
        self._queue: queue.Queue[_Waiting[Job, Answer] | None] = queue.Queue()
        self._max_queue = max_queue
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="batcher", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Jobs that wait, not counting those that are being worked on."""
        return self._queue.qsize()

    def submit(self, job: Job) -> Future[Answer]:
        """Put a job into the queue; a future that is cancelled while it waits is left out.

        Raises:
            QueueFullError: Too many wait already.
            ClosedError: :meth:`close` was called.
        """
        waiting: _Waiting[Job, Answer] = _Waiting(job)
        with self._lock:
            if self._closed:
                raise ClosedError("the server is shutting down")
            if self._queue.qsize() >= self._max_queue:
                raise QueueFullError(f"{self._max_queue} requests are waiting already")
            self._queue.put(waiting)
        return waiting.future

    def close(self) -> None:
        """Take no more jobs, finish those that wait, and end the thread."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def _serve(self) -> None:
        last = False
        while not last:
            batch, last = self._gather()
            if batch:
                self._run(batch)

    def _gather(self) -> tuple[list[_Waiting[Job, Answer]], bool]:
        """The next jobs, and whether they are the last."""
        batch: list[_Waiting[Job, Answer]] = []
        deadline: float | None = None
        while len(batch) < self._batch_size:
            try:
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                waiting = self._queue.get(timeout=left)
            except queue.Empty:
                break
            if waiting is None:
                return batch, True
            if waiting.future.set_running_or_notify_cancel():
                batch.append(waiting)
                deadline = deadline or time.monotonic() + self._max_wait
        return batch, False

    def _run(self, batch: Sequence[_Waiting[Job, Answer]]) -> None:
        started = time.perf_counter()
        try:
            answers = self._work([waiting.job for waiting in batch])
        except Exception as error:
            self._after_failure(batch, error)
            return
        if self._observe:
            self._observe(len(batch), time.perf_counter() - started)
        for waiting, answer in zip(batch, answers, strict=True):
            waiting.future.set_result(answer)

    def _after_failure(self, batch: Sequence[_Waiting[Job, Answer]], error: Exception) -> None:
        """Each job by itself, so that one that cannot be done does not take others along."""
        if len(batch) == 1:
            batch[0].future.set_exception(error)
            return
        for waiting in batch:
            self._run([waiting])
