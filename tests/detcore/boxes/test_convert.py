"""Boxes from one form to another."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from detcore.boxes import (
    boxes_to_results,
    boxes_to_rois,
    clip_boxes,
    cxcywh_to_xyxy,
    flip_boxes,
    inside_mask,
    map_boxes,
    map_boxes_back,
    rescale_boxes,
    rois_to_boxes,
    scale_boxes,
    xyxy_to_cxcywh,
)
from detcore.errors import OptionError

BOX = torch.tensor([[1.0, 2.0, 5.0, 8.0]])
SHAPE = (20, 10)  # height, width


def test_rois_carry_the_index_of_their_image() -> None:
    rois = boxes_to_rois([BOX, BOX[:0], torch.cat([BOX, BOX]) + 1])
    assert rois[:, 0].tolist() == [0, 2, 2]
    assert rois[0, 1:].tolist() == [1, 2, 5, 8]
    assert [len(boxes) for boxes in rois_to_boxes(rois)] == [1, 2]


def test_rois_leave_scores_out() -> None:
    assert boxes_to_rois([torch.ones(2, 5)]).shape == (2, 5)


def test_results_are_sorted_into_classes_in_the_order_given() -> None:
    boxes = torch.arange(20.0).reshape(4, 5)
    results = boxes_to_results(boxes, torch.tensor([2, 0, 2, 0]), 3)
    assert [part.shape for part in results] == [(2, 5), (0, 5), (2, 5)]
    assert results[0][:, 0].tolist() == [5, 15]
    assert results[2][:, 0].tolist() == [0, 10]


def test_results_of_nothing_are_empty_arrays() -> None:
    results = boxes_to_results(torch.zeros(0, 5), torch.zeros(0, dtype=torch.long), 2)
    assert [(part.shape, part.dtype) for part in results] == [((0, 5), np.float32)] * 2


@pytest.mark.parametrize(
    ("direction", "expected"),
    [
        ("horizontal", [5, 2, 9, 8]),  # x: 10 - 5, 10 - 1
        ("vertical", [1, 12, 5, 18]),  # y: 20 - 8, 20 - 2
        ("diagonal", [5, 12, 9, 18]),
    ],
)
def test_a_flip_mirrors_inside_the_image(direction: str, expected: list[float]) -> None:
    assert flip_boxes(BOX, SHAPE, direction)[0].tolist() == expected
    assert flip_boxes(BOX.repeat(1, 2), SHAPE, direction)[0].tolist() == expected * 2


def test_an_unknown_direction_is_refused() -> None:
    with pytest.raises(OptionError, match="horizontal"):
        flip_boxes(BOX, SHAPE, "up")


def test_rescaling_divides_each_side_by_its_factor() -> None:
    assert rescale_boxes(BOX, [2, 4, 2, 4])[0].tolist() == [0.5, 0.5, 2.5, 2]
    assert rescale_boxes(BOX.repeat(1, 2), np.array([1, 2, 1, 2]))[0].tolist() == [
        *(1, 1, 5, 4),
        *(1, 1, 5, 4),
    ]
    assert rescale_boxes(BOX, 2.0)[0].tolist() == [0.5, 1, 2.5, 4]
    assert rescale_boxes(BOX[:0].repeat(1, 3), [2, 4, 2, 4]).shape == (0, 12)


def test_mapping_back_undoes_mapping() -> None:
    scale = np.array([2.0, 1.5, 2.0, 1.5], dtype=np.float32)
    view = map_boxes(BOX, (30, 20), scale, True, "diagonal")
    # scaled to 2 3 10 12, mirrored in 20 x 30
    assert view[0].tolist() == [10, 18, 18, 27]
    torch.testing.assert_close(map_boxes_back(view, (30, 20), scale, True, "diagonal"), BOX)


def test_clipping_keeps_boxes_inside_one_shape_or_one_a_row_of_the_batch() -> None:
    boxes = torch.tensor([[-3.0, -1.0, 12.0, 25.0]])
    assert clip_boxes(boxes, (20, 10, 3))[0].tolist() == [0, 0, 10, 20]
    assert clip_boxes(boxes.repeat(1, 2), (20, 10))[0].tolist() == [0, 0, 10, 20] * 2
    batch = clip_boxes(boxes.expand(2, 1, 4), [(20, 10), (5, 6)])
    assert batch[:, 0].tolist() == [[0, 0, 10, 20], [0, 0, 6, 5]]


def test_scaling_keeps_the_centre() -> None:
    assert scale_boxes(BOX, 0.5)[0].tolist() == [2, 3.5, 4, 6.5]
    roi = torch.cat([torch.tensor([[7.0]]), BOX], dim=1)
    assert scale_boxes(roi, 2.0)[0].tolist() == [7, -1, -1, 7, 11]


def test_a_box_counts_as_inside_while_a_part_of_it_is() -> None:
    boxes = torch.tensor([[-5.0, 0, 1, 1], [-5.0, 0, 0, 1], [10.0, 0, 12, 1], [9.0, 19, 12, 30]])
    assert inside_mask(boxes, 20, 10).tolist() == [True, False, False, True]


def test_centre_and_size_and_back() -> None:
    assert xyxy_to_cxcywh(BOX)[0].tolist() == [3, 5, 4, 6]
    torch.testing.assert_close(cxcywh_to_xyxy(xyxy_to_cxcywh(BOX)), BOX)
