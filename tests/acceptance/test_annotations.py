"""Section B, rows 17 to 31: single annotations. One test a row."""

# ruff: noqa: N802 - rows are found by their ids

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from pycocotools import mask as rle
from tests.acceptance.conftest import LOADING, SQUARE, WITH_MASKS, Data

from detcore.datasets.transforms import Compose
from detcore.errors import AnnotationError
from detcore.matching.assigners import MaxIoUAssigner

Train = Callable[..., tuple[int, str]]


def kept_boxes(data: Data, **options: Any) -> list[list[float]]:
    return data.dataset(filter_empty_gt=False, **options).get_ann_info(0)["bboxes"].tolist()


@pytest.fixture
def one(data: Data) -> Data:
    """One image with one good object, the box 10 10 30 30."""
    data.image("a.jpg")
    data.object()
    return data


@pytest.mark.parametrize("box", [[5, 5, 0, 9], [5, 5, 9, 0]])
def test_B17_boxes_without_extent_are_counted_or_refused(one: Data, box: list[int]) -> None:
    one.object(bbox=box)
    made = one.dataset()
    assert made.filter_report == {"annotations: width or height of zero or less": 1}
    assert kept_boxes(one) == [[10, 10, 30, 30]]
    with pytest.raises(AnnotationError, match=r"1 annotations: width or height.*ids: 2"):
        one.dataset(strict=True)


def test_B17_strict_training_stops_with_the_ids(one: Data, train: Train) -> None:
    one.object(bbox=[5, 5, 0, 9])
    code, said = train(one, "data.train.strict=True")
    assert code == 2
    assert "their ids: 2" in said


def test_B18_negative_sizes_are_counted_or_refused(one: Data) -> None:
    one.object(bbox=[30, 30, -10, 10])
    one.object(bbox=[30, 30, 10, -10])
    assert one.dataset().filter_report == {"annotations: width or height of zero or less": 2}
    assert kept_boxes(one) == [[10, 10, 30, 30]]
    with pytest.raises(AnnotationError, match="ids: 2, 3"):
        one.dataset(strict=True)


@pytest.mark.parametrize(
    "box",
    [
        [float("nan"), 1, 5, 5],
        [1, 1, float("inf"), 5],
        ["1", "1", "5", "5"],
        [1, 1, None, 5],
        [1, 1, 5],
        [1, 1, 5, 5, 5],
        None,
        "1 1 5 5",
        [[1], [1], [5], [5]],
    ],
)
def test_B19_what_is_not_four_numbers_is_an_error_with_its_id(one: Data, box: Any) -> None:
    one.object()
    one.annotations[1]["bbox"] = box
    with pytest.raises(AnnotationError, match="annotation 2 has bbox"):
        one.dataset()


def test_B20_boxes_outside_the_image_are_counted(one: Data) -> None:
    for box in ([64, 0, 9, 9], [0, 48, 9, 9], [-20, 5, 20, 20], [500, 500, 9, 9]):
        one.object(bbox=box)
    assert one.dataset().filter_report == {"annotations: outside the image": 4}
    assert kept_boxes(one) == [[10, 10, 30, 30]]


def test_B21_boxes_partly_outside_are_clipped_by_the_transforms(data: Data) -> None:
    data.image("a.jpg")
    data.object(bbox=[50, 30, 40, 40])
    sample = data.dataset([*LOADING, {"type": "Resize", "img_scale": (128, 96)}])[0]
    # The image is doubled to 128 x 96, and so is the box, as far as it is inside.
    assert sample["gt_bboxes"].tolist() == [[100, 60, 128, 96]]


def test_B22_boxes_below_a_pixel_are_counted(one: Data) -> None:
    for box in ([5, 5, 1e-6, 1e-6], [5, 5, 0.9, 9], [5, 5, 9, 0.2]):
        one.object(bbox=box)
    assert one.dataset().filter_report == {"annotations: narrower or lower than 1 pixel": 3}
    assert kept_boxes(one) == [[10, 10, 30, 30]]


