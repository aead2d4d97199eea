from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from detcore.datasets import CocoDataset
from detcore.datasets.public.xml_style import VOCDataset, WIDERFaceDataset, XMLDataset
from detcore.errors import AnnotationError, OptionError

BCCD = Path(__file__).resolve().parents[3] / "data" / "bccd"
CAT = ("cat", (11, 21, 31, 51), 0)


def write_xml(
    folder: Path,
    name: str,
    objects: list[tuple[str, tuple[float, ...], int]],
    size: str = "<size><width>100</width><height>80</height></size>",
    filename: str = "",
    inside: str = "",
) -> None:
    keys = ("xmin", "ymin", "xmax", "ymax")
    items = "".join(
        f"<object><name>{label}</name><difficult>{difficult}</difficult><bndbox>"
        + "".join(f"<{key}>{value}</{key}>" for key, value in zip(keys, box, strict=False))
        + "</bndbox></object>"
        for label, box, difficult in objects
    )
    folder.mkdir(parents=True, exist_ok=True)
    text = f"<annotation><folder>{inside}</folder><filename>{filename}</filename>{size}{items}"
    (folder / f"{name}.xml").write_text(f"{text}</annotation>", encoding="utf-8")


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    """A folder VOC2007 with two listed images."""
    root = tmp_path / "VOC2007"
    hidden = ("dog", (1, 1, 41, 41), 1)
    write_xml(root / "Annotations", "a", [CAT, ("gnu", (1, 1, 9, 9), 0), hidden])
    write_xml(root / "Annotations", "b", [("dog", (5, 5, 15, 65), 0)], filename="b.png")
    (root / "list.txt").write_text("a\nb\n", encoding="utf-8")
    return root


def open_xml(root: Path, kind: type[XMLDataset] = XMLDataset, **options: Any) -> XMLDataset:
    options.setdefault("classes", ("cat", "dog"))
    return kind(str(root / "list.txt"), [], img_prefix=str(root), **options)


def test_boxes_begin_at_zero_and_difficult_ones_are_ignored(voc: Path) -> None:
    dataset = open_xml(voc)
    info = dataset.get_ann_info(0)
    assert info["bboxes"].tolist() == [[10, 20, 30, 50]]
    assert info["bboxes"].dtype == np.float32
    assert info["labels"].tolist() == [0]
    assert info["bboxes_ignore"].tolist() == [[0, 0, 40, 40]]
    assert info["labels_ignore"].tolist() == [1]
    names = [(image["filename"], image["width"]) for image in dataset.data_infos]
    assert names == [("JPEGImages/a.jpg", 100), ("JPEGImages/b.png", 100)]
    assert dict(dataset.filter_report) == {
        "annotations: of a category that classes does not name": 1,
        "annotations: marked as difficult": 1,
    }
    assert open_xml(voc, first_pixel=0).get_ann_info(0)["bboxes"].tolist() == [[11, 21, 31, 51]]


def test_blood_cells_as_xml_are_those_of_the_coco_file() -> None:
    xml = XMLDataset(
        str(BCCD / "list.txt"), [], classes="auto", img_prefix=str(BCCD), first_pixel=0
    )
    coco = CocoDataset(str(BCCD / "instances.json"), [], classes=xml.CLASSES)
    assert xml.filter_report == {"annotations: area of zero": 2}  # which the json leaves out
    assert sorted(xml.CLASSES) == ["Platelets", "RBC", "WBC"]
    for i in range(3):
        ours, theirs = xml.get_ann_info(i), coco.get_ann_info(i)
        np.testing.assert_array_equal(ours["bboxes"], theirs["bboxes"])
        np.testing.assert_array_equal(ours["labels"], theirs["labels"])
        assert len(ours["labels"]) >= 11


def test_small_boxes_are_ignored_in_training_only(voc: Path) -> None:
    training = open_xml(voc, min_size=15)
    assert len(training) == 1  # the dog of image b is 10 pixels wide, and nothing else is there
    assert training.filter_report["annotations: narrower or lower than min_size=15 pixels"] == 1
    assert len(open_xml(voc, min_size=15, test_mode=True).get_ann_info(1)["bboxes"]) == 1


