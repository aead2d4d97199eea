"""TrackerHook: what loggers that send curves to an experiment tracker share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cvcore.dist import is_main
from cvcore.runner.hooks.logger.base import LoggerHook

if TYPE_CHECKING:
    from cvcore.runner.base_runner import BaseRunner


class TrackerHook(LoggerHook):
    """Base of loggers that open a tracker on rank 0, write numbers to it, and close it.

    Args:
        interval: See LoggerHook.
        ignore_last: See LoggerHook.
        reset_flag: See LoggerHook.
        by_epoch: See LoggerHook.
    """

    def __init__(
        self,
        interval: int = 10,
        ignore_last: bool = True,
        reset_flag: bool = False,
        by_epoch: bool = True,
    ) -> None:
        super().__init__(interval, ignore_last, reset_flag, by_epoch)
        self.is_open = False

    @abstractmethod
    def open(self, runner: BaseRunner) -> None:
        """Begin a run at the tracker."""

    @abstractmethod
    def write(self, runner: BaseRunner, values: Mapping[str, float]) -> None:
        """Send one report."""

    @abstractmethod
    def close(self, runner: BaseRunner) -> None:
        """End the run at the tracker."""

    def before_run(self, runner: BaseRunner) -> None:
        """Open the tracker."""
        super().before_run(runner)
        if is_main():
            self.open(runner)
            self.is_open = True

    def log(self, runner: BaseRunner) -> None:
        """Send every number of the log."""
        if self.is_open:
            tags = self.get_loggable_tags(runner)
            self.write(runner, {name: float(value) for name, value in tags.items()})

    def after_run(self, runner: BaseRunner) -> None:
        """Close the tracker."""
        if self.is_open:
            self.is_open = False
            self.close(runner)
