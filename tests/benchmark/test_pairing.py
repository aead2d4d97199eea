"""Sides in turn, ratios of neighbours, and refusal where the work is not the same."""

from __future__ import annotations

import math
from typing import Any

import pytest
from scripts.benchmark.pairing import RowResult, measure, slower
from scripts.benchmark.process import ProbeError, Side
from scripts.benchmark.rows import BASE, OURS, REFERENCE, TORCHVISION, Check, Figure, Row

SECONDS = Figure("seconds", "s")
A, B = Side(OURS, "detcore", "python"), Side(REFERENCE, "mmdet", "python")


class Machine:
    """Stands for fresh processes: each side gives its prepared answers one after the other."""

    def __init__(self, **answers: list[dict[str, Any]]) -> None:
        self.answers = answers
        self.calls: list[tuple[str, str, dict[str, Any]]] = []

    def __call__(self, side: Side, probe: str, arguments: dict[str, Any]) -> dict[str, Any]:
        self.calls.append((side.name, probe, arguments))
        return self.answers[side.name].pop(0)


def took(*seconds: float, **agree: float) -> list[dict[str, Any]]:
    return [{"figures": {"seconds": each}, "agree": agree} for each in seconds]


def row(**settings: Any) -> Row:
    return Row("work", "probe", {"n": 3}, (SECONDS,), **settings)


def test_sides_run_in_turn_and_neighbours_are_compared() -> None:
    machine = Machine(ours=took(1, 3, 2), reference=took(2, 4, 8))
    result = measure(row(), [A, B], 3, machine)
    assert [name for name, _, _ in machine.calls] == [OURS, REFERENCE] * 3
    ratio = result.ratio(SECONDS, REFERENCE)
    # Of 1/2, 3/4 and 2/8 the middle one is 1/2; the ratio of the medians would be 2/4 too, but
    # the range is that of the pairs.
    assert ratio is not None
    assert (ratio.median, ratio.lowest, ratio.highest, ratio.pairs) == (0.5, 0.25, 0.75, 3)


def test_a_row_may_have_fewer_pairs() -> None:
    machine = Machine(ours=took(1), reference=took(2))
    assert len(measure(row(most_pairs=1), [A, B], 7, machine).values[OURS]) == 1


def test_losses_that_differ_give_no_figure() -> None:
    machine = Machine(ours=took(1, loss=2.0), reference=took(2, loss=2.003))
    result = measure(row(), [A, B], 1, machine)
    assert result.refused is not None
    assert "loss is 2 in ours and 2.003 in reference" in result.refused
    assert result.ratio(SECONDS, REFERENCE) is None


@pytest.mark.parametrize("theirs", [2.0, 2.0019, 1.9981])
def test_losses_within_a_thousandth_are_equal(theirs: float) -> None:
    machine = Machine(ours=took(1, loss=2.0), reference=took(2, loss=theirs))
    assert measure(row(), [A, B], 1, machine).trouble is None


def test_a_loss_that_is_not_a_number_is_refused() -> None:
    machine = Machine(ours=took(1, loss=math.nan), reference=took(2, loss=math.nan))
    assert measure(row(), [A, B], 1, machine).refused


def test_a_loss_of_one_side_alone_is_refused() -> None:
    machine = Machine(ours=took(1, a=1.0), reference=took(2, b=1.0))
    result = measure(row(), [A, B], 1, machine)
    assert result.refused is not None
    assert "['a', 'b']" in result.refused


def test_an_absolute_tolerance_is_a_difference() -> None:
    machine = Machine(ours=took(1, mAP=0.573), reference=took(2, mAP=0.565))
    assert measure(row(tolerance=0.01, absolute=True), [A, B], 1, machine).trouble is None


