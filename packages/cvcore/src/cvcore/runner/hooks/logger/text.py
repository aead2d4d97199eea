"""TextLoggerHook: the lines of the log, their counterpart in JSON, and a live line."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import distributed

from cvcore.dist import is_distributed, is_main
from cvcore.fileio import FileClient, scandir
from cvcore.log import FILE_ONLY
from cvcore.runner.hooks.logger.base import LoggerHook
from cvcore.runner.hooks.logger.live_line import LiveLine
from cvcore.runner.hooks.logger.metrics_file import MetricsFile
from cvcore.runner.info import get_time_str
from cvcore.runner.registry import HOOKS

if TYPE_CHECKING:
    from cvcore.runner.base_runner import BaseRunner

METRICS = "metrics.jsonl"
MEGABYTE = 2**20
# Stand at the beginning of a line, in their own form.
PLACED = ("mode", "epoch", "iter", "step", "lr", "time", "data_time", "memory")


@HOOKS.register_module()
class TextLoggerHook(LoggerHook):
    """Reports as text through the run's logger, and as JSON in ``metrics.jsonl`` of the work dir.

    On a terminal a line below the log shows the progress of the epoch.

    Args:
        by_epoch: See LoggerHook.
        interval: See LoggerHook.
        ignore_last: See LoggerHook.
        reset_flag: See LoggerHook.
        interval_exp_name: Log the name of the experiment every so many iterations.
        out_dir: Copy the logs to a folder in there, named like the work dir, after the run.
        out_suffix: Endings of the files to copy.
        keep_local: Keep them in the work dir too.
        file_client_args: Storage of ``out_dir``, if its address does not tell.
    """

    def __init__(
        self,
        by_epoch: bool = True,
        interval: int = 10,
        ignore_last: bool = True,
        reset_flag: bool = False,
        interval_exp_name: int = 1000,
        out_dir: str | None = None,
        out_suffix: str | Sequence[str] = (".log.json", ".log", ".py", METRICS),
        keep_local: bool = True,
        file_client_args: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(interval, ignore_last, reset_flag, by_epoch)
        if out_dir is None and file_client_args is not None:
            raise ValueError("file_client_args says where out_dir lies, so it needs out_dir")
        self.interval_exp_name = interval_exp_name
        self.out_dir = out_dir
        self.out_suffix = (out_suffix,) if isinstance(out_suffix, str) else tuple(out_suffix)
        self.keep_local = keep_local
        self.file_client_args = file_client_args
        self.start_iter = 0
        self.time_sec_tot = 0.0
        self.started = 0.0
        self.json_log_path: str | None = None
        self._metrics: MetricsFile | None = None
        self._live: LiveLine | None = None

    def before_run(self, runner: BaseRunner) -> None:
        """Open the file and the line."""
        super().before_run(runner)
        self.start_iter = runner.iter
        self.time_sec_tot = 0.0
        self.started = time.monotonic()
        if not is_main():
            return
        if runner.work_dir is not None:
            path = Path(runner.work_dir) / METRICS
            aside = f"metrics_before_{runner.timestamp or get_time_str()}.jsonl"
            self._metrics = MetricsFile(path, runner.iter, aside)
            self.json_log_path = str(path)
        self._live = LiveLine()
        self._live.attach(runner.logger)

    def after_train_iter(self, runner: BaseRunner) -> None:
        """Report, if it is time, and move the line on."""
        super().after_train_iter(runner)
        if self._live is None or not self._live.enabled:
            return
        if self.end_of_epoch(runner) or self.is_last_iter(runner):
            self._live.clear()
        elif self.by_epoch:
            text = f"epoch {runner.epoch + 1}/{runner.max_epochs} {self._live_text(runner)}"
            self._live.show(runner.inner_iter + 1, len(runner.data_loader), text)
        else:
            self._live.show(runner.iter + 1, runner.max_iters or 0, self._live_text(runner))

    def _live_text(self, runner: BaseRunner) -> str:
        """The time left, by the mean of this run so far, and the newest losses."""
        done = runner.iter + 1 - self.start_iter
        remaining = max((runner.max_iters or 0) - runner.iter - 1, 0)
        seconds = (time.monotonic() - self.started) / max(done, 1) * remaining
        return f"eta {timedelta(seconds=int(seconds))} {_loss_text(runner)}"

    def log(self, runner: BaseRunner) -> dict[str, Any]:
        """Write one report; returns it."""
        output = runner.log_buffer.output
        # An evaluation says how many batches it had.
        number = output.pop("eval_iter_num", None) or self.get_iter(runner, inner_iter=True)
        report: dict[str, Any] = {
            "mode": self.get_mode(runner),
            "epoch": self.get_epoch(runner),
            "iter": number,
        }
        lrs = runner.current_lr()
        report["lr"] = (
            {name: each[0] for name, each in lrs.items()} if isinstance(lrs, dict) else lrs[0]
        )
        if "time" in output and torch.cuda.is_available():
            report["memory"] = self._get_max_memory(runner)
        report.update(output)
        report["step"] = runner.iter + (runner.moment == "after_train_iter")
        if is_main():
            self._write_line(report, runner)
            if self._metrics is not None:
                self._metrics.append(report)
        return report

    def _get_max_memory(self, runner: BaseRunner) -> int:
        """Largest memory that a rank has allocated so far, in MB."""
        device = getattr(runner.model, "output_device", None)
        allocated = torch.cuda.max_memory_allocated(device=device) // MEGABYTE
        if not is_distributed():
            return int(allocated)
        value = torch.tensor([int(allocated)], dtype=torch.int, device="cuda")
        distributed.reduce(value, 0, op=distributed.ReduceOp.MAX)
        return int(value.item())

    def _write_line(self, report: Mapping[str, Any], runner: BaseRunner) -> None:
        if runner.meta is not None and "exp_name" in runner.meta:
            due = self.every_n_iters(runner, self.interval_exp_name)
            if due or (self.by_epoch and self.end_of_epoch(runner)):
                runner.logger.info("Exp name: %s", runner.meta["exp_name"], extra=FILE_ONLY)
        if report["mode"] == "train":
            text = self._train_head(report, runner)
        elif self.by_epoch:
            text = f"Epoch({report['mode']}) [{report['epoch']}][{report['iter']}]\t"
        else:
            text = f"Iter({report['mode']}) [{report['iter']}]\t"
        items = [f"{k}: {_format(value)}" for k, value in report.items() if k not in PLACED]
        runner.logger.info("%s%s", text, ", ".join(items))

    def _train_head(self, report: Mapping[str, Any], runner: BaseRunner) -> str:
        lr = report["lr"]
        rates = {"lr": lr} if isinstance(lr, float) else {f"lr_{k}": v for k, v in lr.items()}
        rate_text = " ".join(f"{name}: {value:.3e}" for name, value in rates.items())
        if self.by_epoch:
            place = f"Epoch [{report['epoch']}][{report['iter']}/{len(runner.data_loader)}]"
        else:
            place = f"Iter [{report['iter']}/{runner.max_iters}]"
        text = f"{place}\t{rate_text}, "
        if "time" in report:
            self.time_sec_tot += report["time"] * self.interval
            per_iter = self.time_sec_tot / (runner.iter - self.start_iter + 1)
            remaining = per_iter * ((runner.max_iters or 0) - runner.iter - 1)
            text += f"eta: {timedelta(seconds=int(remaining))}, time: {report['time']:.3f}, "
            text += f"data_time: {report['data_time']:.3f}, " if "data_time" in report else ""
            text += f"memory: {report['memory']}, " if "memory" in report else ""
        return text

    def after_run(self, runner: BaseRunner) -> None:
        """Take the line away, and copy the logs if asked to."""
        if self._live is not None:
            self._live.detach()
        if self.out_dir is None or runner.work_dir is None or not is_main():
            return
        arguments = None if self.file_client_args is None else dict(self.file_client_args)
        client = FileClient.infer_client(arguments, self.out_dir)
        for name in sorted(scandir(runner.work_dir, self.out_suffix, recursive=True)):
            source = Path(runner.work_dir) / name
            target = client.join_path(self.out_dir, Path(runner.work_dir).name, name)
            client.put(source.read_bytes(), target)
            if not self.keep_local:
                source.unlink()
            runner.logger.info("copied %s to %s", source, target)


def _format(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, (float, np.floating)) else str(value)


def _loss_text(runner: BaseRunner) -> str:
    """Such as ``loss 0.82 cls 0.31 bbox 0.51``."""
    newest = {name: values[-1] for name, values in runner.log_buffer.val_history.items() if values}
    parts = [f"loss {newest['loss']:.4g}"] if "loss" in newest else []
    parts += [
        f"{name.removeprefix('loss_')} {value:.3g}"
        for name, value in newest.items()
        if name.startswith("loss_")
    ]
    return " ".join(parts)
