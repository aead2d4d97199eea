"""Losses of the distance of numbers and of masks."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from detcore.errors import OptionError, ShapeError
from detcore.models.losses import BalancedL1Loss, DiceLoss, L1Loss, MSELoss, SmoothL1Loss
from detcore.registries import LOSSES

PRED = torch.tensor([0.0, 0.5, -2.0, 3.0])
TARGET = torch.tensor([0.0, 0.25, 1.0, 3.5])  # 0, 0.25, 3 and 0.5 apart


def test_absolute_and_squared_difference() -> None:
    assert L1Loss()(PRED, TARGET).item() == (0.25 + 3 + 0.5) / 4
    assert MSELoss()(PRED, TARGET).item() == (0.0625 + 9 + 0.25) / 4


@pytest.mark.parametrize("beta", [1.0, 0.4, 1 / 9])
def test_smooth_l1_is_torchs(beta: float) -> None:
    loss = SmoothL1Loss(beta=beta)(PRED, TARGET)
    torch.testing.assert_close(loss, F.smooth_l1_loss(PRED, TARGET, beta=beta))


def test_balanced_l1_promotes_small_distances() -> None:
    alpha, gamma, beta = 0.5, 1.5, 1.0
    b = math.exp(3) - 1

    def near(x: float) -> float:
        return alpha / b * (b * x + 1) * math.log(b * x / beta + 1) - alpha * x

    expected = [near(0), near(0.25), gamma * 3 + gamma / b - alpha * beta, near(0.5)]
    loss = BalancedL1Loss(alpha, gamma, beta)(PRED, TARGET, reduction_override="none")
    torch.testing.assert_close(loss, torch.tensor(expected))


def test_balanced_l1_has_no_step_where_easy_samples_end() -> None:
    below, above = BalancedL1Loss()(
        torch.tensor([1 - 1e-5, 1 + 1e-5]), torch.zeros(2), reduction_override="none"
    )
    assert below.item() == pytest.approx(above.item(), abs=1e-4)


@pytest.mark.parametrize("name", ["L1Loss", "SmoothL1Loss", "BalancedL1Loss", "MSELoss"])
def test_no_targets_cost_nothing(name: str) -> None:
    pred = torch.zeros(0, 4, requires_grad=True)
    criterion = LOSSES.build({"type": name})
    for loss in (
        criterion(pred, torch.zeros(0, 4), torch.zeros(0, 4), avg_factor=1),
        criterion(pred, torch.zeros(0, 4)),
    ):
        loss.backward()
        assert loss.item() == 0


@pytest.mark.parametrize("name", ["L1Loss", "SmoothL1Loss", "BalancedL1Loss"])
def test_shapes_that_would_broadcast_are_refused(name: str) -> None:
    with pytest.raises(ShapeError, match="differ in shape"):
        LOSSES.build({"type": name})(torch.zeros(3, 4), torch.zeros(3, 1))


def test_a_quadratic_part_of_no_width_is_refused() -> None:
    with pytest.raises(OptionError, match="use L1Loss"):
        SmoothL1Loss(beta=0)


class TestDice:
    pred = torch.tensor([[[0.5, 1.0], [0.0, 0.0]]])
    target = torch.tensor([[[1.0, 1.0], [1.0, 0.0]]])

    def test_sizes_are_of_squares(self) -> None:
        # shared 1.5; sizes 1.25 and 3, each with 0.001
        loss = DiceLoss(activate=False)(self.pred, self.target)
        assert loss.item() == pytest.approx(1 - 3 / (1.251 + 3.001))

    def test_the_naive_form_takes_sums(self) -> None:
        loss = DiceLoss(activate=False, naive_dice=True, eps=1.0)(self.pred, self.target)
        assert loss.item() == pytest.approx(1 - (3 + 1) / (1.5 + 3 + 1))

    def test_logits_pass_through_the_sigmoid(self) -> None:
        logits = torch.logit(self.pred.clamp(1e-6, 1 - 1e-6))
        loss = DiceLoss(loss_weight=2.0)(logits, self.target)
        assert loss.item() == pytest.approx(2 * (1 - 3 / (1.251 + 3.001)), rel=1e-4)

    def test_weights_are_of_samples(self) -> None:
        pred, target = self.pred.repeat(2, 1, 1), self.target.repeat(2, 1, 1)
        weight = torch.tensor([1.0, 3.0])
        loss = DiceLoss(activate=False)(pred, target, weight, avg_factor=2)
        assert loss.item() == pytest.approx((1 - 3 / (1.251 + 3.001)) * 2)

    def test_another_activation_is_refused(self) -> None:
        with pytest.raises(OptionError, match="sigmoid"):
            DiceLoss(use_sigmoid=False)
