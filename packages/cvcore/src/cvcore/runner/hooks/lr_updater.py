"""Learning-rate schedules that fall; those that rise as well are in ``lr_cycles.py``."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cvcore.runner import curves
from cvcore.runner.curves import annealing_cos, annealing_linear
from cvcore.runner.hooks.schedule import (
    Group,
    ScheduleHook,
    Values,
    map_values,
    require_one_minimum,
    target_of,
)
from cvcore.runner.registry import HOOKS

if TYPE_CHECKING:
    from cvcore.runner.base_runner import BaseRunner

__all__ = [
    "CosineAnnealingLrUpdaterHook",
    "CosineRestartLrUpdaterHook",
    "ExpLrUpdaterHook",
    "FixedLrUpdaterHook",
    "FlatCosineAnnealingLrUpdaterHook",
    "InvLrUpdaterHook",
    "LinearAnnealingLrUpdaterHook",
    "LrUpdaterHook",
    "PolyLrUpdaterHook",
    "StepLrUpdaterHook",
    "annealing_cos",
    "annealing_linear",
]


class LrUpdaterHook(ScheduleHook):
    """Base of learning-rate schedules: a subclass says what :meth:`get_lr` is.

    Args:
        by_epoch: Progress is counted in epochs.
        warmup: None, ``'constant'``, ``'linear'`` or ``'exp'``: how the rate rises to that of the
            curve at the start of the run.
        warmup_iters: Length of the warm-up.
        warmup_ratio: Where the warm-up starts, relative to the curve.
        warmup_by_epoch: ``warmup_iters`` counts epochs.
    """

    initial_key = "initial_lr"

    def __init__(
        self,
        by_epoch: bool = True,
        warmup: str | None = None,
        warmup_iters: int = 0,
        warmup_ratio: float = 0.1,
        warmup_by_epoch: bool = False,
    ) -> None:
        super().__init__(by_epoch, warmup, warmup_iters, warmup_ratio)
        self.warmup_by_epoch = warmup_by_epoch
        self.warmup_epochs: int | None = None
        if warmup_by_epoch:
            self.warmup_epochs, self.warmup_iters = warmup_iters, None

    @property
    def base_lr(self) -> Values:
        """What the optimizer was built with, by group."""
        return self._base

    @base_lr.setter
    def base_lr(self, values: Values) -> None:
        self._base = values

    @property
    def regular_lr(self) -> Values:
        """What the curve gave last, by group."""
        return self._regular

    @abstractmethod
    def get_lr(self, runner: BaseRunner, base_lr: float) -> float:
        """The learning rate now of a group that began with ``base_lr``."""

    def get_regular_lr(self, runner: BaseRunner) -> Values:
        """What the curve gives now, by group."""
        return map_values(self._base, lambda base: self.get_lr(runner, base))

    def get_warmup_lr(self, cur_iters: int) -> Values:
        """The warm-up's rates after ``cur_iters`` iterations, by group."""
        length = self.warmup_iters or 1
        factor = curves.warmup_factor(str(self.warmup), cur_iters, length, self.warmup_ratio)
        return map_values(self._regular, lambda value: value * factor)

    def before_train_epoch(self, runner: BaseRunner) -> None:
        """Learn the length of an epoch, and set its rate."""
        if self.warmup_iters is None:
            self.warmup_iters = (self.warmup_epochs or 0) * len(runner.data_loader)
        super().before_train_epoch(runner)

    def read(self, group: Group) -> float:
        """The group's learning rate."""
        return group["lr"]

    def write(self, group: Group, value: float) -> None:
        """Set the group's learning rate."""
        group["lr"] = value

    def regular(self, runner: BaseRunner) -> Values:
        """What the curve gives now."""
        return self.get_regular_lr(runner)

    def warm(self, cur_iters: int) -> Values:
        """What the warm-up gives now."""
        return self.get_warmup_lr(cur_iters)


@HOOKS.register_module()
class FixedLrUpdaterHook(LrUpdaterHook):
    """The rate that the optimizer was built with."""

    def get_lr(self, runner: BaseRunner, base_lr: float) -> float:
        """``base_lr``."""
        return base_lr


@HOOKS.register_module()
class StepLrUpdaterHook(LrUpdaterHook):
    """The rate times ``gamma`` at every step.

    Args:
        step: Length of all steps, or where each of them is.
        gamma: Factor of a step.
        min_lr: The rate never falls below it.
        **kwargs: See LrUpdaterHook.
    """

    def __init__(
        self,
        step: int | Sequence[int],
        gamma: float = 0.1,
        min_lr: float | None = None,
        **kwargs: Any,
    ) -> None:
        check_step(step)
        self.step = step
        self.gamma = gamma
        self.min_lr = min_lr
        super().__init__(**kwargs)

    def get_lr(self, runner: BaseRunner, base_lr: float) -> float:
        """Of a group that began with ``base_lr``."""
        progress, _ = self.progress(runner)
        return curves.step_decay(base_lr, progress, self.step, self.gamma, self.min_lr)


def check_step(step: int | Sequence[int]) -> None:
    """Raise unless ``step`` is a positive number, or a sequence of them."""
    places = [step] if isinstance(step, int) else step
    if not isinstance(places, (list, tuple)) or not all(isinstance(p, int) for p in places):
        raise TypeError(f"step is a number or a list of numbers, not {step!r}")
    if any(place <= 0 for place in places):
        raise ValueError(f"steps come after the start of the run: above 0, not {step!r}")


