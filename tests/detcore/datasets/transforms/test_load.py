from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cvcore.errors import ImageDecodeError
from detcore.datasets.transforms import (
    FilterAnnotations,
    LoadAnnotations,
    LoadImageFromFile,
    LoadImageFromWebcam,
    LoadMultiChannelImageFromFiles,
    LoadProposals,
)
from detcore.errors import AnnotationError, OptionError
from detcore.structures import PolygonMasks

SQUARE = [np.array([10.0, 10, 20, 10, 20, 20, 10, 20])]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """30 wide, 20 high, RGB (10, 20, 30)."""
    path = tmp_path / "a.png"
    Image.fromarray(np.full((20, 30, 3), (10, 20, 30), dtype=np.uint8)).save(path)
    return path


def request(path: Path, **info: Any) -> dict[str, Any]:
    return {"img_prefix": str(path.parent), "img_info": {"filename": path.name, **info}}


def test_an_image_is_bgr_with_its_names_and_shapes(picture: Path) -> None:
    results = LoadImageFromFile()(request(picture, width=30, height=20))
    assert results["img"].shape == results["img_shape"] == results["ori_shape"] == (20, 30, 3)
    assert results["img"][0, 0].tolist() == [30, 20, 10]
    assert results["filename"] == str(picture)
    assert results["ori_filename"] == "a.png"
    assert results["img_fields"] == ["img"]


def test_an_image_may_be_float_or_rgb(picture: Path) -> None:
    results = LoadImageFromFile(to_float32=True, channel_order="rgb")(request(picture))
    assert results["img"].dtype == np.float32
    assert results["img"][0, 0].tolist() == [10, 20, 30]


def test_an_image_without_prefix_is_found_by_its_own_path(picture: Path) -> None:
    results = {"img_prefix": None, "img_info": {"filename": str(picture)}}
    assert LoadImageFromFile()(results)["img_shape"] == (20, 30, 3)


def test_another_size_than_the_annotations_say_is_an_error_with_both(picture: Path) -> None:
    with pytest.raises(AnnotationError, match=r"a\.png is 30x20 .* say 60x40"):
        LoadImageFromFile()(request(picture, width=60, height=40))
    with pytest.raises(AnnotationError, match=r"swapped.*EXIF"):
        LoadImageFromFile()(request(picture, width=20, height=30))


def test_a_damaged_image_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.jpg"
    path.write_bytes(b"\xff\xd8\xff\xe0 nothing more")
    with pytest.raises(ImageDecodeError, match=r"broken\.jpg"):
        LoadImageFromFile()(request(path))


def test_a_loader_that_has_read_can_go_to_a_worker(picture: Path) -> None:
    transform = LoadImageFromFile()
    transform(request(picture))
    copy = pickle.loads(pickle.dumps(transform))
    assert copy(request(picture))["img_shape"] == (20, 30, 3)


def test_an_image_in_memory_has_no_name() -> None:
    results = LoadImageFromWebcam()({"img": np.zeros((4, 5, 3), dtype=np.uint8)})
    assert results["filename"] is None
    assert results["img_shape"] == (4, 5, 3)


def test_several_files_become_channels(tmp_path: Path) -> None:
    for number in range(4):
        Image.fromarray(np.full((6, 8), number, dtype=np.uint8)).save(tmp_path / f"{number}.png")
    names = [f"{number}.png" for number in range(4)]
    results = LoadMultiChannelImageFromFiles()(
        {"img_prefix": str(tmp_path), "img_info": {"filename": names}}
    )
    assert results["img"].shape == (6, 8, 4)
    assert results["img"][0, 0].tolist() == [0, 1, 2, 3]
    assert results["pad_shape"] == (6, 8, 4)


def annotated(**ann_info: Any) -> dict[str, Any]:
    return {
        "img_shape": (40, 50, 3),
        "img_info": {"filename": "a.png"},
        "ann_info": {
            "bboxes": np.array([[10, 10, 20, 20]], dtype=np.float32),
            "labels": np.array([3]),
            "bboxes_ignore": np.zeros((0, 4), dtype=np.float32),
            **ann_info,
        },
        "bbox_fields": [],
        "mask_fields": [],
        "seg_fields": [],
    }


def test_boxes_and_labels_are_copies() -> None:
    sample = annotated()
    results = LoadAnnotations()(sample)
    assert results is not None
    results["gt_bboxes"] += 1
    results["gt_labels"] += 1
    assert sample["ann_info"]["bboxes"].tolist() == [[10, 10, 20, 20]]
    assert sample["ann_info"]["labels"].tolist() == [3]
    assert results["bbox_fields"] == ["gt_bboxes_ignore", "gt_bboxes"]


