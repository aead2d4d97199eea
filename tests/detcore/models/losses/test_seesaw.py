from __future__ import annotations

from math import exp, log

import pytest
import torch

from detcore.errors import OptionError
from detcore.models.losses import SeesawLoss, seesaw_ce_loss


def test_a_frequent_class_does_not_push_a_rare_one() -> None:
    seen = torch.tensor([100.0, 1.0])
    logits = torch.zeros(2, 2)
    labels = torch.tensor([0, 1])
    loss = seesaw_ce_loss(logits, labels, None, seen, 2, 0.5, 0.0, 0.01, reduction="none")
    # Of class 0 the rare class 1 counts (1 / 100) ** 0.5; of class 1 the frequent one in full.
    assert loss.tolist() == pytest.approx([log(1 + 0.1), log(2)])


def test_a_wrong_class_that_is_scored_high_is_held_down() -> None:
    seen = torch.ones(2)
    logits = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    labels = torch.tensor([0, 0])
    loss = seesaw_ce_loss(logits, labels, None, seen, 2, 0.0, 2.0, 0.01, reduction="none")
    # The ratio of the scores is e, to the power of 2; where the true class leads, nothing changes.
    assert loss.tolist() == pytest.approx([log(1 + exp(1 + 2)), log(1 + exp(-1))])


def test_without_powers_it_is_cross_entropy() -> None:
    logits, labels = torch.randn(5, 3), torch.tensor([0, 1, 2, 0, 1])
    loss = seesaw_ce_loss(logits, labels, None, torch.ones(3), 3, 0.0, 0.0, 0.01)
    torch.testing.assert_close(loss, torch.nn.functional.cross_entropy(logits, labels))


def test_objects_and_background_have_a_loss_and_samples_are_counted() -> None:
    loss = SeesawLoss(num_classes=2, loss_weight=2.0)
    logits = torch.zeros(3, 4, requires_grad=True)
    found = loss(logits, torch.tensor([1, 2, 2]))
    assert found["loss_cls_objectness"].item() == pytest.approx(2 * log(2))
    # Two samples are background, but only classes of objects are compared: 1 against 0 seen.
    assert found["loss_cls_classes"].item() == pytest.approx(2 * log(2))
    assert loss.cum_samples.tolist() == [0, 1, 2]
    loss(logits, torch.tensor([0, 0, 2]))
    assert loss.cum_samples.tolist() == [2, 1, 3]
    assert list(loss.state_dict()) == ["cum_samples"]


def test_one_number_is_the_sum_of_both() -> None:
    logits, labels = torch.randn(4, 5), torch.tensor([0, 3, 1, 2])
    both = SeesawLoss(num_classes=3)(logits, labels)
    total = SeesawLoss(num_classes=3, return_dict=False)(logits, labels)
    torch.testing.assert_close(total, sum(both.values()))


def test_without_objects_the_classes_loss_is_0_and_has_a_gradient() -> None:
    logits = torch.randn(2, 4, requires_grad=True)
    found = SeesawLoss(num_classes=2)(logits, torch.tensor([2, 2]))
    assert found["loss_cls_classes"].item() == 0
    found["loss_cls_classes"].backward()
    assert logits.grad is not None


def test_scores_are_the_classs_times_the_objects_and_the_backgrounds_own() -> None:
    logits = torch.tensor([[0.0, log(3), log(4), 0.0]])
    scores = SeesawLoss(num_classes=2).get_activation(logits)
    # Classes 1/4 and 3/4; object 4/5, background 1/5.
    torch.testing.assert_close(scores, torch.tensor([[0.2, 0.6, 0.2]]))


def test_accuracies_are_of_objects_against_background_and_of_classes_among_objects() -> None:
    logits = torch.tensor([[1.0, 0, 1, 0], [1, 0, 0, 1], [1, 0, 1, 0]])
    found = SeesawLoss(num_classes=2).get_accuracy(logits, torch.tensor([0, 1, 2]))
    assert found["acc_objectness"].item() == pytest.approx(100 / 3)
    assert found["acc_classes"].item() == pytest.approx(50)


def test_settings_that_do_not_fit_are_named() -> None:
    with pytest.raises(OptionError, match="use_sigmoid"):
        SeesawLoss(use_sigmoid=True)
    with pytest.raises(OptionError, match="num_classes=3 in the loss, 80 in the head"):
        SeesawLoss(num_classes=3).get_cls_channels(80)
