"""Overlap of boxes against areas worked out by hand and a plain statement of the definition."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision.ops import box_iou, generalized_box_iou

from detcore.boxes import BboxOverlaps2D, bbox_overlaps
from detcore.errors import OptionError, ShapeError
from detcore.registries import IOU_CALCULATORS


def random_boxes(count: int, seed: int) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=draw) * 60
    return torch.cat([corner, corner + 1 + torch.rand(count, 2, generator=draw) * 40], dim=1)


def test_two_squares_that_share_a_quarter() -> None:
    square = torch.tensor([[0.0, 0.0, 4.0, 4.0]])
    moved = torch.tensor([[2.0, 2.0, 6.0, 6.0]])
    # shared 2 x 2 = 4, union 16 + 16 - 4 = 28, enclosing 6 x 6 = 36
    assert bbox_overlaps(square, moved).item() == pytest.approx(4 / 28)
    assert bbox_overlaps(square, moved, mode="iof").item() == pytest.approx(4 / 16)
    assert bbox_overlaps(square, moved, mode="giou").item() == pytest.approx(4 / 28 - 8 / 36)


def test_part_of_the_first_box_is_not_part_of_the_second() -> None:
    small = torch.tensor([[0.0, 0.0, 2.0, 2.0]])
    large = torch.tensor([[0.0, 0.0, 4.0, 4.0]])
    assert bbox_overlaps(small, large, mode="iof").item() == 1
    assert bbox_overlaps(large, small, mode="iof").item() == 0.25


def test_boxes_apart_overlap_nothing_and_giou_tells_how_far() -> None:
    left = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    right = torch.tensor([[3.0, 0.0, 4.0, 1.0]])
    assert bbox_overlaps(left, right).item() == 0
    # union 2, enclosing 4 x 1
    assert bbox_overlaps(left, right, mode="giou").item() == pytest.approx(-0.5)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 10**6))
def test_all_pairs_agree_with_torchvision(m: int, n: int, seed: int) -> None:
    first, second = random_boxes(m, seed), random_boxes(n, seed + 1)
    torch.testing.assert_close(bbox_overlaps(first, second), box_iou(first, second))
    torch.testing.assert_close(
        bbox_overlaps(first, second, mode="giou"), generalized_box_iou(first, second)
    )


@pytest.mark.parametrize("mode", ["iou", "iof", "giou"])
def test_aligned_overlap_is_the_diagonal_of_all_pairs(mode: str) -> None:
    first, second = random_boxes(7, 3), random_boxes(7, 4)
    aligned = bbox_overlaps(first, second, mode, is_aligned=True)
    torch.testing.assert_close(aligned, bbox_overlaps(first, second, mode).diagonal())


def test_leading_dimensions_are_a_batch() -> None:
    first, second = random_boxes(6, 1).reshape(2, 3, 4), random_boxes(8, 2).reshape(2, 4, 4)
    overlaps = bbox_overlaps(first, second)
    assert overlaps.shape == (2, 3, 4)
    torch.testing.assert_close(overlaps[1], bbox_overlaps(first[1], second[1]))


def test_no_boxes_give_an_empty_table() -> None:
    boxes = random_boxes(3, 0)
    assert bbox_overlaps(boxes, boxes[:0]).shape == (3, 0)
    assert bbox_overlaps(boxes[:0], boxes[:0], is_aligned=True).shape == (0,)


def test_boxes_without_area_give_zero_and_not_nan() -> None:
    point = torch.zeros(1, 4)
    assert bbox_overlaps(point, point).item() == 0
    assert bbox_overlaps(point, point, mode="iof").item() == 0


@pytest.mark.parametrize("mode", ["iou", "iof", "giou"])
def test_gradients_are_those_of_the_formula(mode: str) -> None:
    first = random_boxes(4, 5).double().requires_grad_()
    second = random_boxes(4, 6).double()
    assert torch.autograd.gradcheck(
        lambda boxes: bbox_overlaps(boxes, second, mode, is_aligned=True), (first,)
    )


def test_an_unknown_mode_is_named_with_the_known_ones() -> None:
    with pytest.raises(OptionError, match=r"'siou'.*'iou', 'iof', 'giou'"):
        bbox_overlaps(torch.zeros(1, 4), torch.zeros(1, 4), mode="siou")


def test_sets_that_do_not_pair_are_refused() -> None:
    with pytest.raises(ShapeError, match="as many boxes in both"):
        bbox_overlaps(torch.zeros(2, 4), torch.zeros(3, 4), is_aligned=True)
    with pytest.raises(ShapeError, match="leading dimensions"):
        bbox_overlaps(torch.zeros(2, 5), torch.zeros(3, 4))


def test_the_calculator_leaves_scores_out() -> None:
    calculator = IOU_CALCULATORS.build({"type": "BboxOverlaps2D"})
    boxes = random_boxes(3, 8)
    scored = torch.cat([boxes, torch.ones(3, 1)], dim=1)
    torch.testing.assert_close(calculator(scored, boxes), bbox_overlaps(boxes, boxes))


def test_half_precision_is_close_to_single_and_comes_back_as_single_on_a_cpu() -> None:
    boxes, others = random_boxes(5, 9), random_boxes(6, 10)
    overlaps = BboxOverlaps2D(scale=2.0, dtype="fp16")(boxes, others)
    assert overlaps.dtype == torch.float32
    torch.testing.assert_close(overlaps, bbox_overlaps(boxes, others), atol=5e-3, rtol=0)


def test_half_precision_without_a_scale_overflows_where_areas_are_large() -> None:
    large = torch.tensor([[0.0, 0.0, 500.0, 500.0]])
    assert BboxOverlaps2D(scale=100.0, dtype="fp16")(large, large).item() == pytest.approx(1)
    assert not BboxOverlaps2D(dtype="fp16")(large, large).isfinite().all()
