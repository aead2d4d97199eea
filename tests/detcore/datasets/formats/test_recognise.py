from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detcore.datasets.formats import Split, recognise
from detcore.errors import AnnotationError, OptionError

COCO = {"images": [], "annotations": [], "categories": []}
VOC = "<annotation><filename>a.jpg</filename></annotation>"
CVAT = "<?xml version='1.0'?>\n<annotations><image id='0'/></annotations>"
LABELME = {"version": "5.0", "shapes": [], "imagePath": "a.jpg"}


def put(root: Path, **files: object) -> Path:
    """Write files whose names have two underscores for a slash; pictures where no content is."""
    for name, content in files.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8)).save(path)
        else:
            text = content if isinstance(content, str) else json.dumps(content)
            path.write_text(text, encoding="utf-8")
    return root


def test_coco_with_its_usual_folders(tmp_path: Path) -> None:
    images = [{"id": 1, "file_name": "1.jpg", "width": 8, "height": 8}]
    put(
        tmp_path,
        annotations__captions_train2017_dot_json=COCO,
        annotations__instances_train2017_dot_json={**COCO, "images": images},
        annotations__instances_val2017_dot_json={**COCO, "images": images},
        train2017__1_dot_jpg=None,
        val2017__1_dot_jpg=None,
    )
    found = recognise(tmp_path)
    assert found.name == "coco"
    files = tmp_path / "annotations"
    assert dict(found.splits) == {
        "train": Split(tmp_path / "train2017", files / "instances_train2017.json"),
        "val": Split(tmp_path / "val2017", files / "instances_val2017.json"),
    }


def test_coco_with_a_json_in_the_folder_of_each_split(tmp_path: Path) -> None:
    images = [{"id": 1, "file_name": "1.jpg", "width": 8, "height": 8}]
    for split in ("train", "valid"):
        put(tmp_path / split, _annotations_dot_coco_dot_json={**COCO, "images": images})
        put(tmp_path / split, **{"1_dot_jpg": None})
    found = recognise(tmp_path)
    assert {name: split.images.name for name, split in found.splits.items()} == {
        "train": "train",
        "val": "valid",
    }


def test_a_json_of_something_else_is_not_coco(tmp_path: Path) -> None:
    put(tmp_path, settings_dot_json={"images": ["a"], "colour": 3}, a_dot_png=None)
    assert recognise(tmp_path).name == "images"


def test_yolo_with_and_without_its_yaml(tmp_path: Path) -> None:
    put(
        tmp_path,
        images__train__a_dot_jpg=None,
        images__val__b_dot_jpg=None,
        labels__train__a_dot_txt="0 0.5 0.5 1 1",
        labels__val__b_dot_txt="",
    )
    bare = recognise(tmp_path)
    assert bare.name == "yolo"
    assert dict(bare.splits)["val"] == Split(tmp_path / "images/val", tmp_path / "labels/val")
    put(tmp_path, data_dot_yaml="train: images/train\nval: images/val\nnames: [cat]\n")
    named = recognise(tmp_path)
    assert named.splits["train"] == Split(tmp_path / "images/train", tmp_path / "data.yaml")


def test_voc_by_its_listings(tmp_path: Path) -> None:
    kit = tmp_path / "VOC2007"
    put(
        kit,
        Annotations__a_dot_xml=VOC,
        JPEGImages__a_dot_jpg=None,
        ImageSets__Main__trainval_dot_txt="a\n",
        ImageSets__Main__test_dot_txt="a\n",
    )
    found = recognise(tmp_path)
    assert found.name == "voc"
    lists = kit / "ImageSets/Main"
    assert dict(found.splits) == {
        "train": Split(kit / "JPEGImages", kit / "Annotations", lists / "trainval.txt"),
        "test": Split(kit / "JPEGImages", kit / "Annotations", lists / "test.txt"),
    }


def test_voc_xml_beside_its_images(tmp_path: Path) -> None:
    put(tmp_path, xml__a_dot_xml=VOC, pictures__a_dot_jpg=None)
    found = recognise(tmp_path)
    assert found.name == "voc"
    assert found.splits["all"] == Split(tmp_path / "pictures", tmp_path / "xml")


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("cvat", {"annotations_dot_xml": CVAT, "images__a_dot_jpg": None}),
        ("labelme", {"a_dot_json": LABELME, "a_dot_jpg": None}),
        (
            "openimages",
            {"annotations__val_dot_csv": "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax"},
        ),
        ("images", {"deep__a_dot_png": None}),
        (
            "cityscapes",
            {
                "leftImg8bit__val__ulm__ulm_0_leftImg8bit_dot_png": None,
                "gtFine__val__ulm__ulm_0_gtFine_instanceIds_dot_png": None,
            },
        ),
    ],
)
def test_the_other_formats(name: str, files: dict[str, object], tmp_path: Path) -> None:
    assert recognise(put(tmp_path, **files)).name == name


def test_a_folder_of_nothing_known_lists_the_formats(tmp_path: Path) -> None:
    put(tmp_path, notes_dot_txt="hello")
    with pytest.raises(AnnotationError, match=r"known format \(cityscapes, coco.*holds notes.txt"):
        recognise(tmp_path)
    with pytest.raises(AnnotationError, match=r"known format \(voc\)"):
        recognise(tmp_path, only="voc")
    with pytest.raises(OptionError, match="only='coca' is not known"):
        recognise(tmp_path, only="coca")
    with pytest.raises(AnnotationError, match="no such folder"):
        recognise(tmp_path / "absent")