def test_the_check_comes_before_the_timing_and_stops_it() -> None:
    check = Check("losses", {"m": 1})
    machine = Machine(ours=took(0, loss=1.0), reference=took(0, loss=2.0))
    result = measure(row(check=check), [A, B], 7, machine)
    assert machine.calls == [(OURS, "losses", {"m": 1}), (REFERENCE, "losses", {"m": 1})]
    assert result.refused
    assert result.values == {OURS: [], REFERENCE: []}


def test_torchvision_claims_no_equality_and_is_not_checked_for_it() -> None:
    side = Side(TORCHVISION, "torchvision", "python")
    answers = [{"figures": {"seconds": 4.0}}]
    machine = Machine(ours=[*took(0, loss=2.0), *took(1, loss=2.0)], torchvision=answers)
    result = measure(row(check=Check("losses", {})), [A, side], 1, machine)
    assert [name for name, _, _ in machine.calls] == [OURS, OURS, TORCHVISION]
    ratio = result.ratio(SECONDS, TORCHVISION)
    assert ratio is not None
    assert ratio.median == 0.25


def test_a_side_can_be_told_more() -> None:
    machine = Machine(ours=took(1), reference=took(2))
    measure(row(of_side={OURS: {"bf16": True}}), [A, B], 1, machine)
    assert [each for _, _, each in machine.calls] == [{"n": 3, "bf16": True}, {"n": 3}]


def test_a_process_that_fails_fails_its_row_and_keeps_what_was_measured() -> None:
    def run(side: Side, probe: str, arguments: dict[str, Any]) -> dict[str, Any]:
        seen.append(side.name)
        if len(seen) == 4:
            raise ProbeError("killed by signal 9")
        return took(1)[0]

    seen: list[str] = []
    rounds: list[int] = []
    result = measure(row(), [A, B], 7, run, lambda each: rounds.append(len(each.values[OURS])))
    assert result.failed == "killed by signal 9"
    assert result.values[OURS] == [{"seconds": 1}]
    assert rounds == [1, 1]  # after the round, and after the failure


def result_of(mine: float, theirs: float, figure: Figure = SECONDS) -> RowResult:
    values = {OURS: [{figure.key: mine}], BASE: [{figure.key: theirs}]}
    return RowResult(Row("work", "probe", {}, (figure,)), values)


def test_more_than_a_twentieth_slower_than_the_base_is_named() -> None:
    assert slower([result_of(1.05, 1.0), result_of(0.5, 1.0)], BASE) == []
    (text,) = slower([result_of(1.06, 1.0)], BASE)
    assert text == "work: 1.060 times the cost of base; 1.05 is allowed"


def test_a_rate_that_falls_is_slower() -> None:
    rate = Figure("rate", "images/s", at_least=True)
    assert slower([result_of(20, 10, rate)], BASE) == []
    assert slower([result_of(9, 10, rate)], BASE)  # 10 / 9 = 1.11


def test_a_row_without_a_figure_does_not_pass() -> None:
    result = result_of(1, 1)
    result.failed = "killed"
    assert slower([result], BASE) == ["killed"]


def test_a_target_is_a_least_or_a_largest_ratio() -> None:
    assert Figure("s", "s", target=0.7).met(0.7)
    assert not Figure("s", "s", target=0.7).met(0.71)
    assert Figure("r", "1/s", target=2.5, at_least=True).met(2.6)
    assert not Figure("r", "1/s", target=2.5, at_least=True).met(2.4)
    assert Figure("s", "s").met(9.0) is None


def test_the_other_side_may_call_a_figure_otherwise() -> None:
    figure = Figure("hotcoco", "s", other_key="seconds")
    values = {OURS: [{"hotcoco": 1.0}], REFERENCE: [{"seconds": 20.0}], BASE: [{"hotcoco": 2.0}]}
    result = RowResult(Row("evaluation", "probe", {}, (figure,)), values)
    found = {side: result.ratio(figure, side) for side in (REFERENCE, BASE)}
    assert [each.median for each in found.values() if each] == [0.05, 0.5]
