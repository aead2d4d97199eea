"""MlflowLoggerHook: curves and weights for MLflow."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvcore.errors import requires
from cvcore.runner.checkpoint import save_checkpoint
from cvcore.runner.hooks.logger.tracker import TrackerHook
from cvcore.runner.registry import HOOKS

if TYPE_CHECKING:
    from cvcore.runner.base_runner import BaseRunner


@HOOKS.register_module()
class MlflowLoggerHook(TrackerHook):
    """Sends every number of the log to the MLflow server of ``MLFLOW_TRACKING_URI``.

    Args:
        exp_name: Experiment that the run belongs to; made if there is none of that name.
        tags: Tags of the run.
        params: Parameters of the run.
        log_model: Upload the weights when the run is over, as ``models/model.pth``.
        interval: See LoggerHook.
        ignore_last: See LoggerHook.
        reset_flag: See LoggerHook.
        by_epoch: See LoggerHook.

    Raises:
        MissingExtraError: mlflow is not installed, when the run begins.
    """

    def __init__(
        self,
        exp_name: str | None = None,
        tags: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        log_model: bool = True,
        interval: int = 10,
        ignore_last: bool = True,
        reset_flag: bool = False,
        by_epoch: bool = True,
    ) -> None:
        super().__init__(interval, ignore_last, reset_flag, by_epoch)
        self.exp_name = exp_name
        self.tags = tags
        self.params = params
        self.log_model = log_model
        self.mlflow: Any = None

    def open(self, runner: BaseRunner) -> None:
        """Begin a run."""
        self.mlflow = requires("mlflow", extra="mlflow")
        if self.exp_name is not None:
            self.mlflow.set_experiment(self.exp_name)
        if self.mlflow.active_run() is None:
            self.mlflow.start_run()
        if self.tags is not None:
            self.mlflow.set_tags(dict(self.tags))
        if self.params is not None:
            self.mlflow.log_params(dict(self.params))

    def write(self, runner: BaseRunner, values: Mapping[str, float]) -> None:
        """Send one point of every curve."""
        self.mlflow.log_metrics(dict(values), step=self.get_step(runner))

    def close(self, runner: BaseRunner) -> None:
        """Upload the weights and end the run."""
        if self.log_model:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "model.pth"
                save_checkpoint(runner.model, path, meta=runner.meta)
                self.mlflow.log_artifact(str(path), "models")
        self.mlflow.end_run()
