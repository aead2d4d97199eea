"""LoggerHook: when to report, and what."""

from __future__ import annotations

import numbers
from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from cvcore.runner.hook import Hook

if TYPE_CHECKING:
    from cvcore.runner.base_runner import BaseRunner


class LoggerHook(Hook):
    """Base of everything that reports averages of the log: a subclass says how, in :meth:`log`.

    Args:
        interval: Iterations between reports.
        ignore_last: Leave out the iterations of an epoch that come after its last whole interval.
        reset_flag: Forget the log's output after reporting. The runner sees to it that the last
            of several loggers does.
        by_epoch: Whether the run goes by epochs.
    """

    def __init__(
        self,
        interval: int = 10,
        ignore_last: bool = True,
        reset_flag: bool = False,
        by_epoch: bool = True,
    ) -> None:
        self.interval = interval
        self.ignore_last = ignore_last
        self.reset_flag = reset_flag
        self.by_epoch = by_epoch

    @abstractmethod
    def log(self, runner: BaseRunner) -> Any:
        """Report what is in ``runner.log_buffer.output``."""

    @staticmethod
    def is_scalar(val: Any, include_np: bool = True, include_torch: bool = True) -> bool:
        """Whether a value is one number.

        Args:
            val: The value.
            include_np: Count numpy arrays without dimensions.
            include_torch: Count tensors of one element.
        """
        if isinstance(val, numbers.Number):
            return True
        if include_np and isinstance(val, np.ndarray) and val.ndim == 0:
            return True
        return bool(include_torch and isinstance(val, torch.Tensor) and val.numel() == 1)

    def get_mode(self, runner: BaseRunner) -> str:
        """``'train'``, or ``'val'``, which also stands for an evaluation during training."""
        if runner.mode == "train":
            return "train" if "time" in runner.log_buffer.output else "val"
        if runner.mode == "val":
            return "val"
        raise ValueError(f"a run's mode is 'train' or 'val', not {runner.mode!r}")

    def get_epoch(self, runner: BaseRunner) -> int:
        """Number of the epoch, from 1. A validation epoch has that of the training before it."""
        if runner.mode == "train":
            return runner.epoch + 1
        if runner.mode == "val":
            return runner.epoch
        raise ValueError(f"a run's mode is 'train' or 'val', not {runner.mode!r}")

    def get_iter(self, runner: BaseRunner, inner_iter: bool = False) -> int:
        """Number of the iteration, from 1; of its epoch if asked for and the run goes by epochs."""
        if self.by_epoch and inner_iter:
            return runner.inner_iter + 1
        return runner.iter + 1

    def get_step(self, runner: BaseRunner) -> int:
        """The place of a report on the time axis: epochs for validation, else iterations."""
        if self.get_mode(runner) == "val" and self.by_epoch:
            return self.get_epoch(runner)
        return self.get_iter(runner)

    def get_lr_tags(self, runner: BaseRunner) -> dict[str, float]:
        """The first group's learning rate, by optimizer where there are several."""
        return _first_of_each(runner.current_lr(), "learning_rate")

    def get_momentum_tags(self, runner: BaseRunner) -> dict[str, float]:
        """The first group's momentum, likewise."""
        return _first_of_each(runner.current_momentum(), "momentum")

    def get_loggable_tags(
        self,
        runner: BaseRunner,
        allow_scalar: bool = True,
        allow_text: bool = False,
        add_mode: bool = True,
        tags_to_skip: Sequence[str] = ("time", "data_time"),
    ) -> dict[str, Any]:
        """Names and values for loggers that draw curves.

        Args:
            runner: The run.
            allow_scalar: Keep numbers.
            allow_text: Keep texts.
            add_mode: Put ``train/`` or ``val/`` in front.
            tags_to_skip: Names to leave out.
        """
        tags: dict[str, Any] = {}
        mode = self.get_mode(runner)
        for name, value in runner.log_buffer.output.items():
            wanted = (allow_scalar and self.is_scalar(value)) or (
                allow_text and isinstance(value, str)
            )
            if wanted and name not in tags_to_skip:
                tags[f"{mode}/{name}" if add_mode else name] = value
        return {**tags, **self.get_lr_tags(runner), **self.get_momentum_tags(runner)}

    def before_run(self, runner: BaseRunner) -> None:
        """Let the last of all loggers clear the output."""
        loggers = [hook for hook in runner.hooks if isinstance(hook, LoggerHook)]
        if loggers:
            loggers[-1].reset_flag = True

    def before_epoch(self, runner: BaseRunner) -> None:
        """Forget the epoch before."""
        runner.log_buffer.clear()

    def after_train_iter(self, runner: BaseRunner) -> None:
        """Report, if it is time."""
        every = self.every_n_inner_iters if self.by_epoch else self.every_n_iters
        rest = self.end_of_epoch(runner) and not self.ignore_last
        if every(runner, self.interval) or rest:
            runner.log_buffer.average(self.interval)
        self._report(runner)

    def after_train_epoch(self, runner: BaseRunner) -> None:
        """Report what an evaluation has put into the output."""
        self._report(runner)

    def after_val_epoch(self, runner: BaseRunner) -> None:
        """Report the averages of the epoch."""
        runner.log_buffer.average()
        self._report(runner)

    def _report(self, runner: BaseRunner) -> None:
        if runner.log_buffer.ready:
            self.log(runner)
            if self.reset_flag:
                runner.log_buffer.clear_output()


def _first_of_each(values: list[float] | dict[str, list[float]], name: str) -> dict[str, float]:
    if isinstance(values, dict):
        return {f"{name}/{optimizer}": each[0] for optimizer, each in values.items()}
    return {name: values[0]}
