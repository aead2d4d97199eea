"""The learning rate lowered whenever a score stands still."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

from cvcore.runner.hooks.lr_updater import LrUpdaterHook
from cvcore.runner.hooks.scores import ScoreWatch, check_rule
from cvcore.runner.registry import HOOKS

if TYPE_CHECKING:
    from cvcore.runner.base_runner import BaseRunner

MESSAGE = "reduce_on_plateau"


@HOOKS.register_module()
class ReduceOnPlateauLrUpdaterHook(LrUpdaterHook):
    """The rate times ``factor`` after ``patience`` evaluations without a better score.

    ``lr_config = dict(policy='ReduceOnPlateau', monitor='bbox_mAP', patience=2)``. It counts as
    ``torch.optim.lr_scheduler.ReduceLROnPlateau`` does, and goes on counting in a resumed run.

    Args:
        monitor: Name of the score, as an evaluation returns it or a validation epoch averages it.
        rule: ``'greater'`` or ``'less'`` is better; inferred from the name by default.
        factor: What the rate is multiplied with.
        patience: Evaluations without a better score that are borne.
        threshold: By how much a score must be better to count.
        threshold_mode: ``'rel'`` or ``'abs'``: whether the threshold is a part of the best score.
        cooldown: Evaluations after a reduction that do not count.
        min_lr: The rate never falls below it.
        **kwargs: See LrUpdaterHook.
    """

    def __init__(
        self,
        monitor: str,
        rule: str | None = None,
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.monitor = monitor
        self.min_lr = min_lr
        # torch's own scheduler, over a rate that begins at 1: what it gives is the factor so far.
        self._unit = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        self._scheduler = ReduceLROnPlateau(
            self._unit,
            mode="max" if check_rule(monitor, rule) == "greater" else "min",
            factor=factor,
            patience=patience,
            threshold=threshold,
            threshold_mode=threshold_mode,
            cooldown=cooldown,
            eps=0.0,
        )
        self._watch = ScoreWatch(monitor, self.consider)

    @property
    def factor_so_far(self) -> float:
        """What all reductions together come to."""
        return float(self._unit.param_groups[0]["lr"])

    def before_run(self, runner: BaseRunner) -> None:
        """Begin to watch, from where a resumed run stood."""
        super().before_run(runner)
        self._watch.join(runner)
        state = (runner.meta or {}).get("hook_msgs", {}).get(MESSAGE)
        if runner.resumed_checkpoint is not None and state:
            self._scheduler.load_state_dict(state["counts"])
            self._unit.param_groups[0]["lr"] = state["factor"]

    def consider(self, runner: BaseRunner, score: float) -> None:
        """Count a score; a reduction shows from the next epoch or iteration on."""
        before = self.factor_so_far
        self._scheduler.step(score)
        if self.factor_so_far < before:
            runner.logger.info(
                "%s stands still at %.4f: the learning rate becomes %g of what it was at first",
                self.monitor,
                score,
                self.factor_so_far,
            )
        if runner.meta is None:
            runner.meta = {}
        state = {"counts": self._scheduler.state_dict(), "factor": self.factor_so_far}
        runner.meta.setdefault("hook_msgs", {})[MESSAGE] = state

    def get_lr(self, runner: BaseRunner, base_lr: float) -> float:
        """Of a group that began with ``base_lr``."""
        return max(base_lr * self.factor_so_far, min(self.min_lr, base_lr))
