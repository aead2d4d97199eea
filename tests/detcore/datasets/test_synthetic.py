from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as rle

from detcore.datasets import CocoDataset, draw_scenes
from detcore.datasets.synthetic import CLASSES, draw_scene


def test_a_set_is_complete_and_readable_as_coco(scenes: Path) -> None:
    for split, number in (("train", 12), ("val", 4)):
        dataset = CocoDataset(
            str(scenes / "annotations" / f"{split}.json"), [], classes=CLASSES, test_mode=True
        )
        assert len(dataset) == number
        assert not dataset.filter_report
        for info in dataset.data_infos:
            with Image.open(scenes / "images" / info["filename"]) as image:
                assert image.size == (info["width"], info["height"]) == (128, 96)


def test_boxes_and_areas_are_those_of_the_masks(scenes: Path) -> None:
    annotations = json.loads((scenes / "annotations" / "train.json").read_text())["annotations"]
    assert [annotation["id"] for annotation in annotations] == list(range(1, len(annotations) + 1))
    for annotation in annotations:
        mask = rle.decode(annotation["segmentation"])
        rows, columns = np.nonzero(mask)
        x, y, width, height = annotation["bbox"]
        assert (x, y) == (columns.min(), rows.min())
        assert (x + width, y + height) == (columns.max() + 1, rows.max() + 1)
        assert annotation["area"] == mask.sum() >= 60
        assert annotation["iscrowd"] == 0


def test_masks_hold_what_is_visible_and_do_not_overlap() -> None:
    touching = 0
    for seed in range(20):
        image, labels, masks = draw_scene(np.random.default_rng(seed))
        assert image.shape == (240, 320, 3)
        assert image.dtype == np.uint8
        assert len(labels) == len(masks) > 0
        assert masks.sum(0).max() == 1
        grown = np.pad(masks, ((0, 0), (1, 1), (1, 1)))
        wider = grown[:, 2:, 1:-1] | grown[:, :-2, 1:-1] | masks
        touching += wider.sum(0).max() > 1
    assert touching > 5  # shapes on top of one another share an outline


def test_all_classes_appear_about_equally() -> None:
    labels = np.concatenate([draw_scene(np.random.default_rng(s))[1] for s in range(60)])
    counts = np.bincount(labels, minlength=len(CLASSES))
    assert counts.min() > 0.6 * counts.mean()


def test_a_longer_set_begins_with_the_shorter_one(tmp_path: Path) -> None:
    short = draw_scenes(tmp_path / "short", 2, 1, seed=1, size=(96, 64))
    long = draw_scenes(tmp_path / "long", 3, 2, seed=1, size=(96, 64))
    other = draw_scenes(tmp_path / "other", 2, 1, seed=2, size=(96, 64))
    first = (short.images / "train_00001.jpg").read_bytes()
    assert (long.images / "train_00001.jpg").read_bytes() == first
    assert (other.images / "train_00001.jpg").read_bytes() != first
    count = len(json.loads(short.train.read_text())["annotations"])
    assert (
        json.loads(long.train.read_text())["annotations"][:count]
        == (json.loads(short.train.read_text())["annotations"])
    )
    assert short.val.read_text() != short.train.read_text()


def test_tiny_scenes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 64 pixels"):
        draw_scenes(tmp_path, size=(63, 100))
