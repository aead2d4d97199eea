"""Scores of a run handed to those that act on them: what stops it, or lowers its rate."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cvcore.dist import broadcast_object, is_main
from cvcore.errors import CvcoreError, hint
from cvcore.runner.hook import Hook
from cvcore.runner.hooks.evaluate import EvalHook
from cvcore.runner.hooks.score_rules import infer_rule

if TYPE_CHECKING:
    from cvcore.runner.base_runner import BaseRunner

AFTER_EVALUATION = 80  # between EvalHook, which scores, and the loggers, which clear the scores
RULES = ("greater", "less")


class ScoreWatch(Hook):
    """Calls ``receive(runner, score)`` on every rank after an evaluation or a validation epoch.

    Args:
        monitor: Name of the score.
        receive: Gets it.
    """

    def __init__(self, monitor: str, receive: Callable[[BaseRunner, float], None]) -> None:
        self.monitor = monitor
        self.receive = receive

    def join(self, runner: BaseRunner) -> None:
        """Take the place in the run's order of hooks at which scores can be read."""
        if self not in runner.hooks:
            runner.register_hook(self, AFTER_EVALUATION)

    def after_train_epoch(self, runner: BaseRunner) -> None:
        """Read what an evaluation by epochs left."""
        self._after_evaluation(runner, by_epoch=True)

    def after_train_iter(self, runner: BaseRunner) -> None:
        """Read what an evaluation by iterations left."""
        self._after_evaluation(runner, by_epoch=False)

    def after_val_epoch(self, runner: BaseRunner) -> None:
        """Read the averages of the epoch, if the score is one of them."""
        runner.log_buffer.average()
        known = self.monitor in runner.log_buffer.output
        if broadcast_object(known):
            self._pass_on(runner)

    def _after_evaluation(self, runner: BaseRunner, by_epoch: bool) -> None:
        evaluations = [hook for hook in runner.hooks if isinstance(hook, EvalHook)]
        if any(each.by_epoch is by_epoch and each._should_evaluate(runner) for each in evaluations):
            self._pass_on(runner)

    def _pass_on(self, runner: BaseRunner) -> None:
        output = runner.log_buffer.output
        score, failure = output.get(self.monitor), None
        if score is None and is_main():
            names = ", ".join(map(str, output))
            failure = (
                f"there is no score {self.monitor!r} to go by{hint(self.monitor, output)}; the "
                f"evaluation gave {names or 'none'}"
            )
        score, failure = broadcast_object((score, failure))  # only rank 0 has the scores
        if failure is not None:
            raise CvcoreError(failure)
        self.receive(runner, float(score))


def check_rule(monitor: str, rule: str | None) -> str:
    """``'greater'`` or ``'less'``: the rule, or the one that the name of the score tells.

    Raises:
        ValueError: It is neither, or the name does not tell.
    """
    if rule is None:
        return infer_rule(monitor)
    if rule not in RULES:
        raise ValueError(f"rule is 'greater' or 'less', not {rule!r}")
    return rule
