from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from detcore.datasets import OpenImagesChallengeDataset, OpenImagesDataset
from detcore.errors import AnnotationError, ClassMismatchError, OptionError

HEADER = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsGroupOf\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two images of 100 x 50 pixels: a cat, which is an animal, and a group of chairs."""
    (tmp_path / "boxes.csv").write_text(
        HEADER
        + "a,x,/m/cat,1,0.1,0.3,0.2,0.6,0,0\n"
        + "a,x,/m/ghost,1,0.1,0.3,0.2,0.6,0,0\n"
        + "b,x,/m/chair,1,0,1,0,1,0,1\n",
        encoding="utf-8",
    )
    (tmp_path / "labels.csv").write_text(
        '/m/animal,Animal\n/m/cat,"Cat, small"\n/m/chair,Chair\n', encoding="utf-8"
    )
    hierarchy = {
        "LabelName": "/m/entity",
        "Subcategory": [
            {"LabelName": "/m/animal", "Subcategory": [{"LabelName": "/m/cat"}]},
            {"LabelName": "/m/chair"},
        ],
    }
    (tmp_path / "tree.json").write_text(json.dumps(hierarchy), encoding="utf-8")
    (tmp_path / "known.csv").write_text(
        "ImageID,Source,LabelName,Confidence\nb,x,/m/cat,0\n", encoding="utf-8"
    )
    for name in ("a", "b"):
        Image.new("RGB", (100, 50)).save(tmp_path / f"{name}.jpg")
    return tmp_path


def dataset(folder: Path, pipeline: Any = (), **options: Any) -> OpenImagesDataset:
    settings = {
        "label_file": "labels.csv",
        "hierarchy_file": "tree.json",
        "data_root": str(folder),
        "img_prefix": "",
    }
    return OpenImagesDataset("boxes.csv", list(pipeline), **{**settings, **options})


def test_boxes_are_fractions_which_the_pipeline_turns_into_pixels(folder: Path) -> None:
    steps = [{"type": "LoadImageFromFile"}, {"type": "LoadAnnotations", "denorm_bbox": True}]
    made = dataset(folder, steps)
    assert made.CLASSES == ["Animal", "Cat, small", "Chair"]
    assert made.flag.tolist() == [0, 0]
    sample = made[0]
    np.testing.assert_allclose(sample["gt_bboxes"], [[10, 10, 30, 30]], atol=1e-5)
    assert sample["gt_labels"].tolist() == [1]
    assert made.get_ann_info(1)["gt_is_group_ofs"].tolist() == [True]
    reason = "annotations: of a class that label_file does not name"
    assert dict(made.filter_report) == {reason: 1}


def results() -> list[list[np.ndarray]]:
    nothing = np.zeros((0, 5), dtype=np.float32)
    cat = np.array([[10, 10, 30, 30, 0.9]], dtype=np.float32)
    wrong = np.array([[0, 0, 20, 20, 0.95]], dtype=np.float32)
    chairs = np.array([[5, 5, 15, 15, 0.8], [50, 5, 60, 15, 0.7]], dtype=np.float32)
    return [[nothing, cat, wrong], [nothing, wrong, chairs]]


def test_it_is_evaluated_by_its_own_rules(folder: Path) -> None:
    made = dataset(folder, test_mode=True)
    # Nobody asked for a chair in image a or a cat in image b, and the group is found once.
    assert made.evaluate(results(), logger="silent") == {"mAP": 1, "AP50": 1}
    # It is known that b shows no cat: the cat there is wrong, and precedes the right one. Nothing
    # is said of animals in b.
    known = dataset(folder, test_mode=True, image_level_ann_file="known.csv")
    figures = known.evaluate(results(), logger="silent")
    assert figures["mAP"] == pytest.approx((1 + 0.5 + 1) / 3)
    assert known.class_figures["mAP"]["Cat, small"] == {"AP50": pytest.approx(0.5)}
    plain = dataset(folder, test_mode=True, filter_labels=False, get_supercategory=False)
    figures = plain.evaluate(results(), logger="silent", use_group_of=False)
    assert figures["AP50"] == pytest.approx(0.25)  # cat 1/2, chair 0


def test_sizes_can_come_from_a_file(folder: Path) -> None:
    metas = [{"filename": f"x/{name}.jpg", "ori_shape": (50, 100, 3)} for name in ("b", "a")]
    (folder / "metas.pkl").write_bytes(pickle.dumps(metas))
    (folder / "a.jpg").unlink()
    made = dataset(folder, test_mode=True, meta_file="metas.pkl")
    assert made.evaluate(results(), logger="silent")["mAP"] == 1
    (folder / "metas.pkl").write_bytes(pickle.dumps(metas[:1]))
    with pytest.raises(AnnotationError, match=r"nothing of 1 images, the first is a\.jpg"):
        made.evaluate(results(), logger="silent")


def test_the_challenge_has_a_text_file_and_a_matrix(folder: Path) -> None:
    text = "# 0\ntrain/a.jpg\n100 50\n2\n2 0.1 0.2 0.3 0.6 0\n3 0 0 1 1 1\n# 1\nb.jpg\n100 50\n0\n"
    (folder / "boxes.txt").write_text(text, encoding="utf-8")
    (folder / "labels.csv").write_text(
        "/m/c,Cat,2\n/m/a,Animal,1\n/m/h,Chair,3\n", encoding="utf-8"
    )
    with (folder / "tree.np").open("wb") as file:
        np.save(file, np.array([[0, 0, 0], [1, 0, 0], [0, 0, 0]]))
    made = OpenImagesChallengeDataset(
        "boxes.txt",
        [],
        label_file="labels.csv",
        hierarchy_file="tree.np",
        data_root=str(folder),
        filter_empty_gt=False,
    )
    assert made.CLASSES == ["Animal", "Cat", "Chair"]
    assert [info["filename"] for info in made.data_infos] == ["train/a.jpg", "b.jpg"]
    info = made.get_ann_info(0)
    assert info["labels"].tolist() == [1, 2]
    assert info["gt_is_group_ofs"].tolist() == [False, True]
    np.testing.assert_allclose(info["bboxes"][0], [0.1, 0.2, 0.3, 0.6], atol=1e-6)
    assert made.class_label_tree.tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    (folder / "boxes.txt").write_text("# 0\na.jpg\n100 50\n2\n1 0 0 1 1 0\n", encoding="utf-8")
    with pytest.raises(AnnotationError, match=r"boxes.txt:6: "):
        OpenImagesChallengeDataset("boxes.txt", [], label_file="labels.csv", data_root=str(folder))


def test_what_is_missing_is_named(folder: Path) -> None:
    with pytest.raises(OptionError, match="set label_file"):
        dataset(folder, label_file="")
    with pytest.raises(ClassMismatchError, match="has 3 classes"):
        dataset(folder, classes=("Cat",))
    (folder / "boxes.csv").write_text("ImageID,LabelName\n", encoding="utf-8")
    with pytest.raises(AnnotationError, match="column 'XMin' is missing"):
        dataset(folder)
