"""MemoryProfilerHook: what a run takes of the machine's memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvcore.errors import requires
from cvcore.runner.hook import Hook
from cvcore.runner.registry import HOOKS

if TYPE_CHECKING:
    from cvcore.runner.base_runner import BaseRunner

MEGABYTE = 2**20


@HOOKS.register_module()
class MemoryProfilerHook(Hook):
    """Logs the memory of the machine, of this process and of its loader workers, in MB.

    Args:
        interval: Iterations between reports.

    Raises:
        MissingExtraError: psutil is not installed, when the run begins.
    """

    def __init__(self, interval: int = 50) -> None:
        self.interval = interval
        self._psutil: Any = None
        self._process: Any = None

    def before_run(self, runner: BaseRunner) -> None:
        """Find this process."""
        self._psutil = requires("psutil", extra="memory")
        self._process = self._psutil.Process()

    def after_iter(self, runner: BaseRunner) -> None:
        """Report, if it is time."""
        if not self.every_n_iters(runner, self.interval):
            return
        memory, swap = self._psutil.virtual_memory(), self._psutil.swap_memory()
        runner.logger.info(
            "memory: available %d MB, used %d MB (%.1f %%); swap: free %d MB, used %d MB "
            "(%.1f %%); this process %d MB, its workers %d MB",
            memory.available // MEGABYTE,
            memory.used // MEGABYTE,
            memory.percent,
            swap.free // MEGABYTE,
            swap.used // MEGABYTE,
            swap.percent,
            self._process.memory_info().rss // MEGABYTE,
            self._of_workers() // MEGABYTE,
        )

    def _of_workers(self) -> int:
        """Bytes of the processes that this one has started."""
        total = 0
        for worker in self._process.children(recursive=True):
            try:
                total += worker.memory_info().rss
            except self._psutil.Error:  # it ended meanwhile
                continue
        return total
