"""Hooks that report: on the terminal and in the log, as lines of JSON, to experiment trackers."""

from __future__ import annotations

from cvcore.runner.hooks.logger.base import LoggerHook
from cvcore.runner.hooks.logger.clearml import ClearMLLoggerHook
from cvcore.runner.hooks.logger.dvclive import DvcliveLoggerHook
from cvcore.runner.hooks.logger.mlflow import MlflowLoggerHook
from cvcore.runner.hooks.logger.neptune import NeptuneLoggerHook
from cvcore.runner.hooks.logger.tensorboard import TensorboardLoggerHook
from cvcore.runner.hooks.logger.text import TextLoggerHook
from cvcore.runner.hooks.logger.tracker import TrackerHook
from cvcore.runner.hooks.logger.wandb import WandbLoggerHook

__all__ = [
    "ClearMLLoggerHook",
    "DvcliveLoggerHook",
    "LoggerHook",
    "MlflowLoggerHook",
    "NeptuneLoggerHook",
    "TensorboardLoggerHook",
    "TextLoggerHook",
    "TrackerHook",
    "WandbLoggerHook",
]
