"""Losses of overlap: numbers by hand, torchvision's, and degenerate boxes."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torchvision import ops

from detcore.errors import OptionError
from detcore.models.losses import BoundedIoULoss, CIoULoss, DIoULoss, GIoULoss, IoULoss
from detcore.registries import LOSSES

SQUARE = torch.tensor([[0.0, 0.0, 4.0, 4.0]])
MOVED = torch.tensor([[2.0, 2.0, 6.0, 6.0]])  # IoU 4 / 28, enclosing 36
NAMES = ["IoULoss", "BoundedIoULoss", "GIoULoss", "DIoULoss", "CIoULoss"]


def random_boxes(count: int, seed: int) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=draw) * 10
    return torch.cat([corner, corner + 1 + torch.rand(count, 2, generator=draw) * 8], dim=1)


def test_the_three_forms_of_the_iou() -> None:
    iou = 4 / 28
    assert IoULoss()(SQUARE, MOVED).item() == pytest.approx(-math.log(iou))
    assert IoULoss(mode="linear")(SQUARE, MOVED).item() == pytest.approx(1 - iou)
    assert IoULoss(mode="square")(SQUARE, MOVED).item() == pytest.approx(1 - iou**2)
    with pytest.warns(UserWarning, match="mode='linear'"):
        assert IoULoss(linear=True)(SQUARE, MOVED).item() == pytest.approx(1 - iou)


def test_boxes_apart_cost_the_logarithm_of_the_least_iou() -> None:
    assert IoULoss(eps=1e-3)(SQUARE, MOVED + 50).item() == pytest.approx(-math.log(1e-3))


def test_the_generalised_forms() -> None:
    iou = 4 / 28
    assert GIoULoss()(SQUARE, MOVED).item() == pytest.approx(1 - (iou - 8 / 36))
    # centres 2 and 2 apart, enclosing diagonal 6 and 6
    assert DIoULoss()(SQUARE, MOVED).item() == pytest.approx(1 - iou + 8 / 72)
    # equal aspect ratios add nothing
    assert CIoULoss()(SQUARE, MOVED).item() == pytest.approx(1 - iou + 8 / 72)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("GIoULoss", ops.generalized_box_iou_loss),
        ("DIoULoss", ops.distance_box_iou_loss),
    ],
)
def test_they_are_torchvisions(name: str, theirs: object) -> None:
    pred, target = random_boxes(40, 0), random_boxes(40, 1)
    loss = LOSSES.build({"type": name})(pred, target, reduction_override="none")
    torch.testing.assert_close(loss, theirs(pred, target), rtol=1e-4, atol=1e-5)  # type: ignore[operator]


def test_an_aspect_ratio_counts_only_where_boxes_overlap_by_half() -> None:
    wide, square = torch.tensor([[0.0, 0, 8, 5]]), torch.tensor([[0.0, 0, 6, 6]])
    # shared 6 x 5, union 40 + 36 - 30 = 46; centres (4, 2.5) and (3, 3); enclosing 8 x 6
    iou, distance = 30 / 46, (1 + 0.25) / 100
    aspect = 4 / math.pi**2 * (math.atan(1) - math.atan(8 / 5)) ** 2
    alpha = aspect / (1 - iou + aspect)
    expected = 1 - (iou - distance - alpha * aspect)
    assert CIoULoss()(wide, square).item() == pytest.approx(expected, rel=1e-4)
    far = square + torch.tensor([4.0, 3, 4, 3])
    torch.testing.assert_close(CIoULoss()(wide, far), DIoULoss()(wide, far))


def test_the_bounded_form_takes_each_error_alone() -> None:
    target = torch.tensor([[0.0, 0.0, 8.0, 8.0]])
    pred = torch.tensor([[1.0, 0.0, 9.0, 4.0]])
    # one pixel to the right: 1 - (8 - 2) / (8 + 2) = 0.4
    # centre 2 higher: 1 - (8 - 4) / (8 + 4) = 2/3; equal width: 0; half the height: 1/2
    loss = BoundedIoULoss(beta=0.2, eps=1e-9)(pred, target, reduction_override="none")
    expected = torch.tensor([[0.4 - 0.1, 2 / 3 - 0.1, 0.0, 0.5 - 0.1]])
    torch.testing.assert_close(loss, expected)
    near = torch.tensor([[0.2, 0.0, 8.2, 8.0]])
    loss = BoundedIoULoss(beta=0.2, eps=1e-9)(near, target, reduction_override="none")
    error = 1 - 7.6 / 8.4
    assert loss[0, 0].item() == pytest.approx(0.5 * error**2 / 0.2, rel=1e-4)


@pytest.mark.parametrize("name", ["IoULoss", "GIoULoss", "DIoULoss", "CIoULoss"])
def test_weights_of_four_coordinates_are_averaged(name: str) -> None:
    pred, target = random_boxes(3, 0), random_boxes(3, 1)
    criterion = LOSSES.build({"type": name, "loss_weight": 2.0})
    elements = criterion(pred, target, reduction_override="none")
    weight = torch.tensor([1.0, 0.0, 0.5])
    expected = (elements * weight).sum() / 3
    torch.testing.assert_close(criterion(pred, target, weight), expected)
    torch.testing.assert_close(criterion(pred, target, weight[:, None].expand(3, 4)), expected)


def test_the_bounded_form_weighs_coordinates() -> None:
    pred, target = random_boxes(3, 0), random_boxes(3, 1)
    elements = BoundedIoULoss()(pred, target, reduction_override="none")
    weight = torch.tensor([[1.0, 0, 0, 2], [0, 0, 0, 0], [0, 3, 0, 0]])
    loss = BoundedIoULoss()(pred, target, weight, avg_factor=2)
    torch.testing.assert_close(loss, (elements * weight).sum() / 2)
    per_box = BoundedIoULoss()(pred, target, torch.tensor([1.0, 0, 0]), avg_factor=2)
    torch.testing.assert_close(per_box, elements[0].sum() / 2)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("columns", [None, 4])
def test_boxes_that_do_not_count_cost_nothing_even_if_degenerate(
    name: str, columns: int | None
) -> None:
    pred = torch.zeros(2, 4, requires_grad=True)
    weight = torch.zeros(2) if columns is None else torch.zeros(2, columns)
    loss = LOSSES.build({"type": name})(pred, torch.zeros(2, 4), weight, avg_factor=1)
    loss.backward()
    assert loss.item() == 0
    assert pred.grad.abs().max() == 0


@pytest.mark.parametrize("name", NAMES)
def test_no_boxes_cost_nothing(name: str) -> None:
    pred = torch.zeros(0, 4, requires_grad=True)
    criterion = LOSSES.build({"type": name})
    for loss in (
        criterion(pred, torch.zeros(0, 4)),
        criterion(pred, torch.zeros(0, 4), torch.zeros(0, 4), avg_factor=1),
    ):
        loss.backward()
        assert loss.item() == 0


@pytest.mark.parametrize("name", NAMES)
def test_equal_boxes_cost_next_to_nothing_and_learn_nothing_infinite(name: str) -> None:
    pred = random_boxes(5, 3).requires_grad_()
    loss = LOSSES.build({"type": name})(pred, pred.detach().clone())
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-5)
    assert pred.grad.isfinite().all()


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(OptionError, match="'linear', 'square', 'log'"):
        IoULoss(mode="cubic")
