"""NeptuneLoggerHook: curves for Neptune."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cvcore.errors import requires
from cvcore.runner.hooks.logger.tracker import TrackerHook
from cvcore.runner.registry import HOOKS

if TYPE_CHECKING:
    from cvcore.runner.base_runner import BaseRunner


@HOOKS.register_module()
class NeptuneLoggerHook(TrackerHook):
    """Sends every number of the log to a run of Neptune.

    Args:
        init_kwargs: Arguments of ``neptune.init_run``, such as ``project`` and ``mode='offline'``.
        interval: See LoggerHook.
        ignore_last: See LoggerHook.
        reset_flag: See LoggerHook.
        with_step: Give the iteration (of an evaluation, the epoch) as the place on the time axis.
        by_epoch: See LoggerHook.

    Raises:
        MissingExtraError: neptune is not installed, when the run begins.
    """

    def __init__(
        self,
        init_kwargs: Mapping[str, Any] | None = None,
        interval: int = 10,
        ignore_last: bool = True,
        reset_flag: bool = True,
        with_step: bool = True,
        by_epoch: bool = True,
    ) -> None:
        super().__init__(interval, ignore_last, reset_flag, by_epoch)
        self.init_kwargs = dict(init_kwargs or {})
        self.with_step = with_step
        self.run: Any = None

    def open(self, runner: BaseRunner) -> None:
        """Begin a run."""
        self.run = requires("neptune", extra="neptune").init_run(**self.init_kwargs)

    def write(self, runner: BaseRunner, values: Mapping[str, float]) -> None:
        """Send one point of every curve."""
        place = {"step": self.get_step(runner)} if self.with_step else {}
        for name, value in values.items():
            self.run[name].append(value, **place)

    def close(self, runner: BaseRunner) -> None:
        """End the run."""
        self.run.stop()
