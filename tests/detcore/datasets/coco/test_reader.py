from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as rle

from detcore.datasets.coco.reader import CocoRecords, read_coco, to_rle
from detcore.errors import AnnotationError

SQUARE = [[10.0, 10.0, 20.0, 10.0, 20.0, 20.0, 10.0, 20.0]]


def read(path: Path) -> CocoRecords:
    return read_coco(path.read_bytes(), path.name)


def test_a_cut_off_file_is_named_with_line_and_column() -> None:
    with pytest.raises(AnnotationError, match=r"train\.json:2:\d+: not valid json"):
        read_coco('{"images":\n [{"id": 1,', "train.json")


def test_a_json_list_is_told_apart_from_coco() -> None:
    with pytest.raises(AnnotationError, match=r"holds a list, where COCO has an object"):
        read_coco("[]", "train.json")


def test_a_missing_part_is_named_with_the_keys_that_are_there() -> None:
    with pytest.raises(AnnotationError, match=r"the key 'images'.*found 'info'"):
        read_coco('{"info": {}}', "train.json")


def test_a_test_file_needs_no_annotations() -> None:
    content = json.dumps({"images": [], "categories": []})
    assert read_coco(content, "test.json", need_annotations=False).ids == []
    with pytest.raises(AnnotationError, match="'annotations'"):
        read_coco(content, "test.json")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": [{"id": 5, "width": 4, "height": 4}]}, r"images\[0\] \(id 5\).*'file_name'"),
        ({"images": [{"id": 5, "file_name": "a", "height": 4}]}, r"\(id 5\) has no key 'width'"),
        ({"categories": [{"id": 1}]}, r"categories\[0\] \(id 1\) has no key 'name'"),
        ({"annotations": [{"id": 3}]}, r"annotations\[0\] \(id 3\) has no key 'image_id'"),
        ({"annotations": ["box"]}, r"annotations\[0\] is 'box', not an object"),
    ],
)
def test_a_missing_key_is_named_with_its_record(
    write_coco: Callable[..., Path], changes: dict[str, Any], message: str
) -> None:
    content = json.loads(write_coco().read_text()) | changes
    with pytest.raises(AnnotationError, match=message):
        read_coco(json.dumps(content), "train.json")


@pytest.mark.parametrize("box", [[1, 2, 3], [1, 2, 3, "wide"], None, [0, 0, float("nan"), 1]])
def test_a_box_that_is_not_four_numbers_names_its_annotation(
    write_coco: Callable[..., Path], box: Any
) -> None:
    path = write_coco([{"bbox": [0, 0, 1, 1]}, {"bbox": box}])
    with pytest.raises(AnnotationError, match=r"annotation 2 has bbox .* four finite numbers"):
        read(path)


@pytest.mark.parametrize("part", ["images", "annotations", "categories"])
def test_ids_that_come_twice_are_an_error(write_coco: Callable[..., Path], part: str) -> None:
    path = write_coco([{"bbox": [0, 0, 9, 9]}, {"bbox": [0, 0, 9, 9]}])
    content = json.loads(path.read_text())
    content[part][1]["id"] = content[part][0]["id"]
    with pytest.raises(AnnotationError, match=rf"1 ids of {part} are not unique"):
        read_coco(json.dumps(content), "train.json")


def test_a_segmentation_of_another_kind_is_an_error(write_coco: Callable[..., Path]) -> None:
    path = write_coco([{"bbox": [0, 0, 9, 9], "segmentation": [1, 2, 3, 4, 5, 6]}])
    with pytest.raises(AnnotationError, match="annotation 1 has a segmentation"):
        read(path)


def test_annotations_are_sorted_by_image_and_keep_their_order_within(
    write_coco: Callable[..., Path],
) -> None:
    box = [0, 0, 9, 9]
    path = write_coco(
        [{"image_id": 2, "bbox": box}, {"image_id": 1, "bbox": box}, {"image_id": 2, "bbox": box}]
    )
    records = read(path)
    assert list(records.ids) == [2, 1, 3]
    assert records.offsets.tolist() == [0, 1, 3]
    assert records.image_of.tolist() == [0, 1, 1]


