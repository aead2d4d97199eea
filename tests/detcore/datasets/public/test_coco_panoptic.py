from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cvcore.image import imread
from detcore.datasets import CocoPanopticDataset
from detcore.errors import AnnotationError, ClassMismatchError, OptionError
from detcore.structures.panoptic import INSTANCE_OFFSET, id_to_rgb, rgb_to_id

CATEGORIES = [
    {"id": 40, "name": "grass", "isthing": 0},
    {"id": 7, "name": "cow", "isthing": 1},
    {"id": 9, "name": "dog", "isthing": 1},
]
COW, DOG, GRASS = 0, 1, 2  # labels: things first
FIELD, FIRST, SECOND, HERD = 70000, 256, 3, 5  # numbers of the segments in the png


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One image of 40 x 40 pixels: grass, a cow, a dog, a crowd of cows, and void below."""
    ids = np.zeros((40, 40), dtype=np.int64)
    ids[:20] = FIELD
    ids[2:12, 2:12] = FIRST
    ids[2:12, 20:30] = SECOND
    ids[20:30, :20] = HERD
    (tmp_path / "maps").mkdir()
    Image.fromarray(id_to_rgb(ids)).save(tmp_path / "maps" / "a.png")
    Image.new("RGB", (40, 40)).save(tmp_path / "a.jpg")
    segments = [(FIELD, 40, [0, 0, 40, 20], 0), (FIRST, 7, [2, 2, 10, 10], 0)]
    segments += [(SECOND, 9, [20, 2, 10, 10], 0), (HERD, 7, [0, 20, 20, 10], 1)]
    content = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 40, "height": 40}],
        "annotations": [
            {
                "image_id": 1,
                "file_name": "a.png",
                "segments_info": [
                    {"id": i, "category_id": c, "bbox": box, "iscrowd": crowd, "area": 100}
                    for i, c, box, crowd in segments
                ],
            }
        ],
        "categories": CATEGORIES,
    }
    (tmp_path / "panoptic.json").write_text(json.dumps(content), encoding="utf-8")
    return tmp_path


def dataset(folder: Path, pipeline: Any = (), **options: Any) -> CocoPanopticDataset:
    options.setdefault("classes", "auto")
    return CocoPanopticDataset(
        "panoptic.json",
        list(pipeline),
        data_root=str(folder),
        img_prefix="",
        seg_prefix="maps",
        **options,
    )


def perfect() -> np.ndarray:
    """What a detector without fault says; void is the number of classes."""
    found = np.full((40, 40), 3, dtype=np.int64)
    found[:20] = GRASS
    found[2:12, 2:12] = COW + INSTANCE_OFFSET
    found[2:12, 20:30] = DOG + 2 * INSTANCE_OFFSET
    return found


def test_things_come_before_stuff(folder: Path) -> None:
    made = dataset(folder)
    assert made.CLASSES == ["cow", "dog", "grass"]
    assert (made.THING_CLASSES, made.STUFF_CLASSES) == (("cow", "dog"), ("grass",))
    with pytest.raises(ClassMismatchError, match="things after 'grass'"):
        dataset(folder, classes=("grass", "cow"))


def test_the_classes_of_coco_are_80_things_and_53_kinds_of_stuff() -> None:
    assert len(CocoPanopticDataset.THING_CLASSES) == 80
    assert len(CocoPanopticDataset.STUFF_CLASSES) == 53
    assert len(set(CocoPanopticDataset.CLASSES)) == 133


def test_a_pipeline_gets_boxes_masks_and_the_semantic_map(folder: Path) -> None:
    steps = [{"type": "LoadImageFromFile"}, {"type": "LoadPanopticAnnotations"}]
    sample = dataset(folder, steps)[0]
    assert sample["gt_bboxes"].tolist() == [[2, 2, 12, 12], [20, 2, 30, 12]]
    assert sample["gt_labels"].tolist() == [COW, DOG]
    assert sample["gt_bboxes_ignore"].tolist() == [[0, 20, 20, 30]]
    masks = sample["gt_masks"].masks
    assert masks.shape == (2, 40, 40)
    assert masks[0, 2:12, 2:12].all()
    assert masks.sum() == 200
    semantic = sample["gt_semantic_seg"]
    assert semantic.dtype == np.uint8
    # 255 below the field, but for the crowd, which is learnt as stuff of its class
    assert [semantic[y, x] for y, x in ((0, 0), (5, 5), (5, 25), (25, 5), (39, 39))] == [
        GRASS,
        COW,
        DOG,
        COW,
        255,
    ]


def test_perfect_segments_score_a_hundred_percent(folder: Path) -> None:
    made = dataset(folder, test_mode=True)
    figures = made.evaluate([{"pan_results": perfect()}], logger="silent")
    assert set(figures) == {f"{k}{s}" for k in ("PQ", "SQ", "RQ") for s in ("", "_th", "_st")}
    assert all(value == pytest.approx(100) for value in figures.values())


def test_a_missed_dog_lowers_things_only(folder: Path) -> None:
    found = perfect()
    found[found == DOG + 2 * INSTANCE_OFFSET] = GRASS
    figures = dataset(folder, test_mode=True).evaluate([{"pan_results": found}], logger="silent")
    assert figures["PQ_th"] == pytest.approx(50)
    # 600 of 700 pixels of found grass are grass
    assert figures["PQ_st"] == pytest.approx(100 * 600 / 700)
    assert figures["PQ"] == pytest.approx((100 + 0 + 600 / 7) / 3)


def test_results_are_written_as_png_and_json(folder: Path, tmp_path: Path) -> None:
    made = dataset(folder, test_mode=True)
    files = made.results2json([{"pan_results": perfect()}], str(tmp_path / "out"))
    written = json.loads(Path(files["panoptic"]).read_text(encoding="utf-8"))["annotations"][0]
    ids = rgb_to_id(imread(tmp_path / "out.panoptic" / written["file_name"], channel_order="rgb"))
    categories = {s["id"]: s["category_id"] for s in written["segments_info"]}
    assert [categories.get(int(ids[y, x])) for y, x in ((0, 0), (5, 5), (5, 25), (39, 39))] == [
        40,
        7,
        9,
        None,
    ]


def test_boxes_of_things_are_evaluated_with_their_own_file(folder: Path) -> None:
    made = dataset(folder, test_mode=True)
    boxes = [np.array([[2, 2, 12, 12, 0.9]]), np.array([[20, 2, 30, 12, 0.9]])]
    results = [{"pan_results": perfect(), "ins_results": boxes}]
    with pytest.raises(OptionError, match="needs ins_ann_file"):
        made.evaluate(results, ["PQ", "bbox"], logger="silent")
    instances = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 40, "height": 40}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 7, "bbox": [2, 2, 10, 10], "area": 100},
            {"id": 2, "image_id": 1, "category_id": 9, "bbox": [20, 2, 10, 10], "area": 100},
        ],
        "categories": CATEGORIES[1:],
    }
    (folder / "instances.json").write_text(json.dumps(instances), encoding="utf-8")
    made = dataset(folder, test_mode=True, ins_ann_file="instances.json")
    figures = made.evaluate(results, ["PQ", "bbox"], logger="silent")
    assert (figures["PQ"], figures["bbox_mAP"]) == (pytest.approx(100), 1)


def test_a_file_of_another_kind_is_named(folder: Path) -> None:
    text = json.dumps({"images": [], "categories": [], "annotations": [{"image_id": 1}]})
    (folder / "panoptic.json").write_text(text, encoding="utf-8")
    with pytest.raises(AnnotationError, match=r"not a COCO panoptic file \(KeyError: 'file_name'"):
        dataset(folder)


def test_results_of_another_kind_are_named(folder: Path) -> None:
    with pytest.raises(AnnotationError, match="dicts with pan_results"):
        dataset(folder, test_mode=True).evaluate([[np.zeros((0, 5))]], logger="silent")


def test_a_map_of_another_size_is_an_error(folder: Path) -> None:
    Image.new("RGB", (40, 20)).save(folder / "maps" / "a.png")
    steps = [{"type": "LoadImageFromFile"}, {"type": "LoadPanopticAnnotations"}]
    with pytest.raises(AnnotationError, match="40x20 pixels for an image of 40x40"):
        dataset(folder, steps)[0]
