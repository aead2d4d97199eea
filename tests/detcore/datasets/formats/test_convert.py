from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as rle

from detcore.datasets import build_dataset
from detcore.datasets.coco.reader import to_rle
from detcore.datasets.filters import FilterReport
from detcore.datasets.formats import (
    Conversion,
    ReadOptions,
    convert_folder,
    data_config,
    read_folder,
    recognise,
)
from detcore.errors import AnnotationError, OptionError

BCCD = Path(__file__).resolve().parents[3] / "data" / "bccd"
PHOTOS = Path(__file__).resolve().parents[3] / "data" / "photos"


def picture(path: Path, width: int = 100, height: int = 80) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height)).save(path)
    return path


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def boxes_by_image(document: dict[str, Any]) -> dict[str, list[tuple[str, list[float]]]]:
    names = {category["id"]: category["name"] for category in document["categories"]}
    files = {image["id"]: Path(image["file_name"]).name for image in document["images"]}
    found: dict[str, list[tuple[str, list[float]]]] = {name: [] for name in files.values()}
    for each in document["annotations"]:
        if not each.get("iscrowd"):
            found[files[each["image_id"]]].append((names[each["category_id"]], each["bbox"]))
    return found


def read(folder: Path, split: str = "train", **options: Any) -> dict[str, Any]:
    return read_folder(recognise(folder), split, ReadOptions(**options))


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    """Four photographs' annotations with pictures of their sizes in their place."""
    content = json.loads((PHOTOS / "instances.json").read_text(encoding="utf-8"))
    for image in content["images"]:
        picture(tmp_path / "coco" / image["file_name"], image["width"], image["height"])
    write(tmp_path / "coco" / "annotations" / "instances_train.json", content)
    return tmp_path / "coco"


@pytest.mark.parametrize("masks", [False, True])
def test_coco_to_yolo_and_back_moves_no_box(masks: bool, coco: Path, tmp_path: Path) -> None:
    yolo, back = tmp_path / "yolo", tmp_path / "back"
    done = convert_folder(coco, yolo, Conversion(target_format="yolo", masks=masks))
    convert_folder(yolo, back, Conversion(source_format="yolo"))
    before, after = boxes_by_image(read(coco)), boxes_by_image(read(back))
    assert before.keys() == after.keys()
    assert sum(map(len, before.values())) > 20
    worst = 0.0
    for name, objects in before.items():
        assert [label for label, _ in objects] == [label for label, _ in after[name]]
        for (_, box), (_, other) in zip(objects, after[name], strict=True):
            worst = max(worst, np.abs(np.array(box) - other).max())
    if not masks:
        assert worst < 1e-3
    crowds = sum(bool(each["iscrowd"]) for each in read(coco)["annotations"])
    assert done.left_out.get("annotations: crowd", 0) == crowds


def test_polygons_go_to_yolo_and_back(tmp_path: Path) -> None:
    points = [10.0, 10.0, 40.0, 12.0, 30.5, 60.25]
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": 100, "height": 80}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 10, 30, 50.25], "iscrowd": 0,
             "segmentation": [[1, 1, 2, 1, 2, 2], [*points, 15, 30]]}
        ],
        "categories": [{"id": 1, "name": "a: #b"}],
    }  # fmt: skip
    write(tmp_path / "in" / "train.json", content)
    picture(tmp_path / "in" / "a.png")
    done = convert_folder(
        tmp_path / "in", tmp_path / "yolo", Conversion(target_format="yolo", masks=True)
    )
    assert done.left_out == {"polygons: smaller parts of objects in several": 1}
    document = read(tmp_path / "yolo")
    assert document["categories"] == [{"id": 1, "name": "a: #b"}]
    (only,) = document["annotations"]
    np.testing.assert_allclose(only["segmentation"][0], [*points, 15, 30], atol=1e-6)


