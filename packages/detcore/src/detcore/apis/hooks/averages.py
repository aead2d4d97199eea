"""Averages of weights and buffers that begin fast or slowly, under MMDetection's names."""

from __future__ import annotations

import math
from pathlib import Path

from cvcore.runner import HOOKS, BaseRunner, WeightAverageHook


class DetectorAverageHook(WeightAverageHook):
    """Base of the two: averages buffers too, after every ``interval`` iterations.

    Args:
        momentum: How much the present weights count in one iteration.
        interval: Iterations between updates.
        skip_buffers: Average parameters only, not the model's buffers.
        resume_from: Checkpoint to resume the run from. A run that is resumed by its runner needs
            none.
    """

    def __init__(
        self,
        momentum: float = 0.0002,
        interval: int = 1,
        skip_buffers: bool = False,
        resume_from: str | Path | None = None,
    ) -> None:
        super().__init__(interval, skip_buffers, resume_from)
        if not 0 < momentum < 1:
            raise ValueError(f"momentum lies between 0 and 1, not at {momentum}")
        self.momentum = momentum

    def is_due(self, runner: BaseRunner) -> bool:
        """Whether ``interval`` iterations are done."""
        return self.every_n_iters(runner, self.interval)


@HOOKS.register_module()
class ExpMomentumEMAHook(DetectorAverageHook):
    """A moving average whose momentum falls from 1 to ``momentum`` exponentially.

    In iteration t the present weights count ``m = (1 - momentum) exp(-(1 + t) / total_iter) +
    momentum``, so that the average forgets the beginning of the run.

    Args:
        total_iter: Iterations in which the distance to ``momentum`` falls to 1/e.
        momentum: See :class:`DetectorAverageHook`, also for the others.
    """

    def __init__(
        self,
        total_iter: int = 2000,
        momentum: float = 0.0002,
        interval: int = 1,
        skip_buffers: bool = False,
        resume_from: str | Path | None = None,
    ) -> None:
        super().__init__(momentum, interval, skip_buffers, resume_from)
        if total_iter < 1:
            raise ValueError(f"total_iter is a number from 1 on, not {total_iter}")
        self.total_iter = total_iter

    def momentum_at(self, runner: BaseRunner) -> float:
        """Near 1 at first, near ``momentum`` later."""
        left = math.exp(-(1 + runner.iter) / self.total_iter)
        return (1 - self.momentum) * left + self.momentum


@HOOKS.register_module()
class LinearMomentumEMAHook(DetectorAverageHook):
    """A moving average that begins slowly, as :class:`cvcore.runner.EMAHook`, buffers included.

    In iteration t the present weights count ``m = min(momentum ** interval, (1 + t) / (warm_up +
    t))``.

    Args:
        warm_up: The larger, the slower the average begins.
        momentum: See :class:`DetectorAverageHook`, also for the others.
    """

    def __init__(
        self,
        warm_up: int = 100,
        momentum: float = 0.0002,
        interval: int = 1,
        skip_buffers: bool = False,
        resume_from: str | Path | None = None,
    ) -> None:
        super().__init__(momentum, interval, skip_buffers, resume_from)
        if warm_up < 1:
            raise ValueError(f"warm_up is a number from 1 on, not {warm_up}")
        self.warm_up = warm_up

    def momentum_at(self, runner: BaseRunner) -> float:
        """The momentum, smaller at the start of the run."""
        return min(self.momentum**self.interval, (1 + runner.iter) / (self.warm_up + runner.iter))