@pytest.mark.parametrize(
    "transform",
    [
        {"type": "RandomCrop", "crop_size": (20, 20), "allow_negative_crop": True},
        {"type": "MinIoURandomCrop", "min_ious": (0.1,), "min_crop_size": 0.3},
        {"type": "RandomShift", "shift_ratio": 1.0, "max_shift_px": 30},
        {"type": "Translate", "level": 9, "prob": 1.0},
        {"type": "Rotate", "level": 9, "prob": 1.0, "max_rotate_angle": 60},
        {"type": "Shear", "level": 9, "prob": 1.0, "max_shear_magnitude": 1.0},
    ],
    ids=lambda transform: transform["type"],
)
def test_B23_what_a_transform_cuts_away_goes_with_its_label_and_mask(
    data: Data, transform: dict[str, Any]
) -> None:
    data.image("a.jpg")
    boxes = [[0, 0, 4, 4], [50, 2, 8, 8], [2, 36, 8, 8], [50, 36, 8, 8], [24, 16, 16, 16]]
    for number, (x, y, w, h) in enumerate(boxes):
        outline = [[x, y, x + w, y, x + w, y + h, x, y + h]]
        data.object(bbox=[x, y, w, h], category_id=1 + number % 2, segmentation=outline)
    shifts = transform["type"] == "RandomShift"  # moves boxes and labels only
    made = data.dataset([*(LOADING if shifts else WITH_MASKS), transform])
    fewer = 0
    for _ in range(20):
        sample = made[0]
        number = len(sample["gt_bboxes"])
        fewer += number < len(boxes)
        assert len(sample["gt_labels"]) == number
        assert shifts or len(sample["gt_masks"]) == number
        size = sample["gt_bboxes"][:, 2:] - sample["gt_bboxes"][:, :2]
        assert (size > 0).all()
    assert fewer


def test_B24_crowds_are_ignored_and_never_objects(one: Data) -> None:
    one.object(iscrowd=1, bbox=[0, 0, 60, 40])
    made = one.dataset()
    info = made.get_ann_info(0)
    assert info["bboxes"].tolist() == [[10, 10, 30, 30]]
    assert info["bboxes_ignore"].tolist() == [[0, 0, 60, 40]]
    del one.annotations[0]  # crowds alone
    info = one.dataset(filter_empty_gt=False).get_ann_info(0)
    assert info["bboxes"].shape == (0, 4)
    assert info["labels"].shape == (0,)


def test_B25_ignored_annotations_are_left_out(one: Data) -> None:
    one.object(ignore=1)
    assert one.dataset().filter_report == {"annotations: marked as ignored": 1}
    assert kept_boxes(one) == [[10, 10, 30, 30]]


@pytest.mark.parametrize(
    "polygons",
    [[], [[]], [[1, 1, 5, 5]], [[1, 1]], [[1, 1, 5, 1, 5, 5, 9]], [[10, 10, 20, 20], [1, 2, 3]]],
)
def test_B26_objects_without_a_real_polygon_are_counted(one: Data, polygons: Any) -> None:
    one.object(segmentation=polygons)
    made = one.dataset(WITH_MASKS)
    assert made.filter_report == {"annotations: no usable mask": 1}
    assert len(made[0]["gt_masks"]) == len(made[0]["gt_bboxes"]) == 1
    kept = {"type": "LoadAnnotations", "with_mask": True, "poly2mask": False}
    assert len(one.dataset([LOADING[0], kept])[0]["gt_masks"]) == 1
    assert len(kept_boxes(one)) == 2  # a detector of boxes has use for it


def test_B26_a_good_polygon_beside_a_bad_one_is_used(one: Data) -> None:
    one.object(segmentation=[SQUARE, [1, 1]])
    first, second = one.dataset(WITH_MASKS)[0]["gt_masks"].masks
    assert np.array_equal(first, second)


