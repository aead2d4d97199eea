"""Resize, flip, pad and crop: image, boxes, masks and semantic map move together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cvcore.dist.seed import sample_randomness
from detcore.datasets.transforms import (
    Expand,
    MinIoURandomCrop,
    Pad,
    RandomCrop,
    RandomFlip,
    Resize,
    SegRescale,
)
from detcore.errors import OptionError

Maker = Callable[..., dict[str, Any]]
Check = Callable[[dict[str, Any]], None]


def draws(transform: Callable[[dict[str, Any]], Any], make: Callable[[], Any], number: int) -> list:
    """What the transform makes of `number` samples with randomness of their own."""
    made = []
    for index in range(number):
        with sample_randomness(0, 0, index):
            made.append(transform(make()))
    return made


def test_resize_keeps_the_proportions_within_both_edges(make_sample: Maker) -> None:
    results = Resize(img_scale=(400, 100))(make_sample())
    # 80 x 50: the short edge allows a factor of 2, the long one of 5.
    assert results["img"].shape == results["img_shape"] == results["pad_shape"] == (100, 160, 3)
    assert results["scale_factor"].tolist() == [2, 2, 2, 2]
    assert results["gt_bboxes"].tolist() == [[20, 20, 60, 40], [80, 10, 120, 90]]
    assert results["gt_masks"].masks.shape == (2, 100, 160)
    assert results["gt_semantic_seg"].shape == (100, 160)
    assert results["keep_ratio"] is True


def test_resize_without_proportions_has_a_factor_for_each_axis(make_sample: Maker) -> None:
    results = Resize(img_scale=(160, 50), keep_ratio=False)(make_sample())
    assert results["img"].shape == (50, 160, 3)
    assert results["scale_factor"].tolist() == [2, 1, 2, 1]
    assert results["gt_masks"].masks.shape == (2, 50, 160)


def test_resize_clips_boxes_only_if_told(make_sample: Maker) -> None:
    outside = ((70, 40, 90, 60),)
    clipped = Resize(img_scale=(160, 100))(make_sample(outside, masks=False, seg=False))
    assert clipped["gt_bboxes"].tolist() == [[140, 80, 160, 100]]
    free = Resize(img_scale=(160, 100), bbox_clip_border=False)
    assert free(make_sample(outside, masks=False))["gt_bboxes"].tolist() == [[140, 80, 180, 120]]


def test_a_scale_that_was_set_before_decides(make_sample: Maker) -> None:
    sample = make_sample() | {"scale": (160, 100)}
    assert Resize(img_scale=(80, 50))(sample)["img_shape"] == (100, 160, 3)
    with pytest.raises(OptionError, match="override=True"):
        Resize(img_scale=(80, 50))(sample)
    assert Resize(img_scale=(80, 50), override=True)(sample)["img_shape"] == (50, 80, 3)


def test_a_factor_that_was_set_before_becomes_a_scale(make_sample: Maker) -> None:
    results = Resize()(make_sample() | {"scale_factor": 0.5})
    assert results["img_shape"] == (25, 40, 3)
    assert results["scale"] == (40, 25)


def test_range_draws_both_edges_between_two_scales(make_sample: Maker) -> None:
    transform = Resize(img_scale=[(100, 20), (60, 30)], multiscale_mode="range")
    scales = {made["scale"] for made in draws(transform, make_sample, 400)}
    longs, shorts = zip(*scales, strict=True)
    assert (min(longs), max(longs)) == (60, 100)
    assert set(shorts) == set(range(20, 31))


def test_value_draws_one_of_the_scales(make_sample: Maker) -> None:
    transform = Resize(img_scale=[(100, 20), (60, 30), (40, 40)], multiscale_mode="value")
    made = draws(transform, make_sample, 50)
    assert {sample["scale"] for sample in made} == {(100, 20), (60, 30), (40, 40)}
    assert {sample["scale_idx"] for sample in made} == {0, 1, 2}


def test_ratio_range_multiplies_the_one_scale(make_sample: Maker) -> None:
    transform = Resize(img_scale=(100, 50), ratio_range=(0.5, 1.5))
    scales = [made["scale"] for made in draws(transform, make_sample, 100)]
    assert all(50 <= long < 150 and abs(short - long / 2) <= 1 for long, short in scales)
    assert max(scales)[0] - min(scales)[0] > 80


@pytest.mark.parametrize(
    "options",
    [
        {"img_scale": [(1, 2), (3, 4)], "ratio_range": (1, 2)},
        {"img_scale": [(1, 2), (3, 4), (5, 6)]},
        {"img_scale": (1, 2), "multiscale_mode": "both"},
        {"img_scale": (0, 2)},
        {"img_scale": (1, 2, 3)},
    ],
)
def test_resize_refuses_scales_that_make_no_sense(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="Resize"):
        Resize(**options)


def test_a_semantic_map_is_rescaled_alone(make_sample: Maker) -> None:
    results = SegRescale(scale_factor=0.5)(make_sample())
    assert results["gt_semantic_seg"].shape == (25, 40)
    assert results["img"].shape == (50, 80, 3)


@pytest.mark.parametrize("direction", ["horizontal", "vertical", "diagonal"])
def test_everything_flips_together(
    direction: str, make_sample: Maker, assert_aligned: Check
) -> None:
    results = RandomFlip(flip_ratio=1.0, direction=direction)(make_sample())
    assert (results["flip"], results["flip_direction"]) == (True, direction)
    assert_aligned(results)
    first = results["gt_bboxes"][0].tolist()  # was 10 10 30 20, in 80 x 50
    expected = {
        "horizontal": [50, 10, 70, 20],
        "vertical": [10, 30, 30, 40],
        "diagonal": [50, 30, 70, 40],
    }
    assert first == expected[direction]


def test_each_direction_has_its_own_probability(make_sample: Maker) -> None:
    transform = RandomFlip(flip_ratio=[0.5, 0.2], direction=["horizontal", "vertical"])
    made = [sample["flip_direction"] for sample in draws(transform, make_sample, 400)]
    # 200, 80 and 120 expected; four standard deviations are 40, 32 and 37.
    assert abs(made.count("horizontal") - 200) < 40
    assert abs(made.count("vertical") - 80) < 32
    assert abs(made.count(None) - 120) < 37


def test_a_flip_decided_before_is_obeyed(make_sample: Maker) -> None:
    kept = RandomFlip()(make_sample() | {"flip": False, "flip_direction": None})
    assert kept["gt_bboxes"][0].tolist() == [10, 10, 30, 20]
    done = RandomFlip()(make_sample() | {"flip": True, "flip_direction": "vertical"})
    assert done["gt_bboxes"][0].tolist() == [10, 30, 30, 40]


def test_flip_needs_someone_to_decide(make_sample: Maker) -> None:
    with pytest.raises(OptionError, match="flip_ratio is not set"):
        RandomFlip()(make_sample())
    with pytest.raises(OptionError, match="2 flip_ratio for 1 directions"):
        RandomFlip(flip_ratio=[0.1, 0.2])
    with pytest.raises(OptionError, match="not between 0 and 1"):
        RandomFlip(flip_ratio=1.5)
    with pytest.raises(OptionError, match="direction='left'"):
        RandomFlip(flip_ratio=0.5, direction="left")


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({"size": (64, 96)}, (64, 96, 3)),
        ({"size_divisor": 32}, (64, 96, 3)),
        ({"pad_to_square": True}, (80, 80, 3)),
    ],
)
def test_padding_grows_to_the_right_and_downwards(
    options: dict[str, Any], shape: tuple[int, ...], make_sample: Maker, assert_aligned: Check
) -> None:
    results = Pad(**options, pad_val={"img": 9})(make_sample())
    assert results["img"].shape == results["pad_shape"] == shape
    assert results["img_shape"] == (50, 80, 3)
    assert results["img"][-1, -1].tolist() == [9, 9, 9]
    assert results["gt_masks"].masks[:, -1, -1].tolist() == [0, 0]
    assert results["gt_semantic_seg"][-1, -1] == 255
    assert_aligned(results)


def test_a_number_pads_images_and_masks(make_sample: Maker) -> None:
    results = Pad(size=(64, 96), pad_val=1)(make_sample())
    assert results["img"][-1, -1, 0] == 1
    assert results["gt_masks"].masks[0, -1, -1] == 1
    assert results["gt_semantic_seg"][-1, -1] == 255


def test_padding_takes_exactly_one_rule() -> None:
    with pytest.raises(OptionError, match="exactly one"):
        Pad()
    with pytest.raises(OptionError, match="exactly one"):
        Pad(size=(1, 1), size_divisor=2)


def test_expand_puts_the_image_on_a_larger_canvas(
    make_sample: Maker, assert_aligned: Check
) -> None:
    transform = Expand(mean=(3, 2, 1), ratio_range=(2, 2), seg_ignore_label=255, prob=1)
    for results in draws(transform, make_sample, 5):
        assert results["img"].shape == results["img_shape"] == (100, 160, 3)
        assert_aligned(results)
        counts = (results["img"] == (1, 2, 3)).all(-1).sum()  # the mean is RGB, the image BGR
        assert counts == 100 * 160 - 50 * 80


@pytest.mark.parametrize(
    ("options", "heights", "widths"),
    [
        ({"crop_size": (30, 60)}, (30, 30), (60, 60)),
        ({"crop_size": (99, 60)}, (50, 50), (60, 60)),
        ({"crop_size": (20, 40), "crop_type": "absolute_range"}, (20, 40), (20, 40)),
        ({"crop_size": (0.5, 0.75), "crop_type": "relative"}, (25, 25), (60, 60)),
        ({"crop_size": (0.5, 0.75), "crop_type": "relative_range"}, (25, 50), (60, 80)),
    ],
)
def test_crops_have_the_size_of_their_type(
    options: dict[str, Any],
    heights: tuple[int, int],
    widths: tuple[int, int],
    make_sample: Maker,
    assert_aligned: Check,
) -> None:
    transform = RandomCrop(**options, allow_negative_crop=True)
    sizes = set()
    for results in draws(transform, make_sample, 60):
        sizes.add(results["img"].shape[:2])
        assert results["img_shape"] == results["img"].shape
        assert results["gt_masks"].masks.shape[1:] == results["img"].shape[:2]
        assert_aligned(results)
    assert (min(sizes)[0], max(sizes)[0]) == heights or heights[0] <= min(sizes)[0]
    assert all(heights[0] <= h <= heights[1] and widths[0] <= w <= widths[1] for h, w in sizes)
    if heights[0] != heights[1]:
        assert len(sizes) > 10


def test_a_crop_without_objects_is_dropped_unless_allowed(make_sample: Maker) -> None:
    corner = ((0, 0, 2, 2),)
    dropped = draws(RandomCrop((10, 10)), lambda: make_sample(corner), 20)
    assert dropped.count(None) > 10
    allowed = draws(RandomCrop((10, 10), allow_negative_crop=True), lambda: make_sample(corner), 20)
    assert all(sample["gt_bboxes"].shape[1] == 4 for sample in allowed)


def test_boxes_can_be_taken_from_the_cropped_masks(make_sample: Maker) -> None:
    def triangle() -> dict[str, Any]:
        sample = make_sample(((0, 0, 50, 50),), size=(50, 50))
        sample["gt_masks"].masks[0] = np.tri(50, dtype=np.uint8)  # at or below the diagonal
        return sample

    cropped = draws(
        RandomCrop((20, 20), recompute_bbox=True, allow_negative_crop=True), triangle, 30
    )
    plain = draws(RandomCrop((20, 20), allow_negative_crop=True), triangle, 30)
    smaller = 0
    for tight, loose in zip(cropped, plain, strict=True):
        assert loose["gt_bboxes"].tolist() == [[0, 0, 20, 20]]
        np.testing.assert_array_equal(tight["gt_bboxes"], tight["gt_masks"].get_bboxes())
        smaller += tight["gt_bboxes"].tolist() != [[0, 0, 20, 20]]
    assert smaller > 5


@pytest.mark.parametrize(
    "options",
    [
        {"crop_size": (0, 5)},
        {"crop_size": (0.5, 5)},
        {"crop_size": (2, 0.5), "crop_type": "relative"},
        {"crop_size": (9, 5), "crop_type": "absolute_range"},
        {"crop_size": (9, 5), "crop_type": "round"},
    ],
)
def test_crop_sizes_have_to_fit_their_type(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="RandomCrop"):
        RandomCrop(**options)


def test_a_crop_by_overlap_keeps_objects_whose_centre_is_inside(
    make_sample: Maker, assert_aligned: Check
) -> None:
    made = draws(MinIoURandomCrop(), make_sample, 60)
    cropped = [sample for sample in made if sample["img"].shape != (50, 80, 3)]
    assert len(cropped) > 10
    for sample in cropped:
        height, width = sample["img"].shape[:2]
        assert 0.5 <= height / width <= 2.2  # 2, and rounding down
        assert height >= 0.3 * 50 - 1
        assert len(sample["gt_bboxes"]) >= 1
        assert_aligned(sample)


def test_the_same_draw_gives_the_same_crop(make_sample: Maker) -> None:
    first = draws(RandomCrop((20, 20), allow_negative_crop=True), make_sample, 5)
    second = draws(RandomCrop((20, 20), allow_negative_crop=True), make_sample, 5)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one["img"], other["img"])
