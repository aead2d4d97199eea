"""TensorboardLoggerHook: curves for tensorboard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvcore.dist import is_main
from cvcore.errors import requires
from cvcore.runner.hooks.logger.base import LoggerHook
from cvcore.runner.registry import HOOKS

if TYPE_CHECKING:
    from cvcore.runner.base_runner import BaseRunner


@HOOKS.register_module()
class TensorboardLoggerHook(LoggerHook):
    """Writes every number of the log as a curve, and texts as texts.

    Args:
        log_dir: Folder of the event files; ``tf_logs`` in the work dir by default.
        interval: See LoggerHook.
        ignore_last: See LoggerHook.
        reset_flag: See LoggerHook.
        by_epoch: See LoggerHook.

    Raises:
        MissingExtraError: tensorboard is not installed, when the run begins.
    """

    def __init__(
        self,
        log_dir: str | Path | None = None,
        interval: int = 10,
        ignore_last: bool = True,
        reset_flag: bool = False,
        by_epoch: bool = True,
    ) -> None:
        super().__init__(interval, ignore_last, reset_flag, by_epoch)
        self.log_dir = log_dir
        self.writer: Any = None

    def before_run(self, runner: BaseRunner) -> None:
        """Open the event file."""
        super().before_run(runner)
        if not is_main():
            return
        requires("tensorboard", extra="tensorboard")
        from torch.utils.tensorboard import SummaryWriter

        folder = self.log_dir or Path(runner.work_dir or ".") / "tf_logs"
        self.writer = SummaryWriter(str(folder))

    def log(self, runner: BaseRunner) -> None:
        """Write one point of every curve."""
        if self.writer is None:
            return
        step = self.get_step(runner)
        for tag, value in self.get_loggable_tags(runner, allow_text=True).items():
            if isinstance(value, str):
                self.writer.add_text(tag, value, step)
            else:
                self.writer.add_scalar(tag, value, step)

    def after_run(self, runner: BaseRunner) -> None:
        """Close the event file."""
        if self.writer is not None:
            self.writer.close()
