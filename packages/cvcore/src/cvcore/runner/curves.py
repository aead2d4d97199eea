"""Learning-rate and momentum schedules as pure functions of progress.

``progress`` and ``total`` are counted in epochs or iterations, whichever the caller goes by. A
``base`` is the value that the optimizer was built with.

Cosine annealing and restarts: Loshchilov and Hutter, "SGDR", 2017. Cyclic and one-cycle: Smith,
"Cyclical Learning Rates", 2017, and Smith and Topin, "Super-Convergence", 2018.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from math import cos, pi

Anneal = Callable[[float, float, float], float]
# (end, start value, end value) of one stretch of a schedule; it starts where the one before ends.
Phase = tuple[float, float, float]


def annealing_cos(start: float, end: float, factor: float, weight: float = 1) -> float:
    """From ``start`` at factor 0 to ``end`` at factor 1 on half a cosine wave.

    Args:
        start: Value at factor 0, if ``weight`` is 1.
        end: Value at factor 1.
        factor: Between 0 and 1.
        weight: Scales the height of the wave above ``end``.
    """
    return end + 0.5 * weight * (start - end) * (cos(pi * factor) + 1)


def annealing_linear(start: float, end: float, factor: float) -> float:
    """From ``start`` at factor 0 to ``end`` at factor 1 on a straight line."""
    return start + (end - start) * factor


ANNEALING: dict[str, Anneal] = {"cos": annealing_cos, "linear": annealing_linear}


def step_decay(
    base: float,
    progress: int,
    step: int | Sequence[int],
    gamma: float,
    floor: float | None = None,
) -> float:
    """``base * gamma ** k`` after k steps.

    Args:
        base: Value before the first step.
        progress: Where the run stands.
        step: Length of every step, or the places at which steps happen.
        gamma: Factor of each step.
        floor: The value never falls below it.
    """
    done = progress // step if isinstance(step, int) else sum(progress >= place for place in step)
    value = base * gamma**done
    return value if floor is None else max(value, floor)


def exponential_decay(base: float, progress: int, gamma: float) -> float:
    """``base * gamma ** progress``."""
    return base * gamma**progress


def polynomial_decay(base: float, progress: int, total: int, power: float, floor: float) -> float:
    """From ``base`` to ``floor`` along ``(1 - progress / total) ** power``."""
    return (base - floor) * (1 - progress / total) ** power + floor


def inverse_decay(base: float, progress: int, gamma: float, power: float) -> float:
    """``base * (1 + gamma * progress) ** -power``."""
    return base * (1 + gamma * progress) ** (-power)


def flat_then_cosine(
    base: float, target: float, progress: int, total: int, start_percent: float
) -> float:
    """``base`` for the first ``start_percent`` of the run, then a cosine down to ``target``."""
    start = round(total * start_percent)
    if progress < start:
        return base
    return annealing_cos(base, target, (progress - start) / (total - start))


def cosine_restarts(
    base: float,
    target: float,
    progress: int,
    periods: Sequence[int],
    weights: Sequence[float],
) -> float:
    """A cosine from ``base`` to ``target`` in each period, scaled by that period's weight.

    Raises:
        ValueError: ``progress`` lies beyond the last period.
    """
    start = 0
    for period, weight in zip(periods, weights, strict=True):
        if progress < start + period:
            return annealing_cos(base, target, (progress - start) / period, weight)
        start += period
    raise ValueError(
        f"the restart periods {list(periods)} end at {start}, but the run is at {progress}; "
        "make them last as long as the run"
    )


def cyclic(
    base: float,
    progress: int,
    cycle_length: int,
    rise_length: int,
    ratios: tuple[float, float],
    gamma: float,
    anneal: Anneal,
) -> float:
    """Up from ``base`` to ``base * ratios[0]``, then down to ``base * ratios[1]``, again and again.

    Args:
        base: Value at the start of every cycle.
        progress: Where the run stands.
        cycle_length: Length of a whole cycle.
        rise_length: Length of its first part.
        ratios: Top and end of a cycle, relative to ``base``.
        gamma: The distance between top and base shrinks by this factor in every cycle.
        anneal: The way between two values.
    """
    cycle, place = divmod(progress, cycle_length)
    shrink = gamma**cycle
    top = base * (1 - shrink + ratios[0] * shrink)
    if place < rise_length:
        return anneal(base, top, place / rise_length)
    return anneal(top, base * ratios[1], (place - rise_length) / (cycle_length - rise_length))


def one_cycle_ends(total: float, rise: float, three_phase: bool) -> tuple[float, ...]:
    """Where the stretches of a one-cycle schedule end.

    Args:
        total: Length of the schedule.
        rise: Part of it, between 0 and 1, that climbs.
        three_phase: Come down as long as it climbed, and fall further after that.
    """
    if three_phase:
        return (rise * total - 1, 2 * rise * total - 2, total - 1)
    return (rise * total - 1, total - 1)


def piecewise(progress: float, phases: Sequence[Phase], anneal: Anneal) -> float:
    """The value at ``progress`` of stretches laid end to end; the last goes on for ever."""
    starts = itertools.chain([0.0], (phase[0] for phase in phases))
    for start, (end, first, last) in zip(starts, phases, strict=False):
        if progress <= end or end == phases[-1][0]:
            return anneal(first, last, (progress - start) / (end - start))
    raise ValueError("a piecewise schedule needs at least one phase")


def warmup_factor(kind: str, progress: float, length: float, ratio: float) -> float:
    """What a learning rate is multiplied with during warm-up, rising from ``ratio`` to 1.

    Args:
        kind: ``'constant'`` stays at the ratio; ``'linear'`` and ``'exp'`` rise.
        progress: Iterations done.
        length: Iterations of the warm-up.
        ratio: Where it starts.
    """
    if kind == "constant":
        return ratio
    if kind == "linear":
        return 1 - (1 - progress / length) * (1 - ratio)
    return float(ratio ** (1 - progress / length))
