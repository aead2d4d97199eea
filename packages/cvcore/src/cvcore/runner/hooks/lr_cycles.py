"""Learning-rate schedules that rise and fall: cyclic and one-cycle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torch.optim import Optimizer

from cvcore.runner import curves
from cvcore.runner.curves import ANNEALING
from cvcore.runner.hooks.cycles import (
    Cycle,
    check_strategy,
    one_cycle_phases,
    require_iterations,
)
from cvcore.runner.hooks.lr_updater import LrUpdaterHook
from cvcore.runner.hooks.schedule import per_param_group
from cvcore.runner.registry import HOOKS

if TYPE_CHECKING:
    from cvcore.runner.base_runner import BaseRunner


@HOOKS.register_module()
class CyclicLrUpdaterHook(LrUpdaterHook):
    """Up and down again, once or several times.

    Args:
        by_epoch: False; cycles are counted in iterations.
        target_ratio: Top and end of a cycle relative to its start; of a single number the end is
            its hundred-thousandth part.
        cyclic_times: Number of cycles in the run.
        step_ratio_up: Part of a cycle that goes up.
        anneal_strategy: ``'cos'`` or ``'linear'``.
        gamma: The height of the cycles shrinks by this factor from one to the next.
        **kwargs: See LrUpdaterHook.
    """

    def __init__(
        self,
        by_epoch: bool = False,
        target_ratio: float | Sequence[float] = (10, 1e-4),
        cyclic_times: int = 1,
        step_ratio_up: float = 0.4,
        anneal_strategy: str = "cos",
        gamma: float = 1,
        **kwargs: Any,
    ) -> None:
        require_iterations(by_epoch, self)
        self.cycle = Cycle.of(target_ratio, cyclic_times, step_ratio_up, anneal_strategy, gamma)
        super().__init__(by_epoch, **kwargs)

    def get_lr(self, runner: BaseRunner, base_lr: float) -> float:
        """Of a group that began with ``base_lr``."""
        return self.cycle.value(base_lr, runner.iter, runner.max_iters or 0)


@HOOKS.register_module()
class OneCycleLrUpdaterHook(LrUpdaterHook):
    """Up to ``max_lr`` once, then down far below the start.

    Args:
        max_lr: The top: one number, one for each group, or either by the optimizer's name.
        total_steps: Length of the cycle in iterations; that of the run by default.
        pct_start: Part of it that goes up.
        anneal_strategy: ``'cos'`` or ``'linear'``.
        div_factor: The start is the top divided by this.
        final_div_factor: The end is the start divided by this.
        three_phase: Come back to the start before falling to the end.
        **kwargs: See LrUpdaterHook.
    """

    def __init__(
        self,
        max_lr: float | list[float] | Mapping[str, Any],
        total_steps: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        div_factor: float = 25,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("by_epoch", False)
        require_iterations(kwargs["by_epoch"], self)
        if not isinstance(max_lr, (int, float, list, tuple, Mapping)):
            raise TypeError(f"max_lr is a number, a list or a dict, not {type(max_lr).__name__}")
        self.max_lr = max_lr
        self.total_steps = total_steps
        self.pct_start = pct_start
        self.anneal = ANNEALING[check_strategy(anneal_strategy)]
        self.div_factor = div_factor
        self.final_div_factor = final_div_factor
        self.three_phase = three_phase
        self.phases: list[curves.Phase] = []
        super().__init__(**kwargs)

    def before_run(self, runner: BaseRunner) -> None:
        """Derive the start from the top, and the stretches from the length of the run."""
        max_iters = runner.max_iters or 0
        total = self.total_steps or max_iters
        if total < max_iters:
            raise ValueError(f"total_steps={total} is shorter than the run of {max_iters}")
        factors = (1, self.div_factor, 1 / self.final_div_factor)
        self.phases = one_cycle_phases(total, self.pct_start, self.three_phase, factors)
        optimizer: Any = runner.optimizer
        if isinstance(optimizer, dict):
            self._base = {name: self._start(name, each) for name, each in optimizer.items()}
        elif isinstance(optimizer, Optimizer):
            self._base = self._start(type(optimizer).__name__, optimizer)

    def _start(self, name: str, optimizer: Optimizer) -> list[float]:
        tops = per_param_group(name, optimizer, self.max_lr, "max_lr")
        starts = [top / self.div_factor for top in tops]
        for group, start in zip(optimizer.param_groups, starts, strict=True):
            group.setdefault(self.initial_key, start)
        return starts

    def get_lr(self, runner: BaseRunner, base_lr: float) -> float:
        """Of a group that began with ``base_lr``."""
        factor_of_base = [(end, base_lr * a, base_lr * b) for end, a, b in self.phases]
        return curves.piecewise(runner.iter, factor_of_base, self.anneal)
