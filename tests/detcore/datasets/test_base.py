from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cvcore.dist.seed import sample_randomness
from detcore.datasets import CustomDataset
from detcore.errors import AnnotationError, OptionError


class InMemory(CustomDataset):
    """Takes its records from a class attribute."""

    records: list[dict[str, Any]] = []  # noqa: RUF012 - replaced by each test
    CLASSES = ("cat", "dog")

    def load_annotations(self, ann_file: str) -> list[dict[str, Any]]:
        return self.records


def info(
    boxes: Any = ((0, 0, 10, 10),), labels: Any = None, size: tuple[int, int] = (80, 60)
) -> dict[str, Any]:
    boxes = np.array(boxes, dtype=np.float32).reshape(-1, 4)
    labels = np.zeros(len(boxes), dtype=np.int64) if labels is None else np.array(labels)
    return {
        "filename": "a.png",
        "width": size[0],
        "height": size[1],
        "ann": {"bboxes": boxes, "labels": labels},
    }


def dataset(*records: dict[str, Any], pipeline: Any = (), **options: Any) -> InMemory:
    kind = type("Records", (InMemory,), {"records": list(records)})
    return kind("memory", pipeline, **options)


def test_the_middle_format_is_read_from_a_file(tmp_path: Path) -> None:
    records = [{"filename": "a.png", "width": 80, "height": 60, "ann": {"bboxes": [[0, 0, 1, 1]]}}]
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps(records))
    assert CustomDataset(str(path), []).data_infos == records
    path.write_text(json.dumps({"images": []}))
    with pytest.raises(AnnotationError, match=r"a list with one dict an image, not dict.*COCO"):
        CustomDataset(str(path), [])


def test_small_and_empty_images_are_left_out_of_training() -> None:
    made = dataset(info(size=(80, 31)), info(boxes=()), info(size=(40, 60)), info())
    assert [record["width"] for record in made.data_infos] == [40, 80]
    assert made.flag.tolist() == [0, 1]
    assert sum(made.filter_report.values()) == 2
    assert len(dataset(info(boxes=()), filter_empty_gt=False)) == 1
    assert len(dataset(info(boxes=()), test_mode=True)) == 1


def test_nothing_left_names_the_reasons() -> None:
    with pytest.raises(
        AnnotationError, match=r"0 of 2 images left.*1 shorter side below 32 pixels; 1 no object"
    ):
        dataset(info(size=(80, 31)), info(boxes=()))
    with pytest.raises(AnnotationError, match=r"0 of 0 images left.*none was there to begin with"):
        dataset()


def test_a_dropped_sample_is_replaced_by_one_of_its_group() -> None:
    wide, high = (80, 60), (60, 80)

    def only_second_of_each(results: dict[str, Any]) -> dict[str, Any] | None:
        return results["img_info"] if results["img_info"]["id"] >= 2 else None

    records = [{**info(size=size), "id": i} for i, size in enumerate((wide, high, wide, high))]
    made = dataset(*records, pipeline=[only_second_of_each])
    with sample_randomness(0, 0, 0):
        assert [made[i]["id"] for i in range(4)] == [2, 3, 2, 3]


def test_a_pipeline_that_drops_everything_stops_with_its_name() -> None:
    class DropAll:
        def __call__(self, results: dict[str, Any]) -> None:
            return None

    with pytest.raises(AnnotationError, match=r"dropped 200 samples in a row.*DropAll"):
        _ = dataset(info(), pipeline=[DropAll()])[0]
    with pytest.raises(AnnotationError, match=r"the test pipeline dropped image a\.png in DropAll"):
        _ = dataset(info(), pipeline=[DropAll()], test_mode=True)[0]


def test_the_pipeline_begins_with_what_every_transform_relies_on(tmp_path: Path) -> None:
    proposals = tmp_path / "proposals.json"
    proposals.write_text(json.dumps([[[0, 0, 5, 5]]]))
    made = dataset(info(), img_prefix="images", proposal_file=str(proposals))
    results = made[0]
    assert results["img_prefix"] == "images"
    assert results["proposals"].tolist() == [[0, 0, 5, 5]]
    assert results["bbox_fields"] == results["mask_fields"] == results["seg_fields"] == []
    assert results["ann_info"]["labels"].tolist() == [0]
    assert "ann_info" not in dataset(info(), test_mode=True)[0]


