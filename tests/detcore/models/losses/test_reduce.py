"""Weights and averages."""

from __future__ import annotations

import pytest
import torch

from detcore.errors import OptionError
from detcore.models.losses import reduce_loss, weight_reduce_loss, weighted_loss
from detcore.registries import LOSSES

LOSS = torch.tensor([1.0, 2.0, 3.0, 6.0])
WEIGHT = torch.tensor([1.0, 0.0, 2.0, 0.5])


@pytest.mark.parametrize(("reduction", "expected"), [("mean", 3.0), ("sum", 12.0)])
def test_a_loss_is_reduced(reduction: str, expected: float) -> None:
    assert reduce_loss(LOSS, reduction).item() == expected


def test_none_leaves_the_elements() -> None:
    assert reduce_loss(LOSS, "none") is LOSS
    assert weight_reduce_loss(LOSS, WEIGHT, "none", avg_factor=7).tolist() == [1, 0, 6, 3]


def test_the_mean_is_over_all_elements_or_over_the_factor() -> None:
    assert weight_reduce_loss(LOSS, WEIGHT).item() == 10 / 4
    assert weight_reduce_loss(LOSS, WEIGHT, avg_factor=5).item() == pytest.approx(2)
    assert weight_reduce_loss(LOSS, WEIGHT, avg_factor=torch.tensor(5)).item() == pytest.approx(2)


def test_a_factor_of_nothing_keeps_nothing_finite() -> None:
    assert weight_reduce_loss(LOSS * 0, avg_factor=0).item() == 0


def test_the_mean_of_no_elements_is_a_zero_that_the_graph_knows() -> None:
    pred = torch.zeros(0, requires_grad=True)
    loss = weight_reduce_loss(pred * 2)
    loss.backward()
    assert loss.item() == 0
    assert pred.grad is not None


def test_a_factor_has_no_meaning_for_a_sum() -> None:
    with pytest.raises(OptionError, match="avg_factor"):
        weight_reduce_loss(LOSS, reduction="sum", avg_factor=3)
    with pytest.raises(OptionError, match="'none', 'mean', 'sum'"):
        reduce_loss(LOSS, "median")


def test_an_elementwise_function_gains_weight_and_average() -> None:
    @weighted_loss
    def difference(pred: torch.Tensor, target: torch.Tensor, power: int = 1) -> torch.Tensor:
        return (pred - target).abs() ** power

    zero = torch.zeros(4)
    assert difference(LOSS, zero, power=2).item() == (1 + 4 + 9 + 36) / 4
    assert difference(LOSS, zero, WEIGHT, "sum").item() == 10
    assert difference(LOSS, zero, avg_factor=6).item() == pytest.approx(2)


@pytest.mark.parametrize(
    "name", ["L1Loss", "SmoothL1Loss", "BalancedL1Loss", "MSELoss", "IoULoss", "GIoULoss"]
)
def test_every_loss_has_a_weight_a_reduction_and_an_override(name: str) -> None:
    draw = torch.Generator().manual_seed(0)
    corner = torch.rand(5, 2, generator=draw)
    boxes = torch.cat([corner, corner + 1], dim=1)
    target = boxes + 0.3
    plain, double = LOSSES.build({"type": name}), LOSSES.build({"type": name, "loss_weight": 2.0})
    elements = plain(boxes, target, reduction_override="none")
    torch.testing.assert_close(double(boxes, target), 2 * elements.mean())
    summed = LOSSES.build({"type": name, "reduction": "sum"})
    torch.testing.assert_close(summed(boxes, target), elements.sum())
    torch.testing.assert_close(plain(boxes, target, avg_factor=4), elements.sum() / 4)
    with pytest.raises(OptionError, match="reduction_override"):
        plain(boxes, target, reduction_override="max")
    with pytest.raises(OptionError, match="reduction"):
        LOSSES.build({"type": name, "reduction": "max"})