def test_voc_becomes_coco_with_the_boxes_of_the_coco_file(tmp_path: Path) -> None:
    how = Conversion(source_format="voc", images="none", read=ReadOptions(first_pixel=0))
    done = convert_folder(BCCD, tmp_path / "out", how)
    made = json.loads(done.files[0].read_text(encoding="utf-8"))
    theirs = boxes_by_image(json.loads((BCCD / "instances.json").read_text(encoding="utf-8")))
    ours = boxes_by_image(made)
    for name, objects in theirs.items():
        with_area = [(label, box) for label, box in ours[name] if min(box[2:]) > 0]
        assert with_area == objects
    assert done.objects == {"train": sum(map(len, ours.values()))}


def test_labelme_shapes_become_boxes_polygons_and_masks(tmp_path: Path) -> None:
    inside = np.array([[1, 0], [1, 1], [0, 1]], dtype=np.uint8) * 255
    png = io.BytesIO()
    Image.fromarray(inside).save(png, format="PNG")
    shapes = [
        {"label": "cat", "shape_type": "polygon", "points": [[10, 10], [40, 10], [40, 50]]},
        {"label": "dog", "shape_type": "rectangle", "points": [[60, 70], [50, 20]]},
        {"label": "cat", "shape_type": "circle", "points": [[50, 40], [50, 50]]},
        {"label": "cat", "shape_type": "polygon", "points": [[1, 1], [5, 1], [5, 5]],
         "group_id": 3},
        {"label": "cat", "shape_type": "polygon", "points": [[9, 1], [15, 1], [15, 5]],
         "group_id": 3},
        {"label": "dog", "shape_type": "mask", "points": [[70, 30], [71, 32]],
         "mask": base64.b64encode(png.getvalue()).decode()},
        {"label": "dog", "shape_type": "point", "points": [[1, 2]]},
    ]  # fmt: skip
    write(tmp_path / "a.json", {"version": "5", "imagePath": "..\\x\\a.png", "shapes": shapes})
    picture(tmp_path / "a.png")
    left_out = FilterReport()
    document = read_folder(recognise(tmp_path), "all", left_out=left_out)
    assert document["images"] == [{"id": 1, "file_name": "a.png", "width": 100, "height": 80}]
    triangle, box, circle, group, mask = document["annotations"]
    assert triangle["segmentation"] == [[10, 10, 40, 10, 40, 50]]
    assert (triangle["bbox"], triangle["area"]) == ([10, 10, 30, 40], 600)
    assert (box["bbox"], box["area"]) == ([50, 20, 10, 50], 500)
    np.testing.assert_allclose(circle["bbox"], [40, 30, 20, 20], atol=1e-9)
    assert len(group["segmentation"]) == 2
    assert group["bbox"] == [1, 1, 14, 4]
    decoded = rle.decode(to_rle(mask["segmentation"], 80, 100))
    np.testing.assert_array_equal(decoded[30:33, 70:72], inside // 255)
    assert mask["area"] == 4
    assert left_out == {"shapes: point, which encloses nothing": 1}
    names = {c["id"]: c["name"] for c in document["categories"]}
    labels = [names[a["category_id"]] for a in document["annotations"]]
    assert labels == ["cat", "dog", "cat", "cat", "dog"]


CVAT = """<?xml version="1.0"?>
<annotations><meta><task><labels>
  <label><name>dog</name></label><label><name>cat</name></label>
</labels></task></meta>
<image id="0" name="sub/a.png" width="100" height="80">
  <box label="cat" xtl="10.5" ytl="20" xbr="30.5" ybr="60"/>
  <polygon label="dog" points="1.0,2.0;31.0,2.0;31.0,42.0"/>
  <mask label="cat" rle="1, 2, 3" left="5" top="6" width="3" height="2"/>
  <points label="cat" points="1,2"/>
</image></annotations>"""


def test_cvat_shapes_become_boxes_polygons_and_masks(tmp_path: Path) -> None:
    write(tmp_path / "annotations.xml", CVAT)
    left_out = FilterReport()
    document = read_folder(recognise(tmp_path), "all", left_out=left_out)
    assert [c["name"] for c in document["categories"]] == ["dog", "cat"]
    box, polygon, mask = document["annotations"]
    assert box["bbox"] == [10.5, 20, 20, 40]
    assert polygon["segmentation"] == [[1, 2, 31, 2, 31, 42]]
    assert polygon["area"] == 600
    decoded = rle.decode(to_rle(mask["segmentation"], 80, 100))
    assert decoded[6:8, 5:8].tolist() == [[0, 1, 1], [0, 0, 0]]
    assert sum(left_out.values()) == 1
    write(tmp_path / "annotations.xml", CVAT.replace("1, 2, 3", "1, 2"))
    with pytest.raises(AnnotationError, match=r"image 'sub/a\.png'.*3x2 has runs of 3 pixels"):
        read(tmp_path, "all")
    write(tmp_path / "annotations.xml", "<annotations><track/></annotations>")
    with pytest.raises(AnnotationError, match="not a CVAT file for images"):
        read(tmp_path, "all")


def test_cityscapes_instances_become_masks_and_regions_crowds(tmp_path: Path) -> None:
    ids = np.full((80, 100), 7, dtype=np.uint16)
    ids[10:30, 20:60] = 26000
    ids[50:60, 0:10] = 24
    name = "ulm/ulm_000000_000019"
    truth = tmp_path / "gtFine/train" / f"{name}_gtFine_instanceIds.png"
    truth.parent.mkdir(parents=True)
    Image.fromarray(ids).save(truth)
    picture(tmp_path / "leftImg8bit/train" / f"{name}_leftImg8bit.png")
    document = read(tmp_path)
    assert document["images"][0]["file_name"] == f"{name}_leftImg8bit.png"
    people, car = document["annotations"]
    assert (people["iscrowd"], people["bbox"]) == (1, [0, 50, 10, 10])
    assert (car["iscrowd"], car["bbox"], car["area"]) == (0, [20, 10, 40, 20], 800)
    names = {c["id"]: c["name"] for c in document["categories"]}
    assert (names[people["category_id"]], names[car["category_id"]]) == ("person", "car")
    np.testing.assert_array_equal(rle.decode(to_rle(car["segmentation"], 80, 100)), ids == 26000)


def test_open_images_become_pixels_and_groups_crowds(tmp_path: Path) -> None:
    header = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsGroupOf\n"
    write(tmp_path / "train.csv", f"{header}a,x,/m/1,1,0.1,0.5,0.25,0.75,1\n")
    write(tmp_path / "class-descriptions-boxable.csv", "/m/1,Cat\n")
    picture(tmp_path / "train" / "a.jpg")
    document = read(tmp_path)
    assert document["categories"] == [{"id": 1, "name": "Cat"}]
    (cat,) = document["annotations"]
    np.testing.assert_allclose(cat["bbox"], [10, 20, 40, 40])
    assert cat["iscrowd"] == 1


def test_images_alone_become_coco_without_annotations(tmp_path: Path) -> None:
    picture(tmp_path / "in" / "deep" / "a.png", 30, 20)
    how = Conversion(images="copy", read=ReadOptions(classes=("cat",)))
    done = convert_folder(tmp_path / "in", tmp_path / "out", how)
    document = read(tmp_path / "out")
    assert document["images"] == [{"id": 1, "file_name": "deep/a.png", "width": 30, "height": 20}]
    assert (document["annotations"], done.objects) == ([], {"train": 0})
    copied = tmp_path / "out/train/deep/a.png"
    assert copied.is_file()
    assert not copied.is_symlink()


def test_a_share_is_held_out_and_the_folder_is_ready_to_train_on(
    coco: Path, tmp_path: Path
) -> None:
    (coco / "annotations/instances_train.json").rename(coco / "annotations/instances.json")
    out = tmp_path / "divided"
    done = convert_folder(coco, out, Conversion(val_share=0.25))
    assert done.images == {"train": 3, "val": 1}
    data = data_config(recognise(out))
    assert set(data) == {"train", "val", "test"}
    pipeline = [{"type": "LoadImageFromFile"}, {"type": "LoadAnnotations", "with_mask": True}]
    training = build_dataset({**data["train"], "pipeline": pipeline})
    assert training[0]["img"].shape[2] == 3
    held_out = build_dataset({**data["val"], "pipeline": [], "test_mode": True})
    assert list(training.CLASSES) == list(held_out.CLASSES)
    assert not {i["filename"] for i in training.data_infos} & {
        i["filename"] for i in held_out.data_infos
    }
    with pytest.raises(OptionError, match="divided already: train, val"):
        convert_folder(out, tmp_path / "again", Conversion(val_share=0.5))


@pytest.mark.parametrize("name", ["yolo", "voc"])
def test_other_formats_are_trained_on_as_they_are(name: str, coco: Path, tmp_path: Path) -> None:
    if name == "yolo":
        folder = tmp_path / "yolo"
        convert_folder(coco, folder, Conversion(target_format="yolo"))
    else:
        folder = BCCD
    found = recognise(folder, only=name)
    data = data_config(found)
    dataset = build_dataset({**data["train"], "pipeline": []})
    assert len(dataset) >= 3
    assert len(dataset.CLASSES) >= 3
    assert len(dataset.get_ann_info(0)["bboxes"]) > 0


@pytest.mark.parametrize(
    ("name", "kind"), [("file_name", "LVISV05Dataset"), ("coco_url", "LVISV1Dataset")]
)
def test_lvis_is_known_by_what_it_says_of_its_images(name: str, kind: str, tmp_path: Path) -> None:
    image = {"id": 1, "width": 90, "height": 90, name: "http://x/train2017/1.jpg"}
    image |= {"neg_category_ids": [], "not_exhaustive_category_ids": []}
    annotation = {"id": 1, "image_id": 1, "category_id": 7, "bbox": [1, 1, 40, 40]}
    categories = [{"id": 7, "name": "abacus", "frequency": "r"}]
    write(
        tmp_path / "annotations" / "lvis_train.json",
        {"images": [image], "annotations": [annotation], "categories": categories},
    )
    data = data_config(recognise(tmp_path))
    assert data["train"]["type"] == kind
    assert build_dataset({**data["train"], "pipeline": []}).CLASSES == ["abacus"]


def test_what_has_to_be_converted_first_names_the_command(tmp_path: Path) -> None:
    write(tmp_path / "annotations.xml", CVAT)
    with pytest.raises(AnnotationError, match=f"detcore convert data {tmp_path} {tmp_path}_coco"):
        data_config(recognise(tmp_path))


def test_nothing_is_written_over(coco: Path, tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="source and target are one folder"):
        convert_folder(coco, coco, Conversion())
    out = tmp_path / "out"
    convert_folder(coco, out, Conversion())
    convert_folder(coco, out, Conversion())  # the same links again
    image = next((out / "train").iterdir())
    image.unlink()
    image.write_bytes(b"something else")
    with pytest.raises(OptionError, match="another file of this name"):
        convert_folder(coco, out, Conversion())


def test_splits_with_different_classes_do_not_fit_yolo(tmp_path: Path) -> None:
    for split, name in (("train", "cat"), ("val", "dog")):
        content = {"images": [], "annotations": [], "categories": [{"id": 1, "name": name}]}
        write(tmp_path / "in" / f"{split}.json", content)
    with pytest.raises(AnnotationError, match=r"categories of val \(dog\) are not those of train"):
        convert_folder(tmp_path / "in", tmp_path / "out", Conversion(target_format="yolo"))
