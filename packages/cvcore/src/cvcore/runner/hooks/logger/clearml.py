"""ClearMLLoggerHook: curves for ClearML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cvcore.errors import requires
from cvcore.runner.hooks.logger.tracker import TrackerHook
from cvcore.runner.registry import HOOKS

if TYPE_CHECKING:
    from cvcore.runner.base_runner import BaseRunner


@HOOKS.register_module()
class ClearMLLoggerHook(TrackerHook):
    """Sends every number of the log to a task of ClearML.

    Args:
        init_kwargs: Arguments of ``clearml.Task.init``, such as ``project_name`` and ``task_name``.
        interval: See LoggerHook.
        ignore_last: See LoggerHook.
        reset_flag: See LoggerHook.
        by_epoch: See LoggerHook.

    Raises:
        MissingExtraError: clearml is not installed, when the run begins.
    """

    def __init__(
        self,
        init_kwargs: Mapping[str, Any] | None = None,
        interval: int = 10,
        ignore_last: bool = True,
        reset_flag: bool = False,
        by_epoch: bool = True,
    ) -> None:
        super().__init__(interval, ignore_last, reset_flag, by_epoch)
        self.init_kwargs = dict(init_kwargs or {})
        self.task: Any = None
        self.task_logger: Any = None

    def open(self, runner: BaseRunner) -> None:
        """Begin a task."""
        self.task = requires("clearml", extra="clearml").Task.init(**self.init_kwargs)
        self.task_logger = self.task.get_logger()

    def write(self, runner: BaseRunner, values: Mapping[str, float]) -> None:
        """Send one point of every curve."""
        step = self.get_step(runner)
        for name, value in values.items():
            self.task_logger.report_scalar(name, name, value=value, iteration=step)

    def close(self, runner: BaseRunner) -> None:
        """End the task."""
        self.task.close()