def test_B27_three_kinds_of_run_lengths_give_one_mask(one: Data) -> None:
    mask = np.zeros((48, 64), dtype=np.uint8, order="F")
    mask[10:30, 10:30] = 1
    compressed = rle.encode(mask)
    assert isinstance(compressed["counts"], bytes)
    counts = [10 * 48 + 10, *[20, 28] * 19, 20, 48 * 64 - 29 * 48 - 30]
    one.object(segmentation={"size": [48, 64], "counts": counts})
    one.object(segmentation={"size": [48, 64], "counts": compressed["counts"].decode()})
    masks = one.dataset(WITH_MASKS)[0]["gt_masks"].masks
    assert all(np.array_equal(each, mask) for each in masks)
    loading = Compose([{"type": "LoadAnnotations", "with_mask": True, "with_label": False}])
    by_hand = {
        "img_shape": (48, 64, 3), "img_info": {}, "bbox_fields": [], "mask_fields": [],
        "ann_info": {"bboxes": np.zeros((1, 4), dtype=np.float32), "masks": [compressed]},
    }  # fmt: skip
    sample = loading(by_hand)
    assert sample is not None
    assert np.array_equal(sample["gt_masks"].masks[0], mask)


@pytest.mark.parametrize(
    "runs",
    [
        {"size": [64, 48], "counts": [64 * 48]},  # height and width exchanged
        {"size": [48, 64], "counts": [100, 20]},
        {"size": [48, 64], "counts": rle.encode(np.ones((9, 9), np.uint8, "F"))["counts"].decode()},
        {"size": [9, 9], "counts": rle.encode(np.ones((9, 9), np.uint8, "F"))["counts"].decode()},
    ],
)
def test_B28_run_lengths_of_another_size_are_an_error_with_the_id(one: Data, runs: Any) -> None:
    one.object(segmentation=runs)
    with pytest.raises(AnnotationError, match=r"annotation 2: its size is .*height 48 and width"):
        one.dataset()


def test_B29_polygons_and_run_lengths_may_be_mixed(one: Data) -> None:
    one.object(segmentation=[[0, 0, 9, 0, 9, 9, 0, 9], [20, 20, 29, 20, 29, 29, 20, 29]])
    half = {"size": [48, 64], "counts": [48 * 32, 48 * 32]}
    one.object(segmentation=half)
    masks = one.dataset(WITH_MASKS)[0]["gt_masks"].masks
    assert masks[1][5, 5]
    assert masks[1][25, 25]
    assert not masks[1][15, 15]
    assert masks[2].sum() == 48 * 32
    assert masks[2][:, 32:].all()


def test_B30_crossing_and_outlying_polygons_have_an_area_and_no_error(data: Data) -> None:
    data.image("a.jpg")
    bow_tie = [5, 5, 40, 40, 40, 5, 5, 40]
    beyond = [-50, -50, 500, -50, 500, 20, -50, 20]
    for outline in (bow_tie, beyond, [500, 500, 600, 500, 600, 600]):
        data.object(segmentation=[outline], area=None)
    made = data.dataset(WITH_MASKS, filter_empty_gt=False)
    assert (made.records.areas >= 0).all()
    masks = made[0]["gt_masks"].masks
    # Two triangles of 35 x 17.5 / 2 each.
    assert masks[0].sum() == pytest.approx(35 * 17.5, rel=0.1)
    assert masks[1].sum() == 64 * 20
    # Nothing of the third is in the image: it has no area there, and is counted.
    assert made.filter_report == {"annotations: area of zero": 1}


def test_B31_thousands_of_objects_are_matched_in_bounded_memory() -> None:
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand((3500, 2), generator=generator) * 900
    objects = torch.cat(
        [corners, corners + 10 + torch.rand((3500, 2), generator=generator) * 60], 1
    )
    places = torch.rand((6000, 2), generator=generator) * 900
    priors = torch.cat([places, places + 32], 1)
    assigner = MaxIoUAssigner(pos_iou_thr=0.7, neg_iou_thr=0.3, min_pos_iou=0.3)
    largest = 0
    plain = assigner.iou_calculator

    def watched(first: torch.Tensor, second: torch.Tensor, **options: Any) -> torch.Tensor:
        nonlocal largest
        overlaps = plain(first, second, **options)
        largest = max(largest, overlaps.numel())
        return overlaps

    assigner.iou_calculator = watched
    chunked = assigner.assign(priors, objects)
    assert largest <= 400_000  # of 21 million pairs
    assigner.pairs_at_once = 6000 * 3500
    whole = assigner.assign(priors, objects)
    assert largest == 6000 * 3500
    assert torch.equal(chunked.gt_inds, whole.gt_inds)
    assert torch.equal(chunked.max_overlaps, whole.max_overlaps)
    assert (chunked.gt_inds > 0).sum() > 100
