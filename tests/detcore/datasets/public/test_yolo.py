from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detcore.datasets.public.yolo import YOLODataset
from detcore.datasets.transforms import Compose
from detcore.errors import AnnotationError, OptionError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two images to train on, one of them without labels; one to validate on."""
    for name, size in (("train/a", (100, 50)), ("train/b", (40, 40)), ("val/c", (64, 64))):
        image = tmp_path / "images" / f"{name}.png"
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size).save(image)
    labels = tmp_path / "labels"
    for split in ("train", "val"):
        (labels / split).mkdir(parents=True)
    lines = "1 0.5 0.5 0.2 0.4\n0 0.1 0.2 0.3 0.2 0.3 0.8\n\n"
    (labels / "train/a.txt").write_text(lines, encoding="utf-8")
    (labels / "val/c.txt").write_text("0 0.5 0.5 1 1 0.87\n", encoding="utf-8")
    yaml = "train: images/train\nval: images/val\nnames:\n  0: cat\n  1: dog\n"
    (tmp_path / "data.yaml").write_text(yaml, encoding="utf-8")
    return tmp_path


def test_boxes_and_polygons_become_pixels(folder: Path) -> None:
    dataset = YOLODataset(str(folder / "data.yaml"), [], filter_empty_gt=False)
    assert list(dataset.CLASSES) == ["cat", "dog"]
    assert [info["filename"] for info in dataset.data_infos] == [
        "images/train/a.png",
        "images/train/b.png",
    ]
    info = dataset.get_ann_info(0)
    # centre (50, 25), size (20, 20); and the box round (10, 10) (30, 10) (30, 40)
    np.testing.assert_allclose(info["bboxes"], [[40, 15, 60, 35], [10, 10, 30, 40]], atol=1e-5)
    assert info["labels"].tolist() == [1, 0]
    assert info["masks"][0] is None
    np.testing.assert_allclose(info["masks"][1][0], [10, 10, 30, 10, 30, 40])
    assert len(dataset.get_ann_info(1)["bboxes"]) == 0


def test_images_without_objects_are_left_out_of_training_and_counted(folder: Path) -> None:
    dataset = YOLODataset("data.yaml", [], data_root=str(folder))
    assert len(dataset) == 1
    assert "images: no object of the chosen classes (filter_empty_gt)" in dataset.filter_report


def test_a_pipeline_finds_images_and_labels(folder: Path) -> None:
    steps = [{"type": "LoadImageFromFile"}, {"type": "LoadAnnotations"}]
    sample = YOLODataset(str(folder / "data.yaml"), steps)[0]
    assert sample["img"].shape == (50, 100, 3)
    assert sample["gt_labels"].tolist() == [1, 0]
    assert isinstance(YOLODataset(str(folder / "data.yaml"), steps).pipeline, Compose)


def test_chosen_classes_are_matched_by_name(folder: Path) -> None:
    dataset = YOLODataset(str(folder / "data.yaml"), [], classes=("dog",))
    assert dataset.get_ann_info(0)["labels"].tolist() == [0]


def test_its_own_objects_as_detections_score_one(folder: Path) -> None:
    dataset = YOLODataset(str(folder / "data.yaml"), [], split="val", test_mode=True)
    whole = np.array([[0, 0, 64, 64, 0.9]], dtype=np.float32)
    figures = dataset.evaluate([[whole, np.zeros((0, 5))]], logger="silent")
    assert figures["bbox_mAP"] == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2 0.5 0.5 0.1 0.1", r"a.txt:2: class 2, but data.yaml names 2 \(0 to 1\)"),
        ("0 0.5 0.5 0.1", r"a.txt:2: 3 numbers after the class"),
        ("0 0.5 0.5 x 0.1", r"a.txt:2: could not convert string"),
        ("0 0.5 0.5 nan 0.1", "not a finite number"),
        ("0 .1 .1 .2 .2 .3 .3 .4", "7 numbers after the class"),
    ],
)
def test_a_bad_line_is_named(line: str, message: str, folder: Path) -> None:
    (folder / "labels/train/a.txt").write_text(f"0 .5 .5 .1 .1\n{line}\n", encoding="utf-8")
    with pytest.raises(AnnotationError, match=message):
        YOLODataset(str(folder / "data.yaml"), [])


@pytest.mark.parametrize(
    ("yaml", "message"),
    [
        ("train: images/train", "no class names"),
        ("train: images/train\nnames: {1: cat}", r"keys of names are \[1\]"),
        ("val: images/val\nnames: [cat]", "no split 'train'; it has val"),
        ("train: images/nowhere\nnames: [cat]", "no such folder of images"),
        ("- a", "not a YOLO data file"),
    ],
)
def test_a_bad_yaml_is_named(yaml: str, message: str, folder: Path) -> None:
    (folder / "data.yaml").write_text(yaml, encoding="utf-8")
    with pytest.raises(AnnotationError, match=message):
        YOLODataset(str(folder / "data.yaml"), [])


def test_a_split_is_one_of_three(folder: Path) -> None:
    with pytest.raises(OptionError, match="choose one of 'train', 'val', 'test'"):
        YOLODataset(str(folder / "data.yaml"), [], split="training")
