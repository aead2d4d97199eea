"""Section B, rows 1 to 14 and 32 to 35: the annotation file as a whole. One test a row."""

# ruff: noqa: N802 - rows are found by their ids

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.acceptance.conftest import WITH_MASKS, Data

from detcore.datasets import CocoDataset, build_dataloader
from detcore.errors import AnnotationError, ClassMismatchError

Train = Callable[..., tuple[int, str]]


def read(path: str, **options: Any) -> CocoDataset:
    return CocoDataset(path, [], classes=("cat", "dog"), **options)


def test_B1_broken_json_names_line_and_column(good_data: Data, train: Train) -> None:
    path = Path(good_data.write())
    whole = json.dumps(json.loads(path.read_text()), indent=1)
    path.write_text(whole[: len(whole) // 2])
    lines = whole[: len(whole) // 2].count("\n") + 1
    with pytest.raises(AnnotationError, match=rf"annotations\.json:{lines}:\d+: not valid json"):
        read(str(path))
    path.write_bytes(gzip.compress(whole.encode()))
    with pytest.raises(AnnotationError, match=r"annotations\.json:1:1: .*gzip -d"):
        read(str(path))
    path.write_bytes(b"\xef\xbb\xbf" + whole.encode())  # a byte-order mark is no fault
    assert len(read(str(path))) == 3
    path.write_bytes(whole.encode().replace(b"cat", b"\xe9"))
    with pytest.raises(AnnotationError, match="UTF-8"):
        read(str(path))


@pytest.mark.parametrize("key", ["images", "annotations", "categories"])
def test_B2_a_missing_part_is_named(good_data: Data, train: Train, key: str) -> None:
    good_data.changes = {key: None}
    code, said = train(good_data)
    assert code == 2
    assert f"the key {key!r} with a list is missing" in said
    if key == "annotations":
        assert len(good_data.dataset(test_mode=True)) == 3


def test_B3_missing_area_and_iscrowd_are_worked_out_with_one_warning(
    data: Data, caplog: pytest.LogCaptureFixture
) -> None:
    data.image("a.jpg")
    data.object(area=None, iscrowd=None, segmentation=None)
    triangle = [[0, 0, 20, 0, 0, 20]]
    data.object(area=None, segmentation=triangle)
    made = data.dataset()
    assert made.records.areas[0] == 400  # 20 x 20, the box
    assert made.records.areas[1] == pytest.approx(200, abs=15)  # half of it, in whole pixels
    assert not made.records.crowd.any()
    assert caplog.text.count("worked out: area of 2, iscrowd of 1") == 1


def test_B4_a_missing_mask_is_an_error_with_ids_or_skipped(good_data: Data, train: Train) -> None:
    del good_data.annotations[1]["segmentation"]
    assert len(good_data.dataset()) == 3  # boxes alone need none
    with pytest.raises(AnnotationError, match=r"1 annotations have no segmentation.*ids: 2\.") as e:
        good_data.dataset(WITH_MASKS)
    assert "on_missing_mask='skip'" in str(e.value)
    made = good_data.dataset(WITH_MASKS, on_missing_mask="skip")
    assert made.filter_report["annotations: no usable mask"] == 1
    assert [len(made.get_ann_info(i)["labels"]) for i in range(3)] == [1, 0, 1]
    assert [len(made[i]["gt_masks"]) for i in range(3)] == [1, 0, 1]
    code, said = train(good_data)
    assert code == 2
    assert "ids: 2" in said


@pytest.mark.parametrize("part", ["images", "annotations", "categories"])
def test_B5_B6_B7_ids_that_come_twice_are_listed(good_data: Data, train: Train, part: str) -> None:
    path = Path(good_data.write())
    content = json.loads(path.read_text())
    content[part][1]["id"] = content[part][0]["id"]
    good_data.changes = {part: content[part]}
    code, said = train(good_data)
    assert code == 2
    assert f"1 ids of {part} are not unique: 1;" in said


def test_B7_two_categories_of_one_name_are_an_error(good_data: Data) -> None:
    good_data.changes = {"categories": [{"id": i, "name": "cat"} for i in (1, 2)]}
    with pytest.raises(AnnotationError, match="'cat' is the name of several categories"):
        good_data.dataset(classes=("cat",))


def test_B8_annotations_of_unknown_images_are_counted(good_data: Data) -> None:
    good_data.object(image_id=99)
    made = good_data.dataset()
    reason = "annotations: of an image that the file does not list"
    assert made.filter_report[reason] == 1
    assert reason in str(made)


def test_B9_annotations_of_unknown_categories_are_an_error(good_data: Data, train: Train) -> None:
    good_data.object(category_id=99)
    code, said = train(good_data)
    assert code == 2
    assert "the first is annotation 4 with 99" in said
    # A category that the file lists and the config does not name is a choice, and counted.
    good_data.annotations[-1]["category_id"] = 2
    made = good_data.dataset(classes=("cat",))
    assert made.filter_report["annotations: of a category that classes does not name"] == 1


def test_B10_a_class_that_the_file_lacks_is_an_error_with_the_nearest(
    good_data: Data, train: Train
) -> None:
    with pytest.raises(ClassMismatchError, match=r"'cats'; nearest: 'cat'"):
        good_data.dataset(classes=("cats", "dog"))
    code, said = train(good_data, "data.train.classes=['cat','dogg']")
    assert code == 2
    assert "nearest: 'dog'" in said


def test_B11_label_i_is_class_i_whatever_the_order_of_the_file(data: Data) -> None:
    data.names = ("cat", "dog", "owl")
    data.image("a.jpg")
    for category in (1, 2, 3):
        data.object(category_id=category)
    made = data.dataset(classes=("owl", "cat", "dog"))
    assert made.get_ann_info(0)["labels"].tolist() == [1, 2, 0]
    assert [made.cat_ids[label] for label in made.get_ann_info(0)["labels"]] == [1, 2, 3]


def test_B12_train_and_val_agree_by_name_though_their_ids_differ(data: Data) -> None:
    data.image("a.jpg")
    data.object(category_id=1)
    train = data.dataset()
    data.changes = {"categories": [{"id": 70, "name": "dog"}, {"id": 50, "name": "cat"}]}
    data.annotations[0]["category_id"] = 50
    val = data.dataset(test_mode=True)
    assert train.get_ann_info(0)["labels"].tolist() == val.get_ann_info(0)["labels"].tolist() == [0]
    found = np.array([[10, 10, 30, 30, 0.9]], dtype=np.float32)
    results = [[found, np.zeros((0, 5), dtype=np.float32)]]
    assert val.evaluate(results, logger="silent")["bbox_mAP"] == 1.0
    written, folder = val.format_results(results)
    assert json.loads(Path(written["bbox"]).read_text())[0]["category_id"] == 50
    assert folder is not None
    folder.cleanup()


@pytest.mark.parametrize("ids", [(0, 7), ("cat-a", "dog-b")])
def test_B13_any_ids_are_accepted_and_kept_in_results(data: Data, ids: tuple[Any, Any]) -> None:
    data.image("a.jpg")
    data.object(image_id="photo", category_id=ids[1], id="first")
    data.images[0]["id"] = "photo"
    data.changes = {
        "categories": [{"id": ids[0], "name": "cat"}, {"id": ids[1], "name": "dog"}],
    }
    made = data.dataset()
    assert made[0]["gt_labels"].tolist() == [1]
    none, found = np.zeros((0, 5), dtype=np.float32), np.ones((1, 5), dtype=np.float32)
    written, folder = made.format_results([[none, found]])
    (record,) = json.loads(Path(written["bbox"]).read_text())
    assert (record["image_id"], record["category_id"]) == ("photo", ids[1])
    assert folder is not None
    folder.cleanup()


def test_B14_nothing_left_to_train_on_says_why_at_once(data: Data, train: Train) -> None:
    data.image("small.jpg", size=(20, 20))
    data.object(bbox=[1, 1, 5, 5])
    data.image("empty.jpg")
    code, said = train(data, "data.train.filter_empty_gt=True")
    assert code == 2
    assert "0 of 2 images left to train on: 1 shorter side below 32 pixels; 1 no object" in said
    data.images, data.annotations = [], []
    code, said = train(data)
    assert code == 2
    assert "0 of 0 images left" in said


def test_B32_a_large_file_is_read_once_and_shared_by_workers(tmp_path: Path) -> None:
    path, number = tmp_path / "large.json", 50_000
    images = [
        {"id": i, "file_name": f"{i}.jpg", "width": 640, "height": 480} for i in range(number // 10)
    ]
    shape = [float(n) for n in range(40)]
    annotations = [
        {
            "id": i, "image_id": i // 10, "category_id": 1 + i % 2, "bbox": [9, 9, 50, 50],
            "area": 2500.0, "iscrowd": 0, "segmentation": [shape],
        }
        for i in range(number)
    ]  # fmt: skip
    categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    path.write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": categories})
    )
    begin = time.process_time()
    made = read(str(path))
    assert time.process_time() - begin < 10
    # Numbers of polygons and boxes take 8 bytes each, wherever they are looked at from.
    arrays = made.records.segmentations._numbers, made.records.boxes
    assert sum(array.nbytes for array in arrays) == number * 8 * (len(shape) + 4)
    polygons = made.get_ann_info(0)["masks"]
    assert np.shares_memory(polygons[0][0], arrays[0])
    collect = {"type": "Collect", "keys": ["ann_info"], "meta_keys": []}
    made.pipeline = type(made.pipeline)([collect])
    loader = build_dataloader(made, 4, 2, dist=False, shuffle=False)
    assert sum(len(batch["ann_info"]["labels"]) for batch in loader) == len(made)


def test_B33_another_number_of_classes_is_named_before_an_image_is_read(
    good_data: Data, train: Train
) -> None:
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (good_data.folder / name).write_bytes(b"not read")
    code, said = train(good_data, "model.roi_head.bbox_head.num_classes=5")
    assert code == 2
    assert "bbox_head.num_classes is 5, but the data has 2 classes (cat, dog)" in said


def test_B34_a_string_in_place_of_names_asks_for_the_comma(good_data: Data, train: Train) -> None:
    with pytest.raises(ClassMismatchError, match=r"write classes=\('cat',\) with a comma"):
        good_data.dataset(classes="cat")
    code, said = train(good_data, "data.train.classes=cat")
    assert code == 2
    assert "with a comma" in said


def test_B35_class_files_of_windows_work_and_of_other_encodings_are_named(
    good_data: Data, tmp_path: Path
) -> None:
    good_data.names = ("größer", "dog")
    names = tmp_path / "names.txt"
    for content in ("größer\r\ndog\r\n".encode(), b"\xef\xbb\xbf" + "größer\ndog".encode()):
        names.write_bytes(content)
        assert list(good_data.dataset(classes=str(names)).CLASSES or ()) == ["größer", "dog"]
    names.write_bytes("größer\ndog".encode("latin-1"))
    with pytest.raises(ClassMismatchError, match=r"names\.txt: not a text file in UTF-8"):
        good_data.dataset(classes=str(names))
    names.write_text("größer\n\ndog\n", encoding="utf-8")
    with pytest.raises(ClassMismatchError, match=r"names\.txt:2: an empty line"):
        good_data.dataset(classes=str(names))