def test_fractions_become_pixels() -> None:
    fractions = np.array([[0.1, 0.25, 0.5, 1]], dtype=np.float32)
    results = LoadAnnotations(denorm_bbox=True)(annotated(bboxes=fractions))
    assert results is not None
    np.testing.assert_allclose(results["gt_bboxes"], [[5, 10, 25, 40]])  # 50 wide, 40 high
    assert results["gt_bboxes"].dtype == np.float32


def test_polygons_are_rasterised_or_kept() -> None:
    bitmaps = LoadAnnotations(with_mask=True)(annotated(masks=[SQUARE]))
    assert bitmaps is not None
    expected = np.zeros((1, 40, 50), dtype=np.uint8)
    expected[0, 10:20, 10:20] = 1
    np.testing.assert_array_equal(bitmaps["gt_masks"].masks, expected)
    assert bitmaps["gt_masks"].masks.flags.c_contiguous
    kept = LoadAnnotations(with_mask=True, poly2mask=False)(annotated(masks=[SQUARE]))
    assert kept is not None
    assert isinstance(kept["gt_masks"], PolygonMasks)
    assert kept["gt_masks"].areas.tolist() == [100]


def test_no_object_gives_no_mask() -> None:
    empty = annotated(masks=[], bboxes=np.zeros((0, 4), np.float32), labels=np.zeros(0, np.int64))
    results = LoadAnnotations(with_mask=True)(empty)
    assert results is not None
    assert results["gt_masks"].masks.shape == (0, 40, 50)


def test_missing_masks_are_an_error_that_names_the_image() -> None:
    with pytest.raises(AnnotationError, match=r"a\.png: 1 of 2 objects have no mask"):
        LoadAnnotations(with_mask=True)(annotated(masks=[SQUARE, None]))


def test_run_lengths_cannot_be_kept_as_polygons() -> None:
    runs = {"size": [40, 50], "counts": [0, 2000]}
    with pytest.raises(OptionError, match="poly2mask=True"):
        LoadAnnotations(with_mask=True, poly2mask=False)(annotated(masks=[runs]))
    results = LoadAnnotations(with_mask=True)(annotated(masks=[runs]))
    assert results is not None
    assert results["gt_masks"].areas.tolist() == [2000]


def test_a_semantic_map_is_read_as_it_is(tmp_path: Path) -> None:
    Image.fromarray(np.full((40, 50), 7, dtype=np.uint8)).save(tmp_path / "a.png")
    sample = annotated(seg_map="a.png")
    sample["seg_prefix"] = str(tmp_path)
    results = LoadAnnotations(with_bbox=False, with_label=False, with_seg=True)(sample)
    assert results is not None
    assert results["gt_semantic_seg"].shape == (40, 50)
    assert results["gt_semantic_seg"][0, 0] == 7
    assert "gt_bboxes" not in results


def test_proposals_lose_their_scores_and_are_cut_off() -> None:
    proposals = np.arange(15, dtype=np.float32).reshape(3, 5)
    results = LoadProposals(num_max_proposals=2)({"proposals": proposals, "bbox_fields": []})
    assert results["proposals"].tolist() == [[0, 1, 2, 3], [5, 6, 7, 8]]
    assert results["bbox_fields"] == ["proposals"]


def test_an_image_without_proposals_gets_an_empty_one() -> None:
    results = LoadProposals()({"proposals": np.zeros((0, 5)), "bbox_fields": []})
    assert results["proposals"].tolist() == [[0, 0, 0, 0]]
    with pytest.raises(AnnotationError, match=r"not \(3, 6\)"):
        LoadProposals()({"proposals": np.zeros((3, 6)), "bbox_fields": []})


def test_small_objects_are_left_out_with_labels_and_masks(
    make_sample: Callable[..., dict[str, Any]],
) -> None:
    sample = make_sample(((10, 10, 30, 20), (40, 5, 60, 45), (0, 0, 3, 40)))
    results = FilterAnnotations(min_gt_bbox_wh=(3, 3))(sample)
    assert results is not None
    assert results["gt_labels"].tolist() == [0, 1]  # 3 pixels wide is not above 3
    assert len(results["gt_masks"]) == 2
    by_mask = FilterAnnotations(by_box=False, by_mask=True, min_gt_mask_area=201)(results)
    assert by_mask is not None
    assert by_mask["gt_labels"].tolist() == [1]  # 20 x 10 is below 201, 20 x 40 is not


def test_a_sample_without_objects_left_is_dropped_unless_told_otherwise(
    make_sample: Callable[..., dict[str, Any]],
) -> None:
    assert FilterAnnotations(min_gt_bbox_wh=(99, 99))(make_sample()) is None
    kept = FilterAnnotations(min_gt_bbox_wh=(99, 99), keep_empty=False)(make_sample())
    assert kept is not None
    assert len(kept["gt_bboxes"]) == 0
    assert FilterAnnotations()(make_sample(boxes=())) is not None
