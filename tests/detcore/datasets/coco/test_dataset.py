from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detcore.datasets import CocoDataset
from detcore.datasets.coco.reader import to_rle
from detcore.errors import AnnotationError, ClassMismatchError, OptionError

BOX = [10, 10, 20, 20]


def dataset(path: Path, **options: Any) -> CocoDataset:
    options.setdefault("classes", ("cat", "dog"))
    return CocoDataset(str(path), pipeline=[], **options)


def test_labels_follow_the_order_of_the_config_whatever_the_file_says(
    write_coco: Callable[..., Path],
) -> None:
    path = write_coco([{"bbox": BOX, "category_id": 1}, {"bbox": BOX, "category_id": 2}])
    assert dataset(path).get_ann_info(0)["labels"].tolist() == [0, 1]
    swapped = dataset(path, classes=("dog", "cat"))
    assert swapped.get_ann_info(0)["labels"].tolist() == [1, 0]
    assert swapped.cat_ids == [2, 1]
    assert swapped.cat2label == {2: 0, 1: 1}


def test_a_class_that_the_file_lacks_is_an_error_with_the_nearest_name(
    write_coco: Callable[..., Path],
) -> None:
    with pytest.raises(ClassMismatchError, match=r"1 of 2 classes.*\n *'cats'; nearest: 'cat'"):
        dataset(write_coco([{"bbox": BOX}]), classes=("cats", "dog"))


def test_two_categories_of_one_name_are_an_error(write_coco: Callable[..., Path]) -> None:
    with pytest.raises(AnnotationError, match="'cat' is the name of several categories"):
        dataset(write_coco([{"bbox": BOX}], names=("cat", "cat")), classes=("cat",))


def test_boxes_become_corners_and_crowds_are_ignored(write_coco: Callable[..., Path]) -> None:
    crowd = {"size": [80, 100], "counts": [0, 8000]}
    path = write_coco(
        [{"bbox": [1, 2, 30, 40]}, {"bbox": [5, 5, 9, 9], "iscrowd": 1, "segmentation": crowd}]
    )
    info = dataset(path).get_ann_info(0)
    assert info["bboxes"].tolist() == [[1, 2, 31, 42]]
    assert info["bboxes"].dtype == np.float32
    assert info["bboxes_ignore"].tolist() == [[5, 5, 14, 14]]
    assert info["labels"].dtype == np.int64
    assert info["seg_map"] == "1.png"


def test_every_annotation_left_out_is_counted_with_its_reason(
    write_coco: Callable[..., Path],
) -> None:
    path = write_coco(
        [
            {"bbox": BOX},
            {"bbox": BOX, "category_id": 3},
            {"bbox": BOX, "ignore": True},
            {"bbox": [200, 10, 20, 20]},
            {"bbox": BOX, "area": 0},
            {"bbox": [10, 10, 0.5, 20]},
            {"bbox": [10, 10, -5, 20]},
        ],
        names=("cat", "dog", "owl"),
    )
    made = dataset(path)
    assert dict(made.filter_report) == {
        "annotations: of a category that classes does not name": 1,
        "annotations: marked as ignored": 1,
        "annotations: width or height of zero or less": 1,
        "annotations: outside the image": 1,
        "annotations: area of zero": 1,
        "annotations: narrower or lower than 1 pixel": 1,
        "images: no object of the chosen classes (filter_empty_gt)": 1,
    }
    assert len(made.get_ann_info(0)["bboxes"]) == 1
    assert "area of zero" in str(made.filter_report)