@HOOKS.register_module()
class ExpLrUpdaterHook(LrUpdaterHook):
    """The rate times ``gamma`` in every epoch or iteration.

    Args:
        gamma: The factor.
        **kwargs: See LrUpdaterHook.
    """

    def __init__(self, gamma: float, **kwargs: Any) -> None:
        self.gamma = gamma
        super().__init__(**kwargs)

    def get_lr(self, runner: BaseRunner, base_lr: float) -> float:
        """Of a group that began with ``base_lr``."""
        return curves.exponential_decay(base_lr, self.progress(runner)[0], self.gamma)


@HOOKS.register_module()
class PolyLrUpdaterHook(LrUpdaterHook):
    """Down to ``min_lr`` at the end of the run, along a power of what remains of it.

    Args:
        power: The power.
        min_lr: Where it ends.
        **kwargs: See LrUpdaterHook.
    """

    def __init__(self, power: float = 1.0, min_lr: float = 0.0, **kwargs: Any) -> None:
        self.power = power
        self.min_lr = min_lr
        super().__init__(**kwargs)

    def get_lr(self, runner: BaseRunner, base_lr: float) -> float:
        """Of a group that began with ``base_lr``."""
        progress, total = self.progress(runner)
        return curves.polynomial_decay(base_lr, progress, total, self.power, self.min_lr)


@HOOKS.register_module()
class InvLrUpdaterHook(LrUpdaterHook):
    """Falling as ``(1 + gamma * progress) ** -power``.

    Args:
        gamma: How fast.
        power: How steeply.
        **kwargs: See LrUpdaterHook.
    """

    def __init__(self, gamma: float, power: float = 1.0, **kwargs: Any) -> None:
        self.gamma = gamma
        self.power = power
        super().__init__(**kwargs)

    def get_lr(self, runner: BaseRunner, base_lr: float) -> float:
        """Of a group that began with ``base_lr``."""
        return curves.inverse_decay(base_lr, self.progress(runner)[0], self.gamma, self.power)


class _ToMinimum(LrUpdaterHook):
    """A curve that ends at a minimum.

    Args:
        min_lr: The minimum, or
        min_lr_ratio: its ratio to the rate that the group began with.
        **kwargs: See LrUpdaterHook.
    """

    def __init__(
        self, min_lr: float | None = None, min_lr_ratio: float | None = None, **kwargs: Any
    ) -> None:
        require_one_minimum(self, min_lr=min_lr, min_lr_ratio=min_lr_ratio)
        self.min_lr = min_lr
        self.min_lr_ratio = min_lr_ratio
        super().__init__(**kwargs)

    def target(self, base_lr: float) -> float:
        """The minimum of a group that began with ``base_lr``."""
        return target_of(base_lr, self.min_lr, self.min_lr_ratio)


@HOOKS.register_module()
class CosineAnnealingLrUpdaterHook(_ToMinimum):
    """Down to the minimum on half a cosine wave over the whole run."""

    def get_lr(self, runner: BaseRunner, base_lr: float) -> float:
        """Of a group that began with ``base_lr``."""
        progress, total = self.progress(runner)
        return annealing_cos(base_lr, self.target(base_lr), progress / total)


@HOOKS.register_module()
class LinearAnnealingLrUpdaterHook(_ToMinimum):
    """Down to the minimum on a straight line over the whole run."""

    def get_lr(self, runner: BaseRunner, base_lr: float) -> float:
        """Of a group that began with ``base_lr``."""
        progress, total = self.progress(runner)
        return annealing_linear(base_lr, self.target(base_lr), progress / total)


@HOOKS.register_module()
class FlatCosineAnnealingLrUpdaterHook(_ToMinimum):
    """Flat at first, then down to the minimum on half a cosine wave.

    Args:
        start_percent: Part of the run, between 0 and 1, after which it falls.
        min_lr: The minimum, or
        min_lr_ratio: its ratio to the rate that the group began with.
        **kwargs: See LrUpdaterHook.
    """

    def __init__(
        self,
        start_percent: float = 0.75,
        min_lr: float | None = None,
        min_lr_ratio: float | None = None,
        **kwargs: Any,
    ) -> None:
        if not 0 <= start_percent <= 1:
            raise ValueError(f"start_percent lies between 0 and 1, not at {start_percent}")
        self.start_percent = start_percent
        super().__init__(min_lr, min_lr_ratio, **kwargs)

    def get_lr(self, runner: BaseRunner, base_lr: float) -> float:
        """Of a group that began with ``base_lr``."""
        progress, total = self.progress(runner)
        target = self.target(base_lr)
        return curves.flat_then_cosine(base_lr, target, progress, total, self.start_percent)


@HOOKS.register_module()
class CosineRestartLrUpdaterHook(_ToMinimum):
    """Half a cosine wave in each of several periods.

    Args:
        periods: Length of every period.
        restart_weights: Height of every period.
        min_lr: The minimum, or
        min_lr_ratio: its ratio to the rate that the group began with.
        **kwargs: See LrUpdaterHook.
    """

    def __init__(
        self,
        periods: Sequence[int],
        restart_weights: Sequence[float] = (1,),
        min_lr: float | None = None,
        min_lr_ratio: float | None = None,
        **kwargs: Any,
    ) -> None:
        if len(periods) != len(restart_weights):
            raise ValueError(
                f"{len(periods)} periods need as many restart_weights, not {len(restart_weights)}"
            )
        self.periods = list(periods)
        self.restart_weights = list(restart_weights)
        super().__init__(min_lr, min_lr_ratio, **kwargs)

    def get_lr(self, runner: BaseRunner, base_lr: float) -> float:
        """Of a group that began with ``base_lr``."""
        progress, _ = self.progress(runner)
        target = self.target(base_lr)
        return curves.cosine_restarts(base_lr, target, progress, self.periods, self.restart_weights)
