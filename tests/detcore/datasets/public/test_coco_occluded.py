from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as rle

from detcore.datasets import OccludedSeparatedCocoDataset
from detcore.errors import AnnotationError


def filled(left: int) -> np.ndarray:
    mask = np.zeros((80, 100), dtype=np.uint8)
    mask[10:40, left : left + 30] = 1
    return mask


def runs(left: int) -> dict[str, Any]:
    return rle.encode(np.asfortranarray(filled(left)))


def test_hidden_objects_are_found_by_box_mask_and_class(
    write_coco: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_coco([{"bbox": [10, 10, 30, 30]}])
    occluded = [
        ("cat", 1, "1.png", [10, 10, 30, 30], runs(10)),
        ("dog", 2, "1.png", [10, 10, 30, 30], runs(10)),  # found, but as a cat
        ("cat", 3, 2, [10, 10, 30, 30], runs(10)),  # by the id of the image; score too low
    ]
    mask = runs(60)
    separated = [
        ["cat", 4, 1, [60, 10, 90, 40], {"size": mask["size"], "counts": mask["counts"].decode()}],
        ["cat", 5, 1, [10, 10, 40, 40], {"size": mask["size"], "counts": mask["counts"].decode()}],
    ]
    (tmp_path / "occluded.pkl").write_bytes(pickle.dumps(occluded))
    (tmp_path / "separated.json").write_text(json.dumps(separated), encoding="utf-8")
    dataset = OccludedSeparatedCocoDataset(
        str(path),
        pipeline=[],
        classes=("cat", "dog"),
        test_mode=True,
        occluded_ann=str(tmp_path / "occluded.pkl"),
        separated_ann=str(tmp_path / "separated.json"),
    )
    cats = np.array([[10, 10, 40, 40, 0.9], [60, 10, 90, 40, 0.8]], dtype=np.float32)
    nothing = np.zeros((0, 5), dtype=np.float32)
    first = ([cats, nothing], [[filled(10), runs(60)], []])
    second = ([cats[:1] * [1, 1, 1, 1, 0.1], nothing], [[filled(10)], []])
    figures = dataset.evaluate([first, second], logger="silent")
    # Of the separated ones the second has its mask elsewhere.
    assert figures == {"occluded_recall": pytest.approx(100 / 3), "separated_recall": 50}
    more = dataset.evaluate([first, second], metric="bbox", logger="silent")
    assert more["bbox_mAP"] > 0
    with pytest.raises(AnnotationError, match="needs masks"):
        dataset.evaluate([[cats, nothing]] * 2, logger="silent")


def test_a_list_of_another_form_is_named(write_coco: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("[[1, 2]]", encoding="utf-8")
    with pytest.raises(AnnotationError, match=r"bad.json: should be a list of \(class"):
        OccludedSeparatedCocoDataset(
            str(write_coco([{"bbox": [1, 1, 9, 9]}])),
            pipeline=[],
            classes=("cat",),
            occluded_ann=str(tmp_path / "bad.json"),
        )
