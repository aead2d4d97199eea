"""Cross entropy: over classes, over independent questions, over masks."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from detcore.errors import OptionError
from detcore.models.losses import CrossEntropyLoss
from detcore.registries import LOSSES

LOGITS = torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, -1.0]])
LABELS = torch.tensor([0, 2, 1])


def softmax_loss(row: list[float], label: int) -> float:
    return math.log(sum(math.exp(value) for value in row)) - row[label]


ROWS = [
    softmax_loss(row, label) for row, label in zip(LOGITS.tolist(), LABELS.tolist(), strict=True)
]


class TestSoftmax:
    def test_it_is_the_mean_of_the_negative_logarithm(self) -> None:
        assert CrossEntropyLoss()(LOGITS, LABELS).item() == pytest.approx(sum(ROWS) / 3)

    def test_samples_and_classes_have_weights(self) -> None:
        weight = torch.tensor([1.0, 0.0, 2.0])
        loss = CrossEntropyLoss()(LOGITS, LABELS, weight, avg_factor=2)
        assert loss.item() == pytest.approx((ROWS[0] + 2 * ROWS[2]) / 2)
        loss = CrossEntropyLoss(class_weight=[1.0, 3.0, 0.5])(LOGITS, LABELS)
        assert loss.item() == pytest.approx((ROWS[0] + 0.5 * ROWS[1] + 3 * ROWS[2]) / 3)

    def test_ignored_labels_count_in_the_mean_only_where_told(self) -> None:
        with pytest.warns(UserWarning, match="avg_non_ignore"):
            counting = CrossEntropyLoss(ignore_index=2)
        assert counting(LOGITS, LABELS).item() == pytest.approx((ROWS[0] + ROWS[2]) / 3)
        leaving = CrossEntropyLoss(ignore_index=2, avg_non_ignore=True)
        assert leaving(LOGITS, LABELS).item() == pytest.approx((ROWS[0] + ROWS[2]) / 2)
        assert leaving(LOGITS, LABELS, ignore_index=1).item() == pytest.approx(
            (ROWS[0] + ROWS[1]) / 2
        )

    def test_maps_of_logits_have_a_loss_a_pixel(self) -> None:
        logits = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
        labels = torch.randint(0, 3, (2, 4, 5), generator=torch.Generator().manual_seed(1))
        labels[0, 0] = 255
        loss = CrossEntropyLoss(ignore_index=255, avg_non_ignore=True)(logits, labels)
        torch.testing.assert_close(loss, F.cross_entropy(logits, labels, ignore_index=255))

    def test_no_samples_cost_nothing(self) -> None:
        logits = torch.zeros(0, 3, requires_grad=True)
        loss = CrossEntropyLoss()(logits, LABELS[:0])
        loss.backward()
        assert loss.item() == 0


class TestSigmoid:
    def test_a_class_beyond_the_last_is_background(self) -> None:
        logits = torch.tensor([[1.0], [1.0]])
        loss = CrossEntropyLoss(use_sigmoid=True)(
            logits, torch.tensor([0, 1]), reduction_override="none"
        )
        # log(1 + e^-1) for an object, log(1 + e) for background
        expected = [[math.log1p(math.exp(-1))], [math.log1p(math.exp(1))]]
        torch.testing.assert_close(loss, torch.tensor(expected))

    def test_classes_and_one_hot_targets_cost_the_same(self) -> None:
        weight = torch.tensor([1.0, 0.5, 2.0])
        criterion = CrossEntropyLoss(use_sigmoid=True, loss_weight=3.0)
        one_hot = F.one_hot(LABELS, 3).float()
        expected = 3 * F.binary_cross_entropy_with_logits(LOGITS, one_hot, weight[:, None])
        torch.testing.assert_close(criterion(LOGITS, LABELS, weight), expected)
        torch.testing.assert_close(criterion(LOGITS, one_hot, weight[:, None]), expected)

    def test_negative_and_ignored_labels_cost_nothing(self) -> None:
        labels = torch.tensor([0, -1, 1])
        criterion = CrossEntropyLoss(use_sigmoid=True, ignore_index=1, avg_non_ignore=True)
        loss = criterion(LOGITS, labels)
        target = torch.tensor([[1.0, 0, 0]])
        torch.testing.assert_close(loss, F.binary_cross_entropy_with_logits(LOGITS[:1], target))
        loss = criterion(LOGITS, labels, reduction_override="none")
        assert loss[1:].abs().max() == 0

    def test_soft_targets_are_taken_as_they_are(self) -> None:
        target = torch.tensor([0.25, 1.0])
        logits = torch.tensor([0.5, -0.5])
        loss = CrossEntropyLoss(use_sigmoid=True)(logits, target)
        torch.testing.assert_close(loss, F.binary_cross_entropy_with_logits(logits, target))

    def test_class_weights_are_of_the_positive_answers(self) -> None:
        loss = CrossEntropyLoss(use_sigmoid=True, class_weight=[1.0, 2.0, 3.0])(LOGITS, LABELS)
        expected = F.binary_cross_entropy_with_logits(
            LOGITS, F.one_hot(LABELS, 3).float(), pos_weight=torch.tensor([1.0, 2.0, 3.0])
        )
        torch.testing.assert_close(loss, expected)


class TestMask:
    logits = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    target = (torch.rand(2, 4, 4, generator=torch.Generator().manual_seed(1)) > 0.5).float()

    def test_only_the_mask_of_the_own_class_counts(self) -> None:
        loss = CrossEntropyLoss(use_mask=True, loss_weight=2.0)(
            self.logits, self.target, torch.tensor([2, 0])
        )
        own = torch.stack([self.logits[0, 2], self.logits[1, 0]])
        expected = 2 * F.binary_cross_entropy_with_logits(own, self.target)
        torch.testing.assert_close(loss, expected[None])

    def test_no_regions_cost_nothing(self) -> None:
        logits = self.logits[:0].requires_grad_()
        loss = CrossEntropyLoss(use_mask=True)(logits, self.target[:0], LABELS[:0])
        loss.sum().backward()
        assert loss.tolist() == [0]

    def test_another_average_is_refused(self) -> None:
        with pytest.raises(OptionError, match="plain mean"):
            CrossEntropyLoss(use_mask=True)(
                self.logits, self.target, torch.tensor([2, 0]), avg_factor=3
            )


def test_sigmoid_and_mask_exclude_each_other() -> None:
    with pytest.raises(OptionError, match="exclude"):
        LOSSES.build({"type": "CrossEntropyLoss", "use_sigmoid": True, "use_mask": True})
