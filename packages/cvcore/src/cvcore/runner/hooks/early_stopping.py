"""EarlyStoppingHook: a run ends once its score does not get better any more."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from cvcore.runner.hook import Hook
from cvcore.runner.hooks.scores import ScoreWatch, check_rule
from cvcore.runner.registry import HOOKS

if TYPE_CHECKING:
    from cvcore.runner.base_runner import BaseRunner

MESSAGE = "early_stopping"


@HOOKS.register_module()
class EarlyStoppingHook(Hook):
    """Ends the run after ``patience`` evaluations without a better score.

    What it has seen is in every checkpoint, so that a resumed run counts on.

    Args:
        monitor: Name of the score, as an evaluation returns it or a validation epoch averages it.
        patience: Evaluations without a better score that are borne.
        min_delta: By how much a score must be better to count.
        rule: ``'greater'`` or ``'less'`` is better; inferred from the name by default.
        stopping_threshold: End the run at once when the score is as good as this.
    """

    def __init__(
        self,
        monitor: str,
        patience: int = 5,
        min_delta: float = 0.0,
        rule: str | None = None,
        stopping_threshold: float | None = None,
    ) -> None:
        if patience < 1:
            raise ValueError(f"patience is a number from 1 on, not {patience}")
        if min_delta < 0:
            raise ValueError(f"min_delta is a number from 0 on, not {min_delta}")
        self.monitor = monitor
        self.patience = patience
        self.min_delta = min_delta
        self.sign = 1.0 if check_rule(monitor, rule) == "greater" else -1.0
        self.stopping_threshold = stopping_threshold
        self.best = -math.inf
        self.waited = 0
        self._watch = ScoreWatch(monitor, self.consider)

    def before_run(self, runner: BaseRunner) -> None:
        """Begin to watch, from where a resumed run stood."""
        self._watch.join(runner)
        state = (runner.meta or {}).get("hook_msgs", {}).get(MESSAGE)
        if runner.resumed_checkpoint is not None and state:
            self.best, self.waited = self.sign * state["best"], state["waited"]

    def consider(self, runner: BaseRunner, score: float) -> None:
        """Count a score, and end the run if it is time."""
        # A score that is not a number is better than none.
        if self.sign * score > self.best + self.min_delta:
            self.best, self.waited = self.sign * score, 0
        else:
            self.waited += 1
        self._tell(runner)
        threshold = self.stopping_threshold
        if threshold is not None and self.sign * score >= self.sign * threshold:
            runner.end_early(f"{self.monitor} is {score:.4f}, as good as {threshold}")
        elif self.waited >= self.patience:
            runner.end_early(
                f"{self.monitor} was not better than {self.sign * self.best:.4f} in "
                f"{self.waited} evaluations"
            )

    def _tell(self, runner: BaseRunner) -> None:
        if runner.meta is None:
            runner.meta = {}
        state: dict[str, Any] = {"best": self.sign * self.best, "waited": self.waited}
        runner.meta.setdefault("hook_msgs", {})[MESSAGE] = state
