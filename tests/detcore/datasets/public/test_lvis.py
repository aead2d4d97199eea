from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detcore.datasets.public.lvis import LVISDataset, LVISV1Dataset
from detcore.errors import AnnotationError
from detcore.evaluation import CocoObjects
from detcore.evaluation.lvis import best_of_each_image

ADDRESS = "http://images.cocodataset.org/train2017/000000000001.jpg"
BOX = [10, 10, 20, 20]
HERE, ELSEWHERE = [10, 10, 30, 30], [50, 50, 70, 70]  # corners: hits BOX, hits nothing


def write_lvis(path: Path, **changes: Any) -> Path:
    """Two images; common, rare and frequent: the ids are not in the order of the file."""
    image = {"width": 100, "height": 80, "coco_url": ADDRESS}
    content = {
        "images": [
            {**image, "id": 1, "neg_category_ids": [2], "not_exhaustive_category_ids": []},
            {**image, "id": 2, "neg_category_ids": [], "not_exhaustive_category_ids": [1]},
        ],
        "annotations": [
            {"id": i, "image_id": image_id, "category_id": c, "bbox": BOX, "area": 400.0}
            for i, (image_id, c) in enumerate([(1, 1), (2, 1), (2, 2), (2, 3)], start=1)
        ],
        "categories": [
            {"id": 3, "name": "abacus", "frequency": "c"},
            {"id": 1, "name": "zebra", "frequency": "f"},
            {"id": 2, "name": "gnu", "frequency": "r"},
        ],
        **changes,
    }
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def rows(*found: tuple[list[int], float]) -> np.ndarray:
    return np.array([[*box, score] for box, score in found], dtype=np.float32).reshape(-1, 5)


def test_classes_come_from_the_file_in_the_order_of_their_ids(tmp_path: Path) -> None:
    dataset = LVISV1Dataset(str(write_lvis(tmp_path / "lvis.json")), pipeline=[])
    assert list(dataset.CLASSES) == ["zebra", "gnu", "abacus"]
    assert dataset.cat_ids == [1, 2, 3]
    assert len(dataset.PALETTE) == 3
    assert dataset.data_infos[0]["filename"] == "train2017/000000000001.jpg"


def test_the_first_release_names_images_as_in_2014_but_the_folders_do_not(tmp_path: Path) -> None:
    images = [
        {"id": 1, "width": 90, "height": 90, "file_name": "COCO_val2014_000000000009.jpg"},
        {"id": 2, "width": 90, "height": 90, "file_name": "mine.jpg"},
    ]
    path = write_lvis(tmp_path / "lvis.json", images=images, annotations=[])
    dataset = LVISDataset(str(path), pipeline=[], test_mode=True)
    names = [info["filename"] for info in dataset.data_infos]
    assert names == ["000000000009.jpg", "mine.jpg"]


def test_only_what_annotators_looked_for_is_judged(tmp_path: Path) -> None:
    dataset = LVISV1Dataset(str(write_lvis(tmp_path / "lvis.json")), pipeline=[], test_mode=True)
    results = [
        [
            rows((HERE, 0.9)),
            rows((HERE, 0.8)),  # a gnu where there is none: wrong, and before the right one
            rows((HERE, 0.95)),  # nobody looked for an abacus here: not judged
        ],
        [
            rows((HERE, 0.6), (ELSEWHERE, 0.95)),  # not all zebras are marked: the second is let go
            rows((HERE, 0.5)),
            rows((HERE, 0.7)),
        ],
    ]
    figures = dataset.evaluate(results, metric="bbox", logger="silent")
    # zebra 1, gnu 1/2 (precision at its only hit), abacus 1
    assert figures["bbox_AP"] == pytest.approx(2.5 / 3, abs=1e-4)
    assert (figures["bbox_APf"], figures["bbox_APr"], figures["bbox_APc"]) == (1, 0.5, 1)
    assert figures["bbox_APm"] == -1  # no object of that size
    assert dataset.class_figures["bbox"]["gnu"]["mAP"] == pytest.approx(0.5)
    assert "APr:0.500" in figures["bbox_mAP_copypaste"]


def test_without_detections_the_figures_are_zero(tmp_path: Path) -> None:
    dataset = LVISV1Dataset(str(write_lvis(tmp_path / "lvis.json")), pipeline=[], test_mode=True)
    empty = [[rows()] * 3] * 2
    assert dataset.evaluate(empty, logger="silent")["bbox_AP"] == 0
    assert dataset.evaluate(empty, "proposal", logger="silent")["AR@100"] == 0


def test_a_file_without_frequencies_is_named(tmp_path: Path) -> None:
    path = write_lvis(
        tmp_path / "l.json", categories=[{"id": i, "name": str(i)} for i in (1, 2, 3)]
    )
    dataset = LVISV1Dataset(str(path), pipeline=[], test_mode=True)
    with pytest.raises(AnnotationError, match="category 1 has no frequency"):
        dataset.evaluate([[rows((HERE, 0.5))] * 3] * 2, logger="silent")


def test_an_image_counts_with_its_best_detections_of_all_classes() -> None:
    detections = CocoObjects(
        image_ids=[1, 2, 1, 1],
        category_ids=[1, 1, 2, 3],
        boxes=np.arange(16.0).reshape(4, 4),
        areas=np.ones(4),
        scores=np.array([0.5, 0.1, 0.9, 0.7]),
    )
    kept = best_of_each_image(detections, 2)
    assert list(kept.image_ids) == [2, 1, 1]
    assert list(kept.category_ids) == [1, 2, 3]
    assert kept.boxes[:, 0].tolist() == [4, 8, 12]
