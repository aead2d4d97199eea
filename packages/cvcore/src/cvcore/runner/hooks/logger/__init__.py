"""Hooks that report: on the terminal and in the log, as lines of JSON, to tensorboard."""

from __future__ import annotations

from cvcore.runner.hooks.logger.base import LoggerHook
from cvcore.runner.hooks.logger.tensorboard import TensorboardLoggerHook
from cvcore.runner.hooks.logger.text import TextLoggerHook

__all__ = ["LoggerHook", "TensorboardLoggerHook", "TextLoggerHook"]
