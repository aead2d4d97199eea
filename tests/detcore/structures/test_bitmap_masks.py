"""Bitmap masks through every transform."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from detcore.errors import ShapeError
from detcore.structures import BitmapMasks


def box_mask(height: int, width: int, x1: int, y1: int, x2: int, y2: int) -> np.ndarray:
    mask = np.zeros((height, width), dtype=np.uint8)
    mask[y1:y2, x1:x2] = 1
    return mask


@pytest.fixture
def masks() -> BitmapMasks:
    """Two boxes in an image of 6 x 8."""
    return BitmapMasks([box_mask(6, 8, 1, 2, 4, 5), box_mask(6, 8, 0, 0, 8, 1)], 6, 8)


EMPTY = BitmapMasks([], 6, 8)


def test_areas_and_boxes_are_those_of_the_pixels(masks: BitmapMasks) -> None:
    assert masks.areas.tolist() == [9, 8]
    assert masks.get_bboxes().tolist() == [[1, 2, 4, 5], [0, 0, 8, 1]]
    assert BitmapMasks(np.zeros((1, 6, 8)), 6, 8).get_bboxes().tolist() == [[0, 0, 0, 0]]


def test_masks_are_indexed_like_an_array(masks: BitmapMasks) -> None:
    assert masks[1].areas.tolist() == [8]
    assert masks[np.array([False, True])].areas.tolist() == [8]
    assert masks[[1, 0]].areas.tolist() == [8, 9]
    assert masks[:0].masks.shape == (0, 6, 8)
    assert [mask.sum() for mask in masks] == [9, 8]


def test_resizing_takes_the_nearest_pixel(masks: BitmapMasks) -> None:
    doubled = masks.resize((12, 16))
    assert doubled.get_bboxes().tolist() == [[2, 4, 8, 10], [0, 0, 16, 2]]
    # Half: pixels 0 2 4 6 and rows 0 2 4 are taken.
    halved = masks.resize((3, 4))
    assert halved.get_bboxes().tolist() == [[1, 1, 2, 3], [0, 0, 4, 1]]
    assert (halved.height, halved.width) == (3, 4)


def test_rescaling_keeps_the_aspect(masks: BitmapMasks) -> None:
    assert masks.rescale(2.0).masks.shape == (2, 12, 16)
    # Long edge 8 to 16 would make the short one 12; 9 allows a factor of 1.5 only.
    assert masks.rescale((16, 9)).masks.shape == (2, 9, 12)
    assert EMPTY.rescale(2.0).masks.shape == (0, 12, 16)


@pytest.mark.parametrize(
    ("direction", "expected"),
    [("horizontal", [4, 2, 7, 5]), ("vertical", [1, 1, 4, 4]), ("diagonal", [4, 1, 7, 4])],
)
def test_a_flip_mirrors(masks: BitmapMasks, direction: str, expected: list[int]) -> None:
    assert masks.flip(direction).get_bboxes()[0].tolist() == expected


def test_padding_grows_to_the_right_and_below(masks: BitmapMasks) -> None:
    padded = masks.pad((7, 10), pad_val=1)
    assert padded.masks.shape == (2, 7, 10)
    assert padded.masks[0, :6, :8].sum() == 9
    assert padded.masks[0].sum() == 9 + 10 + 2 * 6
    assert EMPTY.pad((7, 10)).masks.shape == (0, 7, 10)
    with pytest.raises(ShapeError, match="crop instead"):
        masks.pad((5, 8))


def test_a_crop_is_clipped_and_never_empty(masks: BitmapMasks) -> None:
    cropped = masks.crop(np.array([2, 3, 100, 100]))
    assert cropped.masks.shape == (2, 3, 6)
    assert cropped.areas.tolist() == [4, 0]
    assert masks.crop(np.array([2, 3, 2, 3])).masks.shape == (2, 1, 1)
    assert EMPTY.crop(np.array([1, 1, 4, 3])).masks.shape == (0, 2, 3)


def test_expanding_moves_into_a_larger_image(masks: BitmapMasks) -> None:
    expanded = masks.expand(20, 30, top=5, left=7)
    assert expanded.get_bboxes()[0].tolist() == [8, 7, 11, 10]
    assert (expanded.height, expanded.width) == (20, 30)


def test_translation_fills_what_comes_in_and_fits_the_shape(masks: BitmapMasks) -> None:
    assert masks.translate((6, 8), 2).get_bboxes()[0].tolist() == [3, 2, 6, 5]
    assert masks.translate((6, 8), -1, "vertical").get_bboxes()[0].tolist() == [1, 1, 4, 4]
    larger = masks.translate((8, 10), 4)
    assert larger.get_bboxes()[0].tolist() == [5, 2, 8, 5]
    assert masks.translate((6, 8), 2, fill_val=1).masks[0, :, :2].all()
    assert EMPTY.translate((8, 10), 4).masks.shape == (0, 8, 10)


def test_shear_moves_every_row_by_its_number(masks: BitmapMasks) -> None:
    sheared = masks.shear((6, 8), 1.0)
    # Rows 2, 3, 4 of a box from 1 to 4 begin at 3, 4, 5.
    assert [int(row.argmax()) for row in sheared.masks[0, 2:5]] == [3, 4, 5]
    upright = masks.shear((6, 8), 1.0, "vertical")
    assert upright.masks[1].diagonal().tolist() == [1] * 6


def test_rotation_is_clockwise_about_the_middle() -> None:
    square = BitmapMasks([box_mask(5, 5, 0, 0, 5, 1)], 5, 5)
    assert square.rotate((5, 5), 90).get_bboxes()[0].tolist() == [4, 0, 5, 5]
    # About the corner the top row comes down to the left column.
    assert square.rotate((5, 5), 90, center=(0, 0)).get_bboxes()[0].tolist() == [0, 0, 1, 5]


def test_a_part_of_a_mask_is_cut_and_resized() -> None:
    """A box twice the size of the mask's half: coverage is 1 left of the edge and 0 right of it."""
    masks = BitmapMasks([box_mask(8, 8, 0, 0, 4, 8), box_mask(8, 8, 0, 0, 8, 4)], 8, 8)
    parts = masks.crop_and_resize(
        np.array([[0, 0, 8, 8], [0, 2, 8, 6]], dtype=np.float32), (4, 4), np.array([0, 1])
    )
    assert parts.masks.dtype == bool
    assert parts.masks[0].astype(int).tolist() == [[1, 1, 0, 0]] * 4
    assert parts.masks[1].astype(int).tolist() == [[1] * 4] * 2 + [[0] * 4] * 2