def test_proposals_of_another_file_are_an_error(tmp_path: Path) -> None:
    proposals = tmp_path / "proposals.json"
    proposals.write_text(json.dumps([[], []]))
    with pytest.raises(AnnotationError, match="2 images have proposals, but memory lists 1"):
        dataset(info(), proposal_file=str(proposals))


def test_class_names_come_from_a_list_a_file_or_the_class(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("owl\nfox\n")
    assert InMemory.get_classes() == ("cat", "dog")
    assert InMemory.get_classes(["a"]) == ["a"]
    assert list(InMemory.get_classes(str(path)) or ()) == ["owl", "fox"]
    with pytest.raises(OptionError, match="classes=3"):
        InMemory.get_classes(3)  # type: ignore[arg-type]


def test_images_are_listed_by_class() -> None:
    boxes = ((0, 0, 9, 9), (0, 0, 9, 9))
    made = dataset(info(boxes, (1, 1)), info(boxes, (0, 1)))
    assert made.get_cat_ids(0) == [1, 1]
    assert made.get_cat2imgs() == {0: [1], 1: [0, 1]}


def test_the_summary_counts_objects_and_what_was_left_out() -> None:
    text = repr(dataset(info(labels=[1]), info(size=(20, 20))))
    assert "Train dataset with number of images 1" in text
    assert "dog      |     1" in text
    assert "shorter side below 32 pixels" in text


def test_a_dataset_can_be_pickled_for_a_worker(tmp_path: Path) -> None:
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps([{"filename": "a.png", "width": 80, "height": 60}]))
    made = CustomDataset(str(path), [{"type": "LoadImageFromFile"}])
    assert pickle.loads(pickle.dumps(made)).data_infos == made.data_infos


def test_mean_ap_and_recall_are_given_under_their_names() -> None:
    made = dataset(info(((0, 0, 10, 10), (20, 20, 40, 40)), (0, 1)))
    exact = np.array([[0, 0, 10, 10, 0.9]], dtype=np.float32)
    loose = np.array([[20, 20, 40, 32, 0.8]], dtype=np.float32)  # overlaps by 0.6
    figures = made.evaluate([[exact, loose]], iou_thr=[0.5, 0.75], logger="silent")
    assert figures == {"mAP": 0.75, "AP50": 1.0, "AP75": 0.5}
    assert next(iter(figures)) == "mAP"
    proposals = [np.vstack([exact, loose])]
    recalls = made.evaluate(
        proposals, metric="recall", proposal_nums=(1, 2), iou_thr=[0.5, 0.75], logger="silent"
    )
    assert recalls == {
        "recall@1@0.5": 0.5,
        "recall@1@0.75": 0.5,
        "recall@2@0.5": 1.0,
        "recall@2@0.75": 0.5,
        "AR@1": 0.5,
        "AR@2": 0.75,
    }


def test_unknown_metrics_and_foreign_results_are_refused() -> None:
    made = dataset(info())
    with pytest.raises(OptionError, match=r"metric='bbox'.*'mAP', 'recall'"):
        made.evaluate([], metric="bbox")
    with pytest.raises(AnnotationError, match="0 results for 1 images"):
        made.evaluate([])


def test_a_dataset_without_a_submission_format_says_so() -> None:
    with pytest.raises(OptionError, match=r"no submission format: leave --format-only out"):
        dataset(info()).format_results([])


def test_an_empty_data_root_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    infos = [{"filename": "a.jpg", "width": 64, "height": 64}]
    (tmp_path / "infos.json").write_text(json.dumps(infos), encoding="utf-8")
    dataset = CustomDataset("infos.json", pipeline=[], data_root="", test_mode=True)
    assert (dataset.ann_file, len(dataset)) == ("infos.json", 1)
