"""Progress bars for loops and for pools of processes, drawn by rich."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing.pool import Pool
from typing import IO, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from cvcore.timer import Timer


class ProgressBar:
    """A line that shows how many tasks are done, how fast, and when the rest will be.

    Args:
        task_num: How many tasks there are; 0 where that is unknown.
        bar_width: Characters of the bar.
        start: Start at once; else :meth:`start` does.
        file: Where the line goes; a file that is no terminal gets it once, at the end.
    """

    def __init__(
        self,
        task_num: int = 0,
        bar_width: int = 50,
        start: bool = True,
        file: IO[str] | None = None,
    ) -> None:
        self.task_num = task_num
        self.bar_width = bar_width
        self.completed = 0
        self.file = file or sys.stdout
        self._progress = Progress(*self._columns(), console=Console(file=self.file))
        self._task = self._progress.add_task("", total=task_num or None, start=False, speed="")
        if start:
            self.start()

    def _columns(self) -> list[Any]:
        speed = TextColumn("{task.fields[speed]}")
        if self.task_num == 0:
            return [SpinnerColumn(), MofNCompleteColumn(), speed, TimeElapsedColumn()]
        return [
            BarColumn(self.bar_width),
            MofNCompleteColumn(),
            speed,
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(),
        ]

    def start(self) -> None:
        """Start the clock and show the bar."""
        self.timer = Timer()
        self._progress.start()
        self._progress.start_task(self._task)

    def update(self, num_tasks: int = 1) -> None:
        """Count tasks as done; the last one ends the bar."""
        if num_tasks <= 0:
            raise ValueError(f"num_tasks must be positive, not {num_tasks}")
        self.completed += num_tasks
        speed = self.completed / max(self.timer.since_start(), 1e-9)
        self._progress.update(self._task, completed=self.completed, speed=f"{speed:.1f} task/s")
        if self.task_num and self.completed >= self.task_num:
            self.stop()

    def stop(self) -> None:
        """End the bar and leave its last state; may be called again."""
        if self._progress.live.is_started:
            self._progress.stop()

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


Tasks = Sequence[Any] | tuple[Iterable[Any], int]


def _count(tasks: Tasks) -> tuple[Iterable[Any], int]:
    """Tasks and their number: of a sequence, or as given in ``(iterable, number)``."""
    if isinstance(tasks, tuple):
        if len(tasks) == 2 and isinstance(tasks[0], Iterable) and isinstance(tasks[1], int):
            return tasks
        raise TypeError("tasks given as a tuple must be (iterable, number)")
    if isinstance(tasks, Iterable) and hasattr(tasks, "__len__"):
        return tasks, len(tasks)
    raise TypeError(f"tasks must be a sequence or (iterable, number), not {type(tasks).__name__}")


def track_progress(
    func: Callable[..., Any],
    tasks: Tasks,
    bar_width: int = 50,
    file: IO[str] | None = None,
    **kwargs: Any,
) -> list[Any]:
    """``[func(task, **kwargs) for task in tasks]`` under a bar."""
    return [func(task, **kwargs) for task in track_iter_progress(tasks, bar_width, file)]


def track_iter_progress(
    tasks: Tasks, bar_width: int = 50, file: IO[str] | None = None
) -> Iterator[Any]:
    """Iterate over tasks under a bar."""
    items, number = _count(tasks)
    with ProgressBar(number, bar_width, file=file) as bar:
        for item in items:
            yield item
            bar.update()


def track_parallel_progress(
    func: Callable[[Any], Any],
    tasks: Tasks,
    nproc: int,
    initializer: Callable[..., None] | None = None,
    initargs: tuple[Any, ...] | None = None,
    bar_width: int = 50,
    chunksize: int = 1,
    skip_first: bool = False,
    keep_order: bool = True,
    file: IO[str] | None = None,
) -> list[Any]:
    """``[func(task) for task in tasks]`` in a pool of processes, under a bar.

    Args:
        func: A function that can be pickled.
        tasks: A sequence, or an iterable and the number of its items.
        nproc: How many processes.
        initializer: Called once in every process.
        initargs: Its arguments.
        bar_width: Characters of the bar.
        chunksize: Tasks handed to a process at a time.
        skip_first: Leave the first chunk of every process out of the clock, where starting up is
            slow.
        keep_order: Results in the order of the tasks; else as they are done.
        file: Where the bar goes.
    """
    items, number = _count(tasks)
    warm_up = min(nproc * chunksize, number) if skip_first else 0
    results: list[Any] = []
    with _pool(nproc, initializer, initargs) as pool:
        bar = ProgressBar(number - warm_up, bar_width, start=warm_up == 0, file=file)
        walk = pool.imap if keep_order else pool.imap_unordered
        try:
            for result in walk(func, items, chunksize):
                results.append(result)
                if len(results) > warm_up:
                    bar.update()
                elif len(results) == warm_up:
                    bar.start()
        finally:
            bar.stop()
        pool.close()
        pool.join()
    return results


def _pool(
    nproc: int, initializer: Callable[..., None] | None, initargs: tuple[Any, ...] | None
) -> Pool:
    if initargs is not None and not isinstance(initargs, tuple):
        raise TypeError("initargs must be a tuple")
    return multiprocessing.Pool(nproc, initializer, initargs or ())
