"""DvcliveLoggerHook: curves for DVC."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvcore.errors import requires
from cvcore.runner.hooks.logger.tracker import TrackerHook
from cvcore.runner.registry import HOOKS

if TYPE_CHECKING:
    from cvcore.runner.base_runner import BaseRunner


@HOOKS.register_module()
class DvcliveLoggerHook(TrackerHook):
    """Writes every number of the log as a metric of DVCLive.

    Args:
        model_file: Write a checkpoint there after every report of a training epoch, and hand it to
            DVC as an artifact.
        interval: See LoggerHook.
        ignore_last: See LoggerHook.
        reset_flag: See LoggerHook.
        by_epoch: See LoggerHook.
        dvclive: A ``dvclive.Live`` to write to; by default one is made.
        kwargs: Arguments of ``dvclive.Live``, such as ``dir`` and ``save_dvc_exp``.

    Raises:
        MissingExtraError: dvclive is not installed, when the run begins.
    """

    def __init__(
        self,
        model_file: str | Path | None = None,
        interval: int = 10,
        ignore_last: bool = True,
        reset_flag: bool = False,
        by_epoch: bool = True,
        dvclive: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(interval, ignore_last, reset_flag, by_epoch)
        if dvclive is not None and kwargs:
            raise ValueError(f"{', '.join(kwargs)} would make a Live, but dvclive is one already")
        self.model_file = None if model_file is None else Path(model_file)
        self.live = dvclive
        self.arguments = kwargs

    def open(self, runner: BaseRunner) -> None:
        """Make the Live, unless one was given."""
        if self.live is None:
            self.live = requires("dvclive", extra="dvclive").Live(**self.arguments)

    def write(self, runner: BaseRunner, values: Mapping[str, float]) -> None:
        """Write one point of every curve."""
        self.live.step = self.get_step(runner)
        for name, value in values.items():
            self.live.log_metric(name, value)
        self.live.make_summary()

    def after_train_epoch(self, runner: BaseRunner) -> None:
        """Report an evaluation, then write the checkpoint."""
        super().after_train_epoch(runner)
        if self.is_open and self.model_file is not None:
            runner.save_checkpoint(
                self.model_file.parent, self.model_file.name, create_symlink=False
            )
            self.live.log_artifact(str(self.model_file))

    def close(self, runner: BaseRunner) -> None:
        """Finish the Live."""
        self.live.end()
