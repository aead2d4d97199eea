"""Momentum schedules: the curves of the learning rate, applied to momentum or the first beta."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torch.optim import Optimizer

from cvcore.runner import curves
from cvcore.runner.curves import ANNEALING, annealing_cos, annealing_linear
from cvcore.runner.hooks.cycles import (
    Cycle,
    check_strategy,
    one_cycle_phases,
    require_iterations,
)
from cvcore.runner.hooks.lr_updater import check_step
from cvcore.runner.hooks.schedule import (
    Group,
    ScheduleHook,
    Values,
    map_values,
    per_group,
    per_param_group,
    require_one_minimum,
    target_of,
)
from cvcore.runner.registry import HOOKS

if TYPE_CHECKING:
    from cvcore.runner.base_runner import BaseRunner

Momenta = float | list[float] | Mapping[str, Any]


class MomentumUpdaterHook(ScheduleHook):
    """Base of momentum schedules: a subclass says what :meth:`get_momentum` is.

    During warm-up the momentum is divided by what the learning rate is multiplied with.

    Args:
        by_epoch: Progress is counted in epochs.
        warmup: None, ``'constant'``, ``'linear'`` or ``'exp'``.
        warmup_iters: Length of the warm-up in iterations.
        warmup_ratio: The warm-up starts at the momentum divided by this.
    """

    initial_key = "initial_momentum"

    def __init__(
        self,
        by_epoch: bool = True,
        warmup: str | None = None,
        warmup_iters: int = 0,
        warmup_ratio: float = 0.9,
    ) -> None:
        super().__init__(by_epoch, warmup, warmup_iters, warmup_ratio)

    @property
    def base_momentum(self) -> Values:
        """What the optimizer was built with, by group."""
        return self._base

    @property
    def regular_momentum(self) -> Values:
        """What the curve gave last, by group."""
        return self._regular

    @abstractmethod
    def get_momentum(self, runner: BaseRunner, base_momentum: float) -> float:
        """The momentum now of a group that began with ``base_momentum``."""

    def get_regular_momentum(self, runner: BaseRunner) -> Values:
        """What the curve gives now, by group."""
        return map_values(self._base, lambda base: self.get_momentum(runner, base))

    def get_warmup_momentum(self, cur_iters: int) -> Values:
        """The warm-up's momenta after ``cur_iters`` iterations, by group."""
        length = self.warmup_iters or 1
        factor = curves.warmup_factor(str(self.warmup), cur_iters, length, self.warmup_ratio)
        return map_values(self._regular, lambda value: value / factor)

    def read(self, group: Group) -> float:
        """The group's momentum, or its first beta."""
        return group["momentum"] if "momentum" in group else group["betas"][0]

    def write(self, group: Group, value: float) -> None:
        """Set the group's momentum, or its first beta."""
        if "momentum" in group:
            group["momentum"] = value
        elif "betas" in group:
            group["betas"] = (value, *group["betas"][1:])

    def regular(self, runner: BaseRunner) -> Values:
        """What the curve gives now."""
        return self.get_regular_momentum(runner)

    def warm(self, cur_iters: int) -> Values:
        """What the warm-up gives now."""
        return self.get_warmup_momentum(cur_iters)


@HOOKS.register_module()
class StepMomentumUpdaterHook(MomentumUpdaterHook):
    """The momentum times ``gamma`` at every step.

    Args:
        step: Length of all steps, or where each of them is.
        gamma: Factor of a step.
        min_momentum: The momentum never falls below it.
        **kwargs: See MomentumUpdaterHook.
    """

    def __init__(
        self,
        step: int | Sequence[int],
        gamma: float = 0.5,
        min_momentum: float | None = None,
        **kwargs: Any,
    ) -> None:
        check_step(step)
        self.step = step
        self.gamma = gamma
        self.min_momentum = min_momentum
        super().__init__(**kwargs)

    def get_momentum(self, runner: BaseRunner, base_momentum: float) -> float:
        """Of a group that began with ``base_momentum``."""
        progress, _ = self.progress(runner)
        return curves.step_decay(base_momentum, progress, self.step, self.gamma, self.min_momentum)


class _ToMinimum(MomentumUpdaterHook):
    """A curve that ends at a minimum.

    Args:
        min_momentum: The minimum, or
        min_momentum_ratio: its ratio to the momentum that the group began with.
        **kwargs: See MomentumUpdaterHook.
    """

    def __init__(
        self,
        min_momentum: float | None = None,
        min_momentum_ratio: float | None = None,
        **kwargs: Any,
    ) -> None:
        require_one_minimum(self, min_momentum=min_momentum, min_momentum_ratio=min_momentum_ratio)
        self.min_momentum = min_momentum
        self.min_momentum_ratio = min_momentum_ratio
        super().__init__(**kwargs)

    def target(self, base_momentum: float) -> float:
        """The minimum of a group that began with ``base_momentum``."""
        return target_of(base_momentum, self.min_momentum, self.min_momentum_ratio)


