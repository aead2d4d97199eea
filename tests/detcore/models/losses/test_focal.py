"""Focal losses against torchvision and against their formulas."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import sigmoid_focal_loss

from detcore.errors import OptionError, ShapeError
from detcore.models.losses import (
    DistributionFocalLoss,
    FocalLoss,
    GaussianFocalLoss,
    QualityFocalLoss,
    VarifocalLoss,
    focal_sum,
)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * 3


LOGITS = draw(12, 5)
LABELS = torch.tensor([0, 1, 2, 3, 4, 5, 5, 5, 5, 2, 5, 0])  # 5 is background
ONE_HOT = F.one_hot(LABELS, 6)[:, :5].float()


class TestFocal:
    @pytest.mark.parametrize(("gamma", "alpha"), [(2.0, 0.25), (0.0, 0.5), (1.5, 0.9)])
    def test_it_is_torchvisions_with_its_gradient(self, gamma: float, alpha: float) -> None:
        ours, theirs = LOGITS.clone().requires_grad_(), LOGITS.clone().requires_grad_()
        loss = FocalLoss(gamma=gamma, alpha=alpha)(ours, LABELS)
        expected = sigmoid_focal_loss(theirs, ONE_HOT, alpha, gamma, "mean")
        torch.testing.assert_close(loss, expected)
        loss.backward()
        expected.backward()
        torch.testing.assert_close(ours.grad, theirs.grad)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_its_sum_is_exact_for_logits_of_any_size(self, dtype: torch.dtype) -> None:
        sizes = torch.logspace(-30, 2, 400, dtype=dtype)
        background = torch.ones(1, dtype=torch.int64)
        for logit in torch.cat([sizes, -sizes]):
            ours = logit.reshape(1, 1).requires_grad_()
            theirs = logit.double().reshape(1, 1).requires_grad_()
            loss = focal_sum.focal_sum(ours, background, None, 2.0, 0.25)
            expected = 0.75 * theirs.sigmoid() ** 2 * -F.logsigmoid(-theirs)
            slope = torch.autograd.grad(expected, theirs)[0]
            tolerance = {"rtol": 8 * torch.finfo(dtype).eps, "atol": torch.finfo(dtype).tiny}
            torch.testing.assert_close(loss.double(), expected.squeeze(), **tolerance)
            loss.backward()
            torch.testing.assert_close(ours.grad.double(), slope, **tolerance)

    @pytest.mark.parametrize("logit", [math.inf, -math.inf, math.nan])
    def test_an_infinite_logit_costs_all_or_nothing(self, logit: float) -> None:
        background = torch.ones(1, dtype=torch.int64)
        loss = focal_sum.focal_sum(torch.tensor([[logit]]), background, None, 2.0, 0.25)
        expected = torch.tensor(0.0 if logit == -math.inf else logit)
        torch.testing.assert_close(loss, expected, equal_nan=True)

    def test_one_hot_and_soft_targets_are_taken_as_they_are(self) -> None:
        torch.testing.assert_close(FocalLoss()(LOGITS, ONE_HOT), FocalLoss()(LOGITS, LABELS))

    def test_probabilities_cost_what_their_logits_do(self) -> None:
        criterion = FocalLoss(activated=True)
        expected = FocalLoss()(LOGITS, LABELS)
        torch.testing.assert_close(criterion(LOGITS.sigmoid(), LABELS), expected)
        torch.testing.assert_close(criterion(LOGITS.sigmoid(), ONE_HOT), expected)

    def test_weights_are_of_samples_or_of_elements(self) -> None:
        elements = sigmoid_focal_loss(LOGITS, ONE_HOT)
        weight = torch.rand(12, generator=torch.Generator().manual_seed(1))
        expected = (elements * weight[:, None]).sum() / 7
        torch.testing.assert_close(FocalLoss()(LOGITS, LABELS, weight, 7), expected)
        each = weight[:, None].expand(12, 5)
        torch.testing.assert_close(FocalLoss()(LOGITS, LABELS, each, 7), expected)
        torch.testing.assert_close(FocalLoss()(LOGITS, LABELS, each.reshape(-1), 7), expected)
        with pytest.raises(ShapeError, match="one a sample or one an element"):
            FocalLoss()(LOGITS, LABELS, weight[:3])

    def test_large_logits_stay_finite(self) -> None:
        logits = torch.tensor([[200.0, -200.0]], requires_grad=True)
        loss = FocalLoss()(logits, torch.tensor([1]))
        loss.backward()
        # (0.75 * 200 + 0.25 * 200) / 2
        assert loss.item() == pytest.approx(100)
        assert logits.grad.isfinite().all()

    def test_no_samples_cost_nothing(self) -> None:
        logits = torch.zeros(0, 5, requires_grad=True)
        loss = FocalLoss()(logits, LABELS[:0], avg_factor=1)
        loss.backward()
        assert loss.item() == 0

    @pytest.mark.parametrize("weighted", [False, True])
    @pytest.mark.parametrize("gamma", [2.0, 1.5])
    def test_the_gradient_of_the_sum_is_the_formulas(
        self, gamma: float, weighted: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(focal_sum, "_AT_ONCE_ON_CPU", 25)  # five of the twelve rows
        weight = torch.rand(12, generator=torch.Generator().manual_seed(1)) if weighted else None

        def loss(logits: Tensor) -> Tensor:
            return FocalLoss(gamma=gamma)(logits, LABELS, weight, avg_factor=3)

        assert torch.autograd.gradcheck(loss, LOGITS.double().requires_grad_())

    def test_the_sum_is_that_of_the_single_losses(self) -> None:
        weight = torch.rand(12, generator=torch.Generator().manual_seed(1))
        single = FocalLoss(reduction="none")(LOGITS, LABELS, weight)
        for reduction, expected in (("sum", single.sum()), ("mean", single.mean())):
            loss = FocalLoss(reduction=reduction)(LOGITS, LABELS, weight)
            torch.testing.assert_close(loss, expected)
        with pytest.raises(OptionError, match="avg_factor"):
            FocalLoss(reduction="sum")(LOGITS, LABELS, avg_factor=2)


class TestQuality:
    quality = torch.rand(12, generator=torch.Generator().manual_seed(2))

    def expected(self, beta: float) -> Tensor:
        rows = []
        for logits, label, quality in zip(LOGITS, LABELS, self.quality, strict=True):
            total = torch.tensor(0.0)
            for column, logit in enumerate(logits):
                target = quality if column == label else torch.tensor(0.0)
                entropy = F.binary_cross_entropy_with_logits(logit, target)
                total = total + entropy * (target - logit.sigmoid()).abs() ** beta
            rows.append(total)
        return torch.stack(rows)

    @pytest.mark.parametrize("beta", [2.0, 1.0])
    def test_the_target_of_the_class_is_the_quality_of_the_box(self, beta: float) -> None:
        loss = QualityFocalLoss(beta=beta)(
            LOGITS, (LABELS, self.quality), reduction_override="none"
        )
        torch.testing.assert_close(loss, self.expected(beta))

    def test_probabilities_cost_what_their_logits_do(self) -> None:
        loss = QualityFocalLoss(activated=True)(LOGITS.sigmoid(), (LABELS, self.quality))
        torch.testing.assert_close(loss, self.expected(2.0).mean(), rtol=1e-4, atol=1e-5)

    def test_a_weight_is_of_a_sample(self) -> None:
        weight = torch.zeros(12)
        weight[3] = 2.0
        loss = QualityFocalLoss(loss_weight=0.5)(LOGITS, (LABELS, self.quality), weight, 4)
        torch.testing.assert_close(loss, self.expected(2.0)[3] * 2 / 4 * 0.5)

    def test_a_target_without_quality_is_refused(self) -> None:
        with pytest.raises(OptionError, match="labels, qualities"):
            QualityFocalLoss()(LOGITS, (LABELS,))


def test_a_distribution_gathers_at_the_two_bins_around_the_target() -> None:
    logits = draw(2, 4)
    loss = DistributionFocalLoss()(logits, torch.tensor([1.25, 2.0]), reduction_override="none")
    log_p = logits.log_softmax(dim=1)
    expected = torch.stack([-0.75 * log_p[0, 1] - 0.25 * log_p[0, 2], -log_p[1, 2]])
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("iou_weighted", [True, False])
def test_varifocal_weighs_objects_by_quality_and_background_by_ease(iou_weighted: bool) -> None:
    logits = torch.tensor([[0.4, -1.0]])
    target = torch.tensor([[0.6, 0.0]])
    loss = VarifocalLoss(alpha=0.75, gamma=2.0, iou_weighted=iou_weighted)(
        logits, target, reduction_override="none"
    )
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    focus = [0.6 if iou_weighted else 1.0, 0.75 * torch.tensor(-1.0).sigmoid().item() ** 2]
    torch.testing.assert_close(loss, entropy * torch.tensor([focus]))


def test_gaussian_focal_spares_the_sides_of_a_peak() -> None:
    probability, target = torch.tensor([0.8, 0.3, 0.3]), torch.tensor([1.0, 0.5, 0.0])
    loss = GaussianFocalLoss(alpha=2.0, gamma=4.0)(probability, target, reduction_override="none")
    side = -math.log(0.7) * 0.3**2
    expected = [-math.log(0.8) * 0.2**2, side * 0.5**4, side]
    torch.testing.assert_close(loss, torch.tensor(expected))


@pytest.mark.parametrize(
    "make",
    [
        lambda: FocalLoss(use_sigmoid=False),
        lambda: QualityFocalLoss(use_sigmoid=False),
        lambda: VarifocalLoss(use_sigmoid=False),
        lambda: VarifocalLoss(alpha=-1.0),
    ],
)
def test_what_is_not_known_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(OptionError, match=r"use_sigmoid|alpha"):
        make()
