"""Where the time and the memory of a run go."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import profiler

from cvcore.errors import hint, requires
from cvcore.runner.hook import Hook
from cvcore.runner.registry import HOOKS

if TYPE_CHECKING:
    from cvcore.runner.base_runner import BaseRunner


@HOOKS.register_module()
class IterTimerHook(Hook):
    """Logs ``data_time``, the wait for a batch, and ``time``, the whole iteration, in seconds."""

    def before_epoch(self, runner: BaseRunner) -> None:
        """Start the clock."""
        self.start = time.perf_counter()

    def before_iter(self, runner: BaseRunner) -> None:
        """The batch is there."""
        runner.log_buffer.update({"data_time": time.perf_counter() - self.start})

    def after_iter(self, runner: BaseRunner) -> None:
        """The iteration is over, and the next one begins."""
        now = time.perf_counter()
        runner.log_buffer.update({"time": now - self.start})
        self.start = now


@HOOKS.register_module()
class EmptyCacheHook(Hook):
    """Gives CUDA memory that is cached but unused back to the device.

    Args:
        before_epoch: Before every epoch.
        after_epoch: After every epoch.
        after_iter: After every iteration.
    """

    def __init__(
        self, before_epoch: bool = False, after_epoch: bool = True, after_iter: bool = False
    ) -> None:
        self._before_epoch = before_epoch
        self._after_epoch = after_epoch
        self._after_iter = after_iter

    def after_iter(self, runner: BaseRunner) -> None:
        """Give back after an iteration."""
        if self._after_iter:
            torch.cuda.empty_cache()

    def before_epoch(self, runner: BaseRunner) -> None:
        """Give back before an epoch."""
        if self._before_epoch:
            torch.cuda.empty_cache()

    def after_epoch(self, runner: BaseRunner) -> None:
        """Give back after an epoch."""
        if self._after_epoch:
            torch.cuda.empty_cache()


@HOOKS.register_module()
class ProfilerHook(Hook):
    """Runs torch's profiler over the first epochs or iterations.

    Args:
        by_epoch: ``profile_iters`` counts epochs.
        profile_iters: How long to profile.
        activities: ``'cpu'``, ``'cuda'`` or both.
        schedule: Arguments of ``torch.profiler.schedule``; None records everything.
        on_trace_ready: A function of the profiler, or ``dict(type='log_trace', sort_by=...,
            row_limit=...)``, which logs a table, or ``dict(type='tb_trace', dir_name=...)``, which
            writes for tensorboard.
        record_shapes: As in ``torch.profiler.profile``.
        profile_memory: As there.
        with_stack: As there.
        with_flops: As there.
        json_trace_path: Write a Chrome trace there at the end.
    """

    def __init__(
        self,
        by_epoch: bool = True,
        profile_iters: int = 1,
        activities: Sequence[str] = ("cpu", "cuda"),
        schedule: Mapping[str, Any] | None = None,
        on_trace_ready: Callable[..., Any] | Mapping[str, Any] | None = None,
        record_shapes: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
        with_flops: bool = False,
        json_trace_path: str | None = None,
    ) -> None:
        if profile_iters < 1:
            raise ValueError(f"profile_iters is a number from 1 on, not {profile_iters}")
        known = {"cpu": profiler.ProfilerActivity.CPU, "cuda": profiler.ProfilerActivity.CUDA}
        for name in activities:
            if name.lower() not in known:
                raise ValueError(f"activities are 'cpu' and 'cuda', not {name!r}")
        self.by_epoch = by_epoch
        self.profile_iters = profile_iters
        wanted = [name.lower() for name in activities]
        if not torch.cuda.is_available():
            wanted = ["cpu"]
        self.activities = [known[name] for name in wanted]
        self.schedule = None if schedule is None else profiler.schedule(**schedule)
        self.on_trace_ready = on_trace_ready
        self.options = {
            "record_shapes": record_shapes,
            "profile_memory": profile_memory,
            "with_stack": with_stack,
            "with_flops": with_flops,
        }
        self.json_trace_path = json_trace_path
        self.profiler: Any = None

    def before_run(self, runner: BaseRunner) -> None:
        """Start the profiler."""
        length = (runner.max_epochs if self.by_epoch else runner.max_iters) or 0
        if length < self.profile_iters:
            unit = "epochs" if self.by_epoch else "iterations"
            raise ValueError(
                f"ProfilerHook profiles {self.profile_iters} {unit}, but the run has {length}: "
                "lower profile_iters"
            )
        self.profiler = profiler.profile(
            activities=self.activities,
            schedule=self.schedule,
            on_trace_ready=self._handler(runner),
            **self.options,
        )
        self.profiler.__enter__()
        runner.logger.info("profiling %d", self.profile_iters)

    def _handler(self, runner: BaseRunner) -> Callable[[Any], None] | None:
        ready = self.on_trace_ready
        if ready is None or callable(ready):
            return ready
        arguments = dict(ready)
        kind = arguments.pop("type", None)
        if kind == "log_trace":

            def log_table(profile: Any) -> None:
                options = {"sort_by": "self_cpu_time_total", "row_limit": 10, **arguments}
                runner.logger.info("%s", profile.key_averages().table(**options))

            return log_table
        if kind == "tb_trace":
            requires("tensorboard", extra="tensorboard")
            folder = arguments.pop("dir_name", f"{runner.work_dir}/tf_tracing_logs")
            return profiler.tensorboard_trace_handler(folder, **arguments)
        raise ValueError(
            f"on_trace_ready has type {kind!r}{hint(str(kind), ['log_trace', 'tb_trace'])}; it is "
            "'log_trace' or 'tb_trace'"
        )

    def after_train_epoch(self, runner: BaseRunner) -> None:
        """Stop, if that was the last epoch to profile."""
        if self.by_epoch and runner.epoch == self.profile_iters - 1:
            self._stop(runner)

    def after_train_iter(self, runner: BaseRunner) -> None:
        """Tell the profiler that a step is over; stop if it was the last to profile."""
        if self.profiler is None:
            return
        self.profiler.step()
        if not self.by_epoch and runner.iter == self.profile_iters - 1:
            self._stop(runner)

    def after_run(self, runner: BaseRunner) -> None:
        """Stop, if a run that was resumed late never came to the epoch or iteration."""
        if self.profiler is not None:
            self._stop(runner)

    def _stop(self, runner: BaseRunner) -> None:
        self.profiler.__exit__(None, None, None)
        if self.json_trace_path is not None:
            self.profiler.export_chrome_trace(self.json_trace_path)
        self.profiler = None
        runner.logger.info("profiled; the rest of the run goes on without the profiler")
