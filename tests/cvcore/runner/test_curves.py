from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies

from cvcore.runner import curves


def test_steps_happen_at_their_places() -> None:
    values = [curves.step_decay(1.0, epoch, [2, 4], 0.1, floor=0.05) for epoch in range(6)]

    assert values == pytest.approx([1, 1, 0.1, 0.1, 0.05, 0.05])


def test_a_cosine_is_half_way_down_in_its_middle() -> None:
    assert curves.annealing_cos(3.0, 1.0, 0.0) == 3
    assert curves.annealing_cos(3.0, 1.0, 0.5) == pytest.approx(2)
    assert curves.annealing_cos(3.0, 1.0, 1.0) == 1
    assert curves.annealing_cos(3.0, 1.0, 0.0, weight=0.5) == 2


def test_restarts_begin_at_the_height_of_their_period() -> None:
    values = [curves.cosine_restarts(1.0, 0.0, progress, [2, 4], [1, 0.5]) for progress in range(6)]

    lower = [0.5 * 0.5 * (1 + math.cos(math.pi * step / 4)) for step in range(4)]
    assert values == pytest.approx([1, 0.5, *lower])
    with pytest.raises(ValueError, match=r"\[2, 4\] end at 6, but the run is at 6"):
        curves.cosine_restarts(1.0, 0.0, 6, [2, 4], [1, 0.5])


def test_cycles_shrink_by_gamma() -> None:
    linear = curves.ANNEALING["linear"]
    values = [curves.cyclic(1.0, step, 4, 2, (3.0, 0.5), 0.5, linear) for step in range(8)]

    # Up to 3 and down towards 0.5; then up to 1 + (3 - 1) / 2 = 2 only.
    assert values == pytest.approx([1, 2, 3, 1.75, 1, 1.5, 2, 1.25])


def test_the_last_phase_goes_on() -> None:
    linear = curves.ANNEALING["linear"]
    phases = [(2.0, 0.0, 4.0), (4.0, 4.0, 0.0)]
    values = [curves.piecewise(step, phases, linear) for step in range(6)]

    assert values == [0, 2, 4, 2, 0, -2]
    with pytest.raises(ValueError, match="at least one"):
        curves.piecewise(0, [], linear)


def test_one_cycle_ends_where_torchs_does() -> None:
    assert curves.one_cycle_ends(100, 0.3, False) == (29, 99)
    assert curves.one_cycle_ends(100, 0.3, True) == (29, 58, 99)


@given(
    kind=strategies.sampled_from(["linear", "exp"]),
    length=strategies.integers(1, 1000),
    ratio=strategies.floats(0.001, 1),
)
def test_warm_up_rises_from_its_ratio_to_one(kind: str, length: int, ratio: float) -> None:
    values = [curves.warmup_factor(kind, step, length, ratio) for step in (0, length / 2, length)]

    assert values[0] == pytest.approx(ratio)
    assert values[2] == pytest.approx(1)
    assert values[0] <= values[1] <= values[2] + 1e-12
    assert curves.warmup_factor("constant", length / 2, length, ratio) == ratio