@pytest.mark.parametrize("category", [9, None, [], {}])
def test_a_category_that_is_not_listed_is_an_error(
    write_coco: Callable[..., Path], category: Any
) -> None:
    path = write_coco([{"bbox": [0, 0, 9, 9], "category_id": category}])
    with pytest.raises(
        AnnotationError, match=re.escape(f"first is annotation 1 with {category!r}")
    ):
        read(path)


def test_annotations_of_unknown_images_are_counted(write_coco: Callable[..., Path]) -> None:
    box = [0, 0, 9, 9]
    records = read(write_coco([{"image_id": 9, "bbox": box}, {"bbox": box}]))
    assert list(records.ids) == [2]
    assert records.left_out == {"annotations: of an image that the file does not list": 1}


def test_a_missing_area_is_that_of_the_mask_or_else_of_the_box(
    write_coco: Callable[..., Path],
) -> None:
    triangle = [[0, 0, 10, 0, 0, 10]]
    path = write_coco(
        [
            {"bbox": [0, 0, 4, 5], "area": None},
            {"bbox": [10, 10, 10, 10], "area": None, "segmentation": SQUARE},
            {"bbox": [10, 10, 10, 10], "area": 7, "segmentation": triangle},
        ]
    )
    # 4 x 5 pixels; a square of 10 x 10 pixels; the third is stated.
    assert read(path).areas.tolist() == [20.0, 100.0, 7.0]


def test_a_missing_iscrowd_means_a_single_object(write_coco: Callable[..., Path]) -> None:
    path = write_coco([{"bbox": [0, 0, 9, 9], "iscrowd": None}, {"bbox": [0, 0, 9, 9]}])
    content = json.loads(path.read_text())
    del content["annotations"][1]["iscrowd"]
    assert not read_coco(json.dumps(content), "train.json").crowd.any()


def test_polygons_come_back_as_they_went_in(write_coco: Callable[..., Path]) -> None:
    two_parts = [[0, 0, 5, 0, 5, 5], [50, 50, 60.25, 50, 60, 60, 50, 60]]
    runs = {"size": [80, 100], "counts": [10, 20, 7970]}
    path = write_coco(
        [
            {"bbox": [0, 0, 60, 60], "segmentation": two_parts},
            {"bbox": [0, 0, 9, 9]},
            {"bbox": [0, 0, 9, 9], "segmentation": runs},
            {"bbox": [10, 10, 10, 10], "segmentation": SQUARE},
        ]
    )
    segmentations = read(path).segmentations
    assert [polygon.tolist() for polygon in segmentations[0]] == two_parts
    assert segmentations[1] is None
    assert segmentations[2] == to_rle(runs, 80, 100)  # compressed: one form for all
    assert [polygon.tolist() for polygon in segmentations[3]] == SQUARE


def test_every_kind_of_segmentation_gives_the_same_run_lengths() -> None:
    polygon = to_rle(SQUARE, 80, 100)
    mask = np.zeros((80, 100), dtype=np.uint8)
    mask[10:20, 10:20] = 1
    # Column by column: 10 columns of 80 and 10 pixels, then ten runs of 10 with gaps of 70.
    counts = [810, *[10, 70] * 9, 10, 80 * 80 + 60]
    listed = to_rle({"size": [80, 100], "counts": counts}, 80, 100)
    compressed = to_rle(listed, 80, 100)
    for made in (polygon, listed, compressed):
        np.testing.assert_array_equal(rle.decode(made), mask)


def test_polygons_of_fewer_than_three_points_are_empty() -> None:
    assert rle.area(to_rle([[1, 2, 30, 40]], 80, 100)) == 0
    assert rle.area(to_rle([[1, 2, 30, 40], *SQUARE], 80, 100)) == 100


def test_a_file_reads_alike_with_and_without_the_fast_parser(
    write_coco: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_coco([{"bbox": [1, 2, 3.5, 4], "segmentation": SQUARE}])
    first = read(path)
    monkeypatch.setattr("detcore.datasets.coco.source.orjson", None)
    second = read(path)
    assert first.images == second.images
    assert np.array_equal(first.boxes, second.boxes)
    assert np.array_equal(first.segmentations[0], second.segmentations[0])
