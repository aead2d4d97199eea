"""Keep what an evaluation found of every class."""

from __future__ import annotations

from typing import Any

from cvcore.runner import BaseRunner, Hook
from detcore.evaluation.class_report import write_class_figures


class ClassFiguresHook(Hook):
    """Write the figures of every class to ``WORK_DIR/class_figures.json`` after each evaluation.

    Args:
        dataset: The one that is evaluated, by a hook that runs before this one.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        self._written: dict[str, Any] = {}

    def after_train_epoch(self, runner: BaseRunner) -> None:
        """Write them if an evaluation came before."""
        self._write(runner)

    def after_train_iter(self, runner: BaseRunner) -> None:
        """Write them if an evaluation came before."""
        self._write(runner)

    def _write(self, runner: BaseRunner) -> None:
        found = dict(getattr(self.dataset, "class_figures", {}))
        same = found.keys() == self._written.keys()
        # Each evaluation makes new dicts; equality would not do, since nan differs from itself.
        if runner.work_dir is None or (same and all(found[k] is self._written[k] for k in found)):
            return
        self._written = found
        write_class_figures(
            runner.work_dir, found, epoch=runner.epoch + 1, iteration=runner.iter + 1
        )