@HOOKS.register_module()
class CosineAnnealingMomentumUpdaterHook(_ToMinimum):
    """Down to the minimum on half a cosine wave over the whole run."""

    def get_momentum(self, runner: BaseRunner, base_momentum: float) -> float:
        """Of a group that began with ``base_momentum``."""
        progress, total = self.progress(runner)
        return annealing_cos(base_momentum, self.target(base_momentum), progress / total)


@HOOKS.register_module()
class LinearAnnealingMomentumUpdaterHook(_ToMinimum):
    """Down to the minimum on a straight line over the whole run."""

    def get_momentum(self, runner: BaseRunner, base_momentum: float) -> float:
        """Of a group that began with ``base_momentum``."""
        progress, total = self.progress(runner)
        return annealing_linear(base_momentum, self.target(base_momentum), progress / total)


@HOOKS.register_module()
class CyclicMomentumUpdaterHook(MomentumUpdaterHook):
    """Down and up again, once or several times: the counterpart of a cyclic learning rate.

    Args:
        by_epoch: False; cycles are counted in iterations.
        target_ratio: Turn and end of a cycle relative to its start; of a single number the end is
            its hundred-thousandth part.
        cyclic_times: Number of cycles in the run.
        step_ratio_up: Part of a cycle up to the turn.
        anneal_strategy: ``'cos'`` or ``'linear'``.
        gamma: The height of the cycles shrinks by this factor from one to the next.
        **kwargs: See MomentumUpdaterHook.
    """

    def __init__(
        self,
        by_epoch: bool = False,
        target_ratio: float | Sequence[float] = (0.85 / 0.95, 1),
        cyclic_times: int = 1,
        step_ratio_up: float = 0.4,
        anneal_strategy: str = "cos",
        gamma: float = 1,
        **kwargs: Any,
    ) -> None:
        require_iterations(by_epoch, self)
        self.cycle = Cycle.of(target_ratio, cyclic_times, step_ratio_up, anneal_strategy, gamma)
        super().__init__(by_epoch, **kwargs)

    def get_momentum(self, runner: BaseRunner, base_momentum: float) -> float:
        """Of a group that began with ``base_momentum``."""
        return self.cycle.value(base_momentum, runner.iter, runner.max_iters or 0)


@HOOKS.register_module()
class OneCycleMomentumUpdaterHook(MomentumUpdaterHook):
    """From ``max_momentum`` down to ``base_momentum`` and back: the mirror of a one-cycle rate.

    Args:
        base_momentum: The turn: one number, one for each group, or either by the optimizer's name.
        max_momentum: Start and end, likewise.
        pct_start: Part of the run that goes down.
        anneal_strategy: ``'cos'`` or ``'linear'``.
        three_phase: Go back as fast as down, then stay.
        **kwargs: See MomentumUpdaterHook.
    """

    def __init__(
        self,
        base_momentum: Momenta = 0.85,
        max_momentum: Momenta = 0.95,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        three_phase: bool = False,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("by_epoch", False)
        require_iterations(kwargs["by_epoch"], self)
        for name, value in (("base_momentum", base_momentum), ("max_momentum", max_momentum)):
            if not isinstance(value, (int, float, list, tuple, Mapping)):
                raise TypeError(f"{name} is a number, a list or a dict, not {value!r}")
        self._turn = base_momentum
        self._top = max_momentum
        self.pct_start = pct_start
        self.anneal = ANNEALING[check_strategy(anneal_strategy)]
        self.three_phase = three_phase
        super().__init__(**kwargs)

    def before_run(self, runner: BaseRunner) -> None:
        """Write the two momenta into the groups, where :meth:`get_regular_momentum` finds them."""
        several: Any = runner.optimizer
        if not isinstance(several, dict):
            several = {type(several).__name__: several}
        for name, optimizer in several.items():
            self._prepare(name, optimizer)

    def _prepare(self, name: str, optimizer: Optimizer) -> None:
        if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
            raise ValueError(f"{name} has neither momentum nor betas to schedule")
        turns = per_param_group(name, optimizer, self._turn, "base_momentum")
        tops = per_param_group(name, optimizer, self._top, "max_momentum")
        for group, turn, top in zip(optimizer.param_groups, turns, tops, strict=True):
            self.write(group, top)
            group["base_momentum"] = turn
            group["max_momentum"] = top

    def get_regular_momentum(self, runner: BaseRunner) -> Values:
        """What the curve gives now, by group."""

        def value(group: Group) -> float:
            ends = (group["max_momentum"], group["base_momentum"], group["max_momentum"])
            total = runner.max_iters or 0
            phases = one_cycle_phases(total, self.pct_start, self.three_phase, ends)
            return curves.piecewise(runner.iter, phases, self.anneal)

        return per_group(runner.optimizer, value)

    def get_momentum(self, runner: BaseRunner, base_momentum: float) -> float:
        """Of a group whose two momenta are the first group's; the groups are not asked."""
        values = self.get_regular_momentum(runner)
        return next(iter(values.values()))[0] if isinstance(values, dict) else values[0]
