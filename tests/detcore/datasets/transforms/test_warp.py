"""Shear, turn, move and the random affine map; their pixels are held to figures in test_parity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cvcore.dist.seed import sample_randomness
from detcore.datasets.transforms import (
    RandomAffine,
    RandomCenterCropPad,
    RandomShift,
    Rotate,
    Shear,
    Translate,
)
from detcore.datasets.transforms.fields import reasonable_boxes, warp_boxes
from detcore.errors import OptionError

Maker = Callable[..., dict[str, Any]]
Check = Callable[[dict[str, Any]], None]


def test_boxes_around_warped_corners() -> None:
    quarter_turn = np.array([[0.0, -1, 100], [1, 0, 0]])  # (x, y) -> (100 - y, x)
    boxes = np.array([[10, 20, 30, 25]], dtype=np.float32)
    assert warp_boxes(boxes, quarter_turn).tolist() == [[75, 10, 80, 30]]
    assert warp_boxes(boxes, np.diag([1.0, 1, 2])).tolist() == [[5, 10, 15, 12.5]]
    assert warp_boxes(np.zeros((0, 4), np.float32), quarter_turn).shape == (0, 4)


def test_a_move_takes_everything_along(make_sample: Maker, assert_aligned: Check) -> None:
    transform = Translate(level=2, prob=1, max_translate_offset=50, random_negative_prob=0)
    results = transform(make_sample())
    assert results["gt_bboxes"].tolist() == [[20, 10, 40, 20], [50, 5, 70, 45]]
    assert results["img"][0, 0].tolist() == [128, 128, 128]
    assert results["gt_semantic_seg"][0, 0] == 255
    assert_aligned(results)


def test_objects_moved_out_or_grown_small_are_left_out(make_sample: Maker) -> None:
    move = {"prob": 1, "max_translate_offset": 50, "random_negative_prob": 1}
    results = Translate(level=6, **move)(make_sample())  # 30 to the left
    assert results["gt_labels"].tolist() == [1]
    assert len(results["gt_masks"]) == 1
    narrow = Translate(level=5, min_size=5, **move)(make_sample())  # 5 of 20 columns are left
    assert narrow["gt_labels"].tolist() == [1]
    assert Translate(level=5, min_size=4, **move)(make_sample())["gt_labels"].tolist() == [0, 1]


def test_a_vertical_move_goes_down(make_sample: Maker) -> None:
    transform = Translate(
        level=10, prob=1, direction="vertical", max_translate_offset=5, random_negative_prob=0
    )
    assert transform(make_sample())["gt_bboxes"].tolist() == [[10, 15, 30, 25], [40, 10, 60, 50]]


def test_a_shear_shifts_each_row_by_its_height(make_sample: Maker) -> None:
    transform = Shear(level=10, prob=1, max_shear_magnitude=0.5, random_negative_prob=0)
    results = transform(make_sample(((10, 10, 30, 20),)))
    # x + y / 2 of the corners: 10 + 5 ... 30 + 10.
    assert results["gt_bboxes"].tolist() == [[15, 10, 40, 20]]
    down = Shear(
        level=10, prob=1, max_shear_magnitude=0.5, direction="vertical", random_negative_prob=1
    )
    assert down(make_sample(((10, 30, 30, 40),)))["gt_bboxes"].tolist() == [[10, 15, 30, 35]]


def test_a_turn_by_a_right_angle_about_the_middle(make_sample: Maker) -> None:
    transform = Rotate(level=10, prob=1, max_rotate_angle=90, random_negative_prob=0)
    results = transform(make_sample(((10, 20, 30, 25),), size=(51, 51)))
    # Clockwise about (25, 25): (x, y) -> (50 - y, x).
    np.testing.assert_allclose(results["gt_bboxes"], [[25, 10, 30, 30]], atol=1e-4)
    # Pixel centres turn likewise, so pixel (10, 20) goes to (30, 10).
    assert results["img"][10, 30, 0] == 50
    assert results["gt_masks"].masks[0, 10, 30] == 1
    assert results["gt_masks"].areas.tolist() == [100]


@pytest.mark.parametrize("kind", [Shear, Rotate, Translate])
def test_a_warp_of_no_probability_changes_nothing(kind: Any, make_sample: Maker) -> None:
    before = make_sample()
    after = kind(level=10, prob=0)(make_sample())
    np.testing.assert_array_equal(after["img"], before["img"])
    with pytest.raises(OptionError, match="level=11"):
        kind(level=11)
    with pytest.raises(OptionError, match="probabilities"):
        kind(level=1, prob=2)
    with pytest.raises(OptionError, match="img_fill_val"):
        kind(level=1, img_fill_val=(1, 2))


def test_signs_are_drawn(make_sample: Maker) -> None:
    transform = Translate(level=10, prob=1, max_translate_offset=5)
    lefts = []
    for index in range(40):
        with sample_randomness(0, 0, index):
            lefts.append(transform(make_sample())["gt_bboxes"][0, 0])
    assert set(lefts) == {5, 15}
    assert 10 < lefts.count(5) < 30


def test_a_shift_moves_image_and_boxes_alike(make_sample: Maker) -> None:
    transform = RandomShift(shift_ratio=1.0, max_shift_px=5)
    moves = set()
    for index in range(60):
        with sample_randomness(0, 0, index):
            results = transform(make_sample(masks=False, seg=False))
        for label, box in zip(results["gt_labels"], results["gt_bboxes"], strict=True):
            rows, columns = np.nonzero(results["img"][..., 0] == (label + 1) * 50)
            around = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            np.testing.assert_array_equal(around, box)
        moves.add(tuple(results["gt_bboxes"][0, :2] - 10))
    assert min(min(move) for move in moves) == -5
    assert max(max(move) for move in moves) == 5


def test_a_shift_that_would_lose_every_object_is_not_made(make_sample: Maker) -> None:
    transform = RandomShift(shift_ratio=1.0, max_shift_px=32, filter_thr_px=100)
    before = make_sample(masks=False, seg=False)
    np.testing.assert_array_equal(transform(before)["img"], make_sample()["img"])
    with pytest.raises(OptionError, match="RandomShift"):
        RandomShift(shift_ratio=2)


def test_an_affine_map_without_any_range_is_the_identity(make_sample: Maker) -> None:
    still = RandomAffine(0.0, 0.0, (1, 1), 0.0)
    results = still(make_sample(masks=False, seg=False))
    np.testing.assert_array_equal(results["img"], make_sample()["img"])
    assert results["gt_bboxes"].tolist() == [[10, 10, 30, 20], [40, 5, 60, 45]]
    with pytest.raises(OptionError, match="leave out with_mask"):
        still(make_sample())


def test_an_affine_map_takes_boxes_along(make_sample: Maker) -> None:
    transform = RandomAffine(
        max_rotate_degree=0, max_shear_degree=0, border=(10, -10), border_val=(0, 0, 0)
    )
    for index in range(10):
        with sample_randomness(0, 0, index):
            results = transform(make_sample(((20, 10, 40, 20),), masks=False, seg=False))
        assert results["img"].shape == results["img_shape"] == (70, 60, 3)
        # Without turn or shear a box stays around its object, whose level is 50 inside.
        rows, columns = np.nonzero(results["img"][..., 0] > 25)
        around = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        np.testing.assert_allclose(around, results["gt_bboxes"][0], atol=1.1)


def test_small_torn_and_thin_boxes_are_not_reasonable() -> None:
    before = np.array([[0, 0, 10, 10]] * 4, dtype=np.float32)
    after = np.array([[0, 0, 10, 10], [0, 0, 2, 9], [0, 0, 3, 6], [0, 0, 60, 2.5]], np.float32)
    # 2 wide is not above 2; 18 of 100 pixels is below 0.2; 60 / 2.5 = 24 is above 20.
    assert reasonable_boxes(before, after, 2, 0.2, 20).tolist() == [True, False, False, False]


def centre_crop(**options: Any) -> RandomCenterCropPad:
    return RandomCenterCropPad(**{"mean": [3, 2, 1], "std": [1, 1, 1], "to_rgb": True} | options)


def test_crops_about_a_centre_keep_boxes_on_their_pixels(make_sample: Maker) -> None:
    transform = centre_crop(crop_size=(40, 40), ratios=(1.0,), border=16)
    for index in range(20):
        sample = make_sample(masks=False, seg=False)
        sample["img"] = sample["img"].astype(np.float32)
        with sample_randomness(0, 0, index):
            results = transform(sample)
        assert results["img"].shape == results["pad_shape"] == (40, 40, 3)
        top, bottom, left, right = results["border"].astype(int)
        outside = np.ones((40, 40), dtype=bool)
        outside[top:bottom, left:right] = False
        assert (results["img"][outside] == (1, 2, 3)).all()
        assert len(results["gt_bboxes"]) >= 1
        for label, box in zip(results["gt_labels"], results["gt_bboxes"], strict=True):
            rows, columns = np.nonzero(results["img"][..., 0] == (label + 1) * 50)
            around = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            np.testing.assert_array_equal(around, box)


@pytest.mark.parametrize(
    ("mode", "shape"),
    # 50 | 31 = 63 and 80 | 31 = 95; the next multiples of 32 are 64 and 96.
    [(("logical_or", 31), (63, 95)), (("size_divisor", 32), (64, 96))],
)
def test_testing_pads_about_the_middle(
    mode: tuple[str, int], shape: tuple[int, int], make_sample: Maker
) -> None:
    sample = make_sample(masks=False, seg=False)
    sample["img"] = sample["img"].astype(np.float32)
    original = sample["img"].copy()
    results = centre_crop(crop_size=None, test_mode=True, test_pad_mode=mode)(sample)
    assert results["img"].shape[:2] == shape
    top, bottom, left, right = results["border"].astype(int)
    np.testing.assert_array_equal(results["img"][top:bottom, left:right], original)
    assert abs(top - (shape[0] - bottom)) <= 1


def test_a_centre_crop_needs_its_settings(make_sample: Maker) -> None:
    with pytest.raises(OptionError, match="mean, std and to_rgb"):
        RandomCenterCropPad(crop_size=(10, 10))
    with pytest.raises(OptionError, match="crop_size"):
        centre_crop()
    with pytest.raises(OptionError, match="to_float32=True"):
        centre_crop(crop_size=(10, 10))(make_sample())