def test_small_and_empty_images_are_left_out_of_training_only(
    write_coco: Callable[..., Path],
) -> None:
    images = [
        {"id": 7, "file_name": "a.png", "width": 100, "height": 31},
        {"id": 8, "file_name": "b.png", "width": 32, "height": 100},
        {"id": 9, "file_name": "c.png", "width": 100, "height": 80},
    ]
    path = write_coco([{"image_id": 7, "bbox": BOX}, {"image_id": 8, "bbox": BOX}], images=images)
    trained = dataset(path)
    assert trained.img_ids == [8]
    assert trained.flag.tolist() == [0]  # 32 wide and 100 high
    assert trained.filter_report["images: shorter side below 32 pixels"] == 1
    assert trained.get_ann_info(0)["bboxes"].tolist() == [[10, 10, 30, 30]]
    assert dataset(path, filter_empty_gt=False).img_ids == [8, 9]
    assert dataset(path, test_mode=True).img_ids == [7, 8, 9]


def test_nothing_left_to_train_on_says_why(write_coco: Callable[..., Path]) -> None:
    with pytest.raises(AnnotationError, match="0 of 2 images left to train on: 2 no object"):
        dataset(write_coco([]))


def test_annotations_follow_their_image_when_images_are_taken_out(
    write_coco: Callable[..., Path],
) -> None:
    path = write_coco([{"image_id": 1, "bbox": BOX}, {"image_id": 2, "bbox": [1, 1, 5, 5]}])
    made = dataset(path)
    made.data_infos = made.data_infos[1:]
    assert made.get_ann_info(0)["bboxes"].tolist() == [[1, 1, 6, 6]]


def test_categories_of_an_image_are_ids_of_the_file_and_the_lookup_is_by_label(
    write_coco: Callable[..., Path],
) -> None:
    path = write_coco(
        [
            {"image_id": 1, "bbox": BOX, "category_id": 2},
            {"image_id": 1, "bbox": BOX, "category_id": 2},
            {"image_id": 2, "bbox": BOX, "category_id": 1},
        ]
    )
    made = dataset(path, classes=("dog", "cat"))
    assert made.get_cat_ids(0) == [2, 2]
    assert made.get_cat2imgs() == {0: [0], 1: [1]}