def test_soft_parts_keep_how_much_is_covered() -> None:
    masks = BitmapMasks([box_mask(8, 8, 0, 0, 3, 8)], 8, 8)
    parts = masks.crop_and_resize(
        np.array([[0, 0, 8, 8]], dtype=np.float32), (2, 2), np.array([0]), binarize=False
    )
    # 4 x 4 samples at 0.5 .. 3.5 of a pixel's centres: columns 0 1 2 are set, 3 is not.
    np.testing.assert_allclose(parts.masks[0], [[0.75, 0], [0.75, 0]])


def test_no_boxes_or_no_masks_give_no_parts(masks: BitmapMasks) -> None:
    nothing = np.zeros((0, 4), dtype=np.float32)
    assert masks.crop_and_resize(nothing, (4, 4), np.zeros(0, int)).masks.shape == (0, 4, 4)
    assert EMPTY.crop_and_resize(nothing, (4, 4), np.zeros(0, int)).masks.shape == (0, 4, 4)


def test_masks_of_several_images_come_together(masks: BitmapMasks) -> None:
    assert BitmapMasks.cat([masks, masks[0]]).areas.tolist() == [9, 8, 9]
    with pytest.raises(ShapeError, match="at least one"):
        BitmapMasks.cat([])


def test_a_tensor_is_a_copy(masks: BitmapMasks) -> None:
    tensor = masks.to_tensor(torch.uint8, "cpu")
    tensor.zero_()
    assert masks.areas.tolist() == [9, 8]
    assert masks.to_tensor(torch.float32, "cpu").dtype == torch.float32


def test_another_shape_than_told_is_refused() -> None:
    with pytest.raises(ShapeError, match="height 5 and width 8"):
        BitmapMasks([np.zeros((6, 8))], 5, 8)
    with pytest.raises(ShapeError, match=r"\(6, 8\)"):
        BitmapMasks(np.zeros((6, 8)), 6, 8)


def test_random_masks_are_the_same_for_one_seed() -> None:
    first, second = BitmapMasks.random(rng=1), BitmapMasks.random(rng=1)
    assert (first.masks == second.masks).all()
    assert 0.8 < first.masks.mean() < 1
    assert repr(first) == "BitmapMasks(num_masks=3, height=32, width=32)"
