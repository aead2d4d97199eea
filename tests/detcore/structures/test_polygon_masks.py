"""Polygon masks through every transform."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from detcore.errors import OptionError, ShapeError
from detcore.structures import PolygonMasks


def rectangle(x1: float, y1: float, x2: float, y2: float) -> np.ndarray:
    return np.array([x1, y1, x2, y1, x2, y2, x1, y2], dtype=np.float32)


@pytest.fixture
def masks() -> PolygonMasks:
    """One object of two rectangles, and one of one, in an image of 6 x 8."""
    return PolygonMasks(
        [[rectangle(1, 2, 4, 5), rectangle(6, 0, 8, 2)], [rectangle(0, 0, 8, 1)]], 6, 8
    )


EMPTY = PolygonMasks([], 6, 8)


def test_areas_add_up_and_boxes_enclose_all_polygons(masks: PolygonMasks) -> None:
    assert masks.areas.tolist() == [9 + 4, 8]
    assert masks.get_bboxes().tolist() == [[1, 0, 8, 5], [0, 0, 8, 1]]
    assert EMPTY.get_bboxes().shape == (0, 4)


def test_a_bitmap_has_the_pixels_inside(masks: PolygonMasks) -> None:
    bitmaps = masks.to_bitmap()
    assert bitmaps.areas.tolist() == [13, 8]
    assert masks.to_ndarray().dtype == bool
    assert EMPTY.to_ndarray().shape == (0, 6, 8)
    assert masks.to_tensor(torch.float32, "cpu").sum() == 21


def test_masks_are_indexed_like_an_array(masks: PolygonMasks) -> None:
    assert masks[1].areas.tolist() == [8]
    assert masks[np.array([False, True])].areas.tolist() == [8]
    assert masks[[1, 0]].areas.tolist() == [8, 13]
    assert len(masks[:0]) == 0
    assert [len(polygons) for polygons in masks] == [2, 1]


def test_resizing_scales_points(masks: PolygonMasks) -> None:
    resized = masks.resize((12, 24))
    assert resized.get_bboxes()[1].tolist() == [0, 0, 24, 2]
    assert masks.rescale(2.0).areas.tolist() == [52, 32]
    assert (EMPTY.rescale(2.0).height, EMPTY.rescale(2.0).width) == (12, 16)
    assert resized.masks[0][0].dtype == np.float32


@pytest.mark.parametrize(
    ("direction", "expected"),
    [("horizontal", [0, 0, 7, 5]), ("vertical", [1, 1, 8, 6]), ("diagonal", [0, 1, 7, 6])],
)
def test_a_flip_mirrors(masks: PolygonMasks, direction: str, expected: list[int]) -> None:
    assert masks.flip(direction).get_bboxes()[0].tolist() == expected


def test_padding_and_expanding_change_the_image(masks: PolygonMasks) -> None:
    padded = masks.pad((10, 12))
    assert (padded.height, padded.width) == (10, 12)
    assert padded.areas.tolist() == [13, 8]
    assert masks.expand(20, 30, top=5, left=7).get_bboxes()[1].tolist() == [7, 5, 15, 6]


def test_a_crop_shifts_and_the_bitmap_cuts_off(masks: PolygonMasks) -> None:
    cropped = masks.crop(np.array([2, 1, 100, 100]))
    assert (cropped.height, cropped.width) == (5, 6)
    assert cropped.get_bboxes()[0].tolist() == [-1, -1, 6, 4]
    # 2 x 3 of the first rectangle and 2 x 1 of the second are left.
    assert cropped.to_bitmap().areas.tolist() == [8, 0]


def test_a_part_is_moved_and_scaled_to_its_box(masks: PolygonMasks) -> None:
    boxes = np.array([[0, 0, 8, 2], [1, 2, 4, 5]], dtype=np.float32)
    parts = masks.crop_and_resize(boxes, (4, 16), np.array([1, 0]))
    assert parts.get_bboxes()[0].tolist() == [0, 0, 16, 2]
    assert parts.masks[1][0].tolist() == rectangle(0, 0, 16, 4).tolist()
    with pytest.raises(OptionError, match="poly2mask"):
        masks.crop_and_resize(boxes, (4, 4), np.array([1, 0]), binarize=False)


def test_translation_stops_at_the_border(masks: PolygonMasks) -> None:
    assert masks.translate((6, 8), 5).masks[0][0].tolist() == rectangle(6, 2, 8, 5).tolist()
    assert masks.translate((6, 8), 2, "vertical").get_bboxes()[1].tolist() == [0, 2, 8, 3]
    with pytest.raises(OptionError, match="never inside"):
        masks.translate((6, 8), 5, fill_val=1)


def test_shear_moves_points_by_their_distance_from_the_edge(masks: PolygonMasks) -> None:
    sheared = masks.shear((6, 20), 2.0)
    assert sheared.masks[0][0].tolist() == [5, 2, 8, 2, 14, 5, 11, 5]
    upright = masks.shear((20, 8), 1.0, "vertical")
    assert upright.masks[1][0].tolist() == [0, 0, 8, 8, 8, 9, 0, 1]


def test_rotation_is_clockwise_and_scales(masks: PolygonMasks) -> None:
    turned = masks.rotate((6, 8), 90, center=(4, 3))
    # (1, 2) is (-3, -1) from the centre, which becomes (1, -3).
    np.testing.assert_allclose(turned.masks[0][0][:2], [5, 0], atol=1e-5)
    shrunk = masks.rotate((6, 8), 0, center=(0, 0), scale=0.5)
    np.testing.assert_allclose(shrunk.areas, [13 / 4, 2])
    middle = PolygonMasks([[rectangle(0, 0, 1, 1)]], 3, 3).rotate((3, 3), 180)
    np.testing.assert_allclose(middle.get_bboxes(), [[1, 1, 2, 2]], atol=1e-5)


def test_masks_of_several_images_come_together(masks: PolygonMasks) -> None:
    assert PolygonMasks.cat([masks, masks[1]]).areas.tolist() == [13, 8, 8]


def test_polygons_without_an_object_around_them_are_refused() -> None:
    with pytest.raises(ShapeError, match="list of their own"):
        PolygonMasks([rectangle(0, 0, 1, 1)], 6, 8)


def test_random_polygons_are_the_same_for_one_seed_and_inside_the_image() -> None:
    first, second = PolygonMasks.random(rng=1), PolygonMasks.random(rng=1)
    assert first.areas.tolist() == second.areas.tolist()
    assert first.get_bboxes().min() >= 0
    assert first.get_bboxes().max() <= 32