def test_the_api_object_answers_under_both_kinds_of_names(
    write_coco: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_coco([{"bbox": BOX}, {"image_id": 2, "bbox": BOX, "category_id": 2}])
    coco = dataset(path).coco
    assert coco.getAnnIds(imgIds=[2]) == coco.get_ann_ids(img_ids=[2]) == [2]
    assert coco.get_cat_ids(cat_names=["dog"]) == [2]
    assert coco.load_anns([1])[0]["bbox"] == BOX
    assert coco.load_imgs([1])[0]["file_name"] == "1.png"
    assert [ann["id"] for ann in coco.img_ann_map[1]] == [1]
    assert capsys.readouterr().out == ""


def test_relative_paths_start_from_the_data_root(write_coco: Callable[..., Path]) -> None:
    folder = write_coco([{"bbox": BOX}]).parent
    made = dataset(Path("annotations.json"), data_root=str(folder), img_prefix="images/")
    assert made.img_prefix == f"{folder}/images/"
    assert made.ann_file == f"{folder}/annotations.json"


def test_the_summary_counts_objects_of_each_class(write_coco: Callable[..., Path]) -> None:
    path = write_coco([{"bbox": BOX}, {"bbox": BOX, "category_id": 2}, {"bbox": BOX}])
    lines = repr(dataset(path)).splitlines()
    assert lines[0] == "CocoDataset Train dataset with number of images 1"
    assert [line.split() for line in lines[3:5]] == [["cat", "|", "2"], ["dog", "|", "1"]]


def truth_as_result(made: CocoDataset, masks: bool = False, score: float = 0.9) -> list[Any]:
    """A detector that finds exactly the truth."""
    results: list[Any] = []
    for idx, image in enumerate(made.data_infos):
        info = made.get_ann_info(idx)
        rows = np.hstack([info["bboxes"], np.full((len(info["labels"]), 1), score)])
        classes = range(len(made.cat_ids))
        boxes = [rows[info["labels"] == label].astype(np.float32) for label in classes]
        segments = [
            [
                to_rle(info["masks"][i] or [], image["height"], image["width"])
                for i in np.flatnonzero(info["labels"] == label)
            ]
            for label in classes
        ]
        results.append((boxes, segments) if masks else boxes)
    return results


def test_the_truth_itself_scores_one(photos: Path) -> None:
    made = CocoDataset(str(photos / "instances.json"), pipeline=[])
    results = truth_as_result(made, masks=True)
    figures = made.evaluate(results, metric=["bbox", "segm", "proposal"], logger="silent")
    assert list(figures) == [
        *(f"bbox_{name}" for name in ("mAP", "mAP_50", "mAP_75", "mAP_s", "mAP_m", "mAP_l")),
        "bbox_mAP_copypaste",
        *(f"segm_{name}" for name in ("mAP", "mAP_50", "mAP_75", "mAP_s", "mAP_m", "mAP_l")),
        "segm_mAP_copypaste",
        *("AR@100", "AR@300", "AR@1000", "AR_s@1000", "AR_m@1000", "AR_l@1000"),
    ]
    copypaste = figures.pop("bbox_mAP_copypaste"), figures.pop("segm_mAP_copypaste")
    assert set(copypaste) == {"1.0000 1.0000 1.0000 1.0000 1.0000 1.0000"}
    assert set(figures.values()) == {1.0}


def test_half_of_the_objects_found_gives_half_the_recall(write_coco: Callable[..., Path]) -> None:
    path = write_coco(
        [{"bbox": [0, 0, 40, 40], "area": 1600}, {"bbox": [50, 0, 40, 40], "area": 1600}], images=1
    )
    made = dataset(path)
    found = np.array([[0, 0, 40, 40, 0.9]], dtype=np.float32)
    none = np.zeros((0, 5), dtype=np.float32)
    figures = made.evaluate([[found, none]], logger="silent")
    # Precision is 1 at the 51 of 101 recalls up to 0.5, and 0 beyond: 51 / 101 = 0.505.
    assert figures["bbox_mAP"] == pytest.approx(0.505)
    assert figures["bbox_mAP_m"] == pytest.approx(0.505)
    assert figures["bbox_mAP_s"] == -1
    only = made.evaluate(
        [[found, none]], logger="silent", metric_items=["mAP_50"], proposal_nums=(1, 10)
    )
    assert list(only) == ["bbox_mAP_50", "bbox_mAP_copypaste"]


def test_no_detection_at_all_gives_zeros_and_a_warning(
    write_coco: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    made = dataset(write_coco([{"bbox": BOX}]))
    empty = [[np.zeros((0, 5), dtype=np.float32)] * 2]
    logger = logging.getLogger("test_no_detection")
    figures = made.evaluate(empty, metric=["bbox", "proposal"], logger=logger)
    assert figures["bbox_mAP"] == 0
    assert figures["bbox_mAP_copypaste"] == "0.0000 0.0000 0.0000 0.0000 0.0000 0.0000"
    assert figures["AR@100"] == 0
    assert "not a single detection for bbox" in caplog.text


def test_the_log_holds_a_table_of_classes_and_stdout_nothing(
    write_coco: Callable[..., Path],
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = dataset(write_coco([{"bbox": BOX}]))
    logger = logging.getLogger("test_table")
    with caplog.at_level(logging.INFO):
        made.evaluate(truth_as_result(made), logger=logger, classwise=True)
    rows = {line.split()[0]: line.split()[2] for line in caplog.text.splitlines() if " | " in line}
    assert rows["cat"] == "1.000"
    assert rows["dog"] == "-"
    assert capsys.readouterr().out == ""


def test_fast_recall_agrees_with_a_count_by_hand(write_coco: Callable[..., Path]) -> None:
    made = dataset(write_coco([{"bbox": [0, 0, 10, 10]}, {"bbox": [50, 50, 10, 10]}], images=1))
    # The first proposal overlaps by 0.8; the second, with a lower score, exactly.
    proposals = np.array([[0, 0, 10, 8, 0.9], [50, 50, 60, 60, 0.5]], dtype=np.float32)
    figures = made.evaluate(
        [proposals],
        metric="proposal_fast",
        proposal_nums=(1, 2),
        iou_thrs=[0.5, 0.9],
        logger="silent",
    )
    # One proposal: 1/2 at 0.5 and 0 at 0.9; both: 1 and 1/2.
    assert figures == {"AR@1": pytest.approx(0.25), "AR@2": pytest.approx(0.75)}


def test_results_are_written_in_the_submission_format(
    write_coco: Callable[..., Path], tmp_path: Path
) -> None:
    made = dataset(write_coco([{"bbox": BOX, "segmentation": [[10, 10, 30, 10, 30, 30]]}]))
    files, folder = made.format_results(truth_as_result(made, masks=True), str(tmp_path / "r"))
    assert folder is None
    assert sorted(files) == ["bbox", "proposal", "segm"]
    assert files["proposal"] == files["bbox"] == str(tmp_path / "r.bbox.json")
    (record,) = json.loads(Path(files["bbox"]).read_text())
    assert record == {
        "image_id": 1,
        "bbox": [10, 10, 20, 20],
        "score": pytest.approx(0.9),
        "category_id": 1,
    }
    (record,) = json.loads(Path(files["segm"]).read_text())
    assert record["segmentation"]["size"] == [80, 100]
    assert isinstance(record["segmentation"]["counts"], str)


def test_results_without_a_prefix_go_to_a_temporary_folder(
    write_coco: Callable[..., Path],
) -> None:
    made = dataset(write_coco([{"bbox": BOX}]))
    files, folder = made.format_results([np.array([[1, 2, 3, 4, 0.5]], dtype=np.float32)])
    assert folder is not None
    with folder:
        (record,) = json.loads(Path(files["proposal"]).read_text())
    assert record["bbox"] == [1, 2, 2, 2]


def test_masks_may_carry_scores_of_their_own(write_coco: Callable[..., Path]) -> None:
    square = [[10, 10, 30, 10, 30, 30, 10, 30]]
    path = write_coco([{"bbox": BOX, "area": 400, "segmentation": square}], images=1)
    made = dataset(path)
    ((boxes, segments),) = truth_as_result(made, masks=True)
    wrong = to_rle([[40, 40, 60, 40, 60, 60]], 80, 100)
    boxes[0] = np.vstack([boxes[0], boxes[0]])
    segments[0] = [wrong, segments[0][0]]
    # By box score the wrong mask comes first (precision 1/2); by mask score, the right one.
    first = made.evaluate([(boxes, segments)], metric="segm", logger="silent")
    scored = (boxes, (segments, [np.array([0.1, 0.8]), np.zeros(0)]))
    second = made.evaluate([scored], metric="segm", logger="silent")
    assert (first["segm_mAP"], second["segm_mAP"]) == (0.5, 1.0)


@pytest.mark.parametrize(
    ("results", "metric", "message"),
    [
        ([], "bbox", "0 results for 1 images"),
        ([[np.zeros((0, 5))] * 3], "bbox", "3 classes and the dataset 2"),
        ([[np.zeros((1, 5))] * 2], "segm", "needs masks"),
        ([np.zeros((1, 5))], "bbox", "the results are proposals"),
        (["boxes"], "bbox", "a result is a list"),
    ],
)
def test_results_of_another_dataset_or_kind_are_named(
    write_coco: Callable[..., Path], results: list[Any], metric: str, message: str
) -> None:
    with pytest.raises(AnnotationError, match=message):
        dataset(write_coco([{"bbox": BOX}])).evaluate(results, metric=metric, logger="silent")


def test_an_unknown_metric_names_the_known_ones(write_coco: Callable[..., Path]) -> None:
    made = dataset(write_coco([{"bbox": BOX}]))
    with pytest.raises(OptionError, match=r"metric='box' is not known.*'bbox'"):
        made.evaluate(truth_as_result(made), metric="box")
    with pytest.raises(OptionError, match="metric_items='mAP_5'"):
        made.evaluate(truth_as_result(made), metric_items="mAP_5")