def test_classes_can_come_from_the_files(voc: Path) -> None:
    dataset = open_xml(voc, classes="auto")
    assert dataset.CLASSES == ["cat", "dog", "gnu"]


def test_a_folder_of_xml_needs_no_listing_and_a_missing_size_is_read_from_the_image(
    tmp_path: Path,
) -> None:
    write_xml(tmp_path, "a", [CAT], size="", filename="a.png")
    Image.new("RGB", (64, 48)).save(tmp_path / "a.png")
    dataset = XMLDataset(
        str(tmp_path), [], classes="auto", img_prefix=str(tmp_path), img_subdir="", ann_subdir=""
    )
    image = dataset.data_infos[0]
    assert (image["filename"], image["width"], image["height"]) == ("a.png", 64, 48)


def test_the_edition_decides_how_precision_is_averaged(voc: Path) -> None:
    # One of two cats is found: precision 1 up to recall 1/2. The area under it is 1/2; at the
    # eleven recalls 0, 0.1, ... 1 it is 1 six times, so the mean there is 6/11.
    write_xml(voc / "Annotations", "a", [CAT, ("cat", (61, 21, 81, 51), 0)])
    hit = np.array([[10, 20, 30, 50, 0.9]], dtype=np.float32)
    nothing = np.zeros((0, 5), dtype=np.float32)
    results = [[hit, nothing], [nothing, nothing]]
    old = open_xml(voc, VOCDataset, test_mode=True)
    assert old.year == 2007
    assert old.evaluate(results, logger="silent")["AP50"] == round(6 / 11 / 2, 3)
    voc.rename(voc.with_name("VOC2012"))
    new = open_xml(voc.with_name("VOC2012"), VOCDataset, test_mode=True)
    figures = new.evaluate(results, logger="silent")
    assert figures == {"mAP": 0.25, "AP50": 0.25}  # the dog of image b is missed
    assert new.class_figures["mAP"] == {"cat": {"AP50": 0.5}, "dog": {"AP50": 0.0}}


def test_the_last_pixel_counts_in_widths(voc: Path) -> None:
    # Boxes of 21 x 31 pixels, one 9 to the right: 12 * 31 / (2 * 21 * 31 - 12 * 31) = 0.4;
    # without the last pixel 11 * 30 / (2 * 20 * 30 - 11 * 30) = 0.379.
    shifted = np.array([[19, 20, 39, 50, 0.9]], dtype=np.float32)
    nothing = np.zeros((0, 5), dtype=np.float32)
    results = [[shifted, nothing], [nothing, nothing]]
    options = {"metric": "mAP", "logger": "silent", "iou_thr": 0.39}
    ours = open_xml(voc, VOCDataset, test_mode=True).evaluate(results, **options)
    plain = open_xml(voc, test_mode=True).evaluate(results, **options)
    assert ours["mAP"] > 0 == plain["mAP"]


def test_faces_stand_in_folders_by_event(tmp_path: Path) -> None:
    write_xml(tmp_path / "Annotations", "f", [("face", (1, 1, 41, 41), 0)], inside="0--Parade")
    (tmp_path / "list.txt").write_text("f\n", encoding="utf-8")
    dataset = WIDERFaceDataset(str(tmp_path / "list.txt"), [], img_prefix=str(tmp_path))
    assert dataset.data_infos[0]["filename"] == "0--Parade/f.jpg"
    assert dataset.CLASSES == ("face",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<annotation><object>", r"a.xml:1:\d+: not valid xml"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><annotation/>", "document type"),
        ("<annotation><object/></annotation>", "object 1 has no name"),
        (
            "<annotation><object><name>cat</name><bndbox><xmin>nan</xmin></bndbox></object>"
            "</annotation>",
            r"object 1 \(cat\): bndbox is \['nan', None",
        ),
    ],
)
def test_a_bad_xml_is_named(text: str, message: str, voc: Path) -> None:
    (voc / "Annotations" / "a.xml").write_text(text, encoding="utf-8")
    with pytest.raises(AnnotationError, match=message):
        open_xml(voc)


def test_two_metrics_at_once_are_an_error(voc: Path) -> None:
    with pytest.raises(OptionError, match="choose one of 'mAP', 'recall'"):
        open_xml(voc).evaluate([], metric=["mAP", "recall"])
