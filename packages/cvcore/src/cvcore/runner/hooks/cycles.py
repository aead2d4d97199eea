"""Shapes of cyclic and one-cycle schedules, alike for learning rate and momentum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cvcore.runner import curves
from cvcore.runner.curves import ANNEALING, Phase

END_OF_SINGLE_RATIO = 1e5


def require_iterations(by_epoch: bool, owner: object) -> None:
    """Raise ValueError where a schedule of iterations is asked to go by epochs."""
    if by_epoch:
        raise ValueError(f"{type(owner).__name__} counts iterations: by_epoch must be False")


def check_strategy(anneal_strategy: str) -> str:
    """Raise ValueError unless the strategy is ``'cos'`` or ``'linear'``; returns it."""
    if anneal_strategy not in ANNEALING:
        raise ValueError(f"anneal_strategy is 'cos' or 'linear', not {anneal_strategy!r}")
    return anneal_strategy


@dataclass(frozen=True, slots=True)
class Cycle:
    """Cycles relative to a base value."""

    ratios: tuple[float, float]  # top and end, relative to the start
    times: int  # in the whole run
    rise: float  # part of a cycle that goes from start to top
    strategy: str
    gamma: float  # the height shrinks by this from cycle to cycle

    @classmethod
    def of(
        cls,
        target_ratio: float | Sequence[float],
        cyclic_times: int,
        step_ratio_up: float,
        anneal_strategy: str,
        gamma: float,
    ) -> Cycle:
        """A cycle from the arguments of a hook.

        Raises:
            ValueError: One of them is out of its range.
        """
        ratios = [target_ratio] if isinstance(target_ratio, (int, float)) else list(target_ratio)
        if len(ratios) == 1:
            ratios.append(ratios[0] / END_OF_SINGLE_RATIO)
        if len(ratios) != 2:
            raise ValueError(f"target_ratio is one number or two, not {target_ratio!r}")
        if not 0 <= step_ratio_up < 1:
            raise ValueError(f"step_ratio_up lies in [0, 1), not at {step_ratio_up}")
        if not 0 < gamma <= 1:
            raise ValueError(f"gamma lies in (0, 1], not at {gamma}")
        strategy = check_strategy(anneal_strategy)
        return cls((ratios[0], ratios[1]), cyclic_times, step_ratio_up, strategy, gamma)

    def value(self, base: float, progress: int, total: int) -> float:
        """The value at ``progress`` of a run of length ``total``."""
        length = total // self.times
        rise = int(self.rise * length)
        anneal = ANNEALING[self.strategy]
        return curves.cyclic(base, progress, length, rise, self.ratios, self.gamma, anneal)


def one_cycle_phases(
    total: float, rise: float, three_phase: bool, values: tuple[float, float, float]
) -> list[Phase]:
    """The stretches of a one-cycle schedule.

    Args:
        total: Length of the run.
        rise: Part of it that the first stretch takes.
        three_phase: Come back to the start before going to the end.
        values: At the start, at the top and at the end.
    """
    if not 0 <= rise <= 1:
        raise ValueError(f"pct_start lies between 0 and 1, not at {rise}")
    start, top, end = values
    ends = curves.one_cycle_ends(total, rise, three_phase)
    if three_phase:
        return [(ends[0], start, top), (ends[1], top, start), (ends[2], start, end)]
    return [(ends[0], start, top), (ends[1], top, end)]
