"""WandbLoggerHook: curves and logs for Weights & Biases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvcore.errors import requires
from cvcore.fileio import scandir
from cvcore.runner.hooks.logger.tracker import TrackerHook
from cvcore.runner.registry import HOOKS

if TYPE_CHECKING:
    from cvcore.runner.base_runner import BaseRunner


@HOOKS.register_module()
class WandbLoggerHook(TrackerHook):
    """Sends every number of the log to Weights & Biases, and the logs themselves after the run.

    Args:
        init_kwargs: Arguments of ``wandb.init``, such as ``project`` and ``mode='offline'``; files
            go to the work dir unless ``dir`` says otherwise.
        interval: See LoggerHook.
        ignore_last: See LoggerHook.
        reset_flag: See LoggerHook.
        commit: Finish a row of the table with every report. With ``with_step`` a row is finished
            by the next step, so that an evaluation joins the row of its iteration.
        by_epoch: See LoggerHook.
        with_step: Give the iteration as wandb's own step, which may not fall; without it the
            iteration is the column ``global_step``.
        log_artifact: Upload the logs when the run is over.
        out_suffix: Endings of the files to upload.
        define_metric_cfg: Name of a curve to what its summary is: ``{'val/bbox_mAP': 'max'}``.

    Raises:
        MissingExtraError: wandb is not installed, when the run begins.
    """

    def __init__(
        self,
        init_kwargs: Mapping[str, Any] | None = None,
        interval: int = 10,
        ignore_last: bool = True,
        reset_flag: bool = False,
        commit: bool = True,
        by_epoch: bool = True,
        with_step: bool = True,
        log_artifact: bool = True,
        out_suffix: str | Sequence[str] = (".log.json", ".log", ".py", ".jsonl"),
        define_metric_cfg: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(interval, ignore_last, reset_flag, by_epoch)
        self.init_kwargs = dict(init_kwargs or {})
        self.commit = commit
        self.with_step = with_step
        self.log_artifact = log_artifact
        self.out_suffix = (out_suffix,) if isinstance(out_suffix, str) else tuple(out_suffix)
        self.define_metric_cfg = dict(define_metric_cfg or {})
        self.wandb: Any = None
        self.run: Any = None

    def open(self, runner: BaseRunner) -> None:
        """Begin a run."""
        self.wandb = requires("wandb", extra="wandb")
        self.run = self.wandb.init(**{"dir": runner.work_dir, **self.init_kwargs})
        for name, summary in self.define_metric_cfg.items():
            self.run.define_metric(name, summary=summary)

    def write(self, runner: BaseRunner, values: Mapping[str, float]) -> None:
        """Send one row."""
        step = runner.iter + (runner.moment == "after_train_iter")
        if self.with_step:
            self.run.log(dict(values), step=step)
        else:
            self.run.log({**values, "global_step": step}, commit=self.commit)

    def close(self, runner: BaseRunner) -> None:
        """Upload the logs and end the run."""
        if self.log_artifact and runner.work_dir is not None:
            artifact = self.wandb.Artifact(name=f"logs-{self.run.id}", type="logs")
            for name in scandir(runner.work_dir, self.out_suffix):
                artifact.add_file(str(Path(runner.work_dir) / name))
            self.run.log_artifact(artifact)
        self.run.finish()
