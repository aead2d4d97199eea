from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cvcore import Config
from detcore.apis.classes import settle_classes
from detcore.apis.inference.infer import init_detector
from detcore.cli.test import main as run_test
from detcore.cli.train import main as run_train
from detcore.errors import ClassMismatchError
from detcore.models import build_detector

NAMES = ("bolt", "nut", "gear")


@pytest.fixture
def annotations(tmp_path: Path) -> Path:
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": 64, "height": 64}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 5, "bbox": [1, 1, 30, 30]}],
        "categories": [{"id": i + 4, "name": name} for i, name in enumerate(NAMES)],
    }
    path = tmp_path / "parts.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.fixture
def read(annotations: Path, tmp_path: Path) -> Callable[..., Config]:
    """A config with this model, whose datasets have these classes."""

    def make(model: str, classes: str = "'auto'", train: str = "TRAIN") -> Config:
        dataset = f"dict(type='CocoDataset', ann_file='{annotations}', pipeline=[], {{}})"
        given = dataset.format(f"classes={classes}" if classes else "")
        text = f"model = {model}\ndata = dict(train={train}, val=DATA, test=DATA)\n"
        text = text.replace("TRAIN", "DATA").replace("DATA", given)
        path = tmp_path / "config.py"
        path.write_text(text, encoding="utf-8")
        return Config.fromfile(path)

    return make


CASCADE = """dict(
    rpn_head=dict(num_classes=1),
    backbone=dict(num_classes=1000),
    roi_head=dict(
        bbox_head=[dict(num_classes='auto'), dict(num_classes='auto')],
        mask_head=dict(num_classes='auto')))"""


def test_every_head_and_every_dataset_takes_the_names_of_the_training_data(
    read: Callable[..., Config],
) -> None:
    cfg = read(CASCADE, train="dict(type='RepeatDataset', times=2, dataset=TRAIN)")
    settle_classes(cfg)
    roi_head = cfg.model.roi_head
    assert [head.num_classes for head in roi_head.bbox_head] == [3, 3]
    assert roi_head.mask_head.num_classes == 3
    assert (cfg.model.rpn_head.num_classes, cfg.model.backbone.num_classes) == (1, 1000)
    assert cfg.data.train.dataset.classes == cfg.data.val.classes == cfg.data.test.classes == NAMES


def test_validation_data_of_another_order_is_numbered_as_the_training_data(
    read: Callable[..., Config], annotations: Path
) -> None:
    cfg = read(CASCADE)
    content = json.loads(annotations.read_text(encoding="utf-8"))
    content["categories"] = content["categories"][::-1]
    other = annotations.with_name("val.json")
    other.write_text(json.dumps(content), encoding="utf-8")
    cfg.data.val.ann_file = str(other)
    settle_classes(cfg)
    assert cfg.data.val.classes == NAMES


def test_names_that_are_known_already_are_taken(read: Callable[..., Config]) -> None:
    cfg = read(CASCADE)
    settle_classes(cfg, names=["a", "b"])
    assert cfg.model.roi_head.mask_head.num_classes == 2
    assert cfg.data.test.classes == ("a", "b")


@pytest.mark.parametrize("classes", ["('bolt', 'nut', 'gear')", "'auto'"])
def test_two_numbers_that_differ_are_named_with_the_line_to_change(
    classes: str, read: Callable[..., Config], tmp_path: Path
) -> None:
    cfg = read("dict(\n    bbox_head=dict(num_classes=80))", classes)
    message = (
        r"model.bbox_head.num_classes is 80, but the data has 3 classes \(bolt, nut, gear\). "
        rf"{tmp_path}/config.py:2 sets it: write model.bbox_head.num_classes=3 there, or 'auto'"
    )
    with pytest.raises(ClassMismatchError, match=message):
        settle_classes(cfg)


def test_the_line_is_that_of_the_base_which_sets_it(
    read: Callable[..., Config], tmp_path: Path
) -> None:
    base = read("dict(bbox_head=dict(type='Head',\n  num_classes=80))", "('bolt', 'nut')")
    child = tmp_path / "child.py"
    child.write_text("_base_ = 'config.py'\nseed = 1\n", encoding="utf-8")
    assert base.model.bbox_head.num_classes == 80
    with pytest.raises(
        ClassMismatchError, match=r"config\.py:2 sets it: write model.bbox_head.num_classes=2"
    ):
        settle_classes(Config.fromfile(child))
    overridden = Config.fromfile(child, overrides={"model.bbox_head.num_classes": 7})
    with pytest.raises(ClassMismatchError, match=r"is 7, but .* It is set by override"):
        settle_classes(overridden)


def test_the_type_of_dataset_tells_its_classes_without_being_read(
    read: Callable[..., Config], annotations: Path
) -> None:
    cfg = read("dict(bbox_head=dict(num_classes=3))", classes="")
    annotations.unlink()
    with pytest.raises(ClassMismatchError, match="is 3, but the data has 80 classes"):
        settle_classes(cfg)


def test_auto_without_training_data_says_so(read: Callable[..., Config]) -> None:
    cfg = read(CASCADE)
    del cfg.data["train"]
    with pytest.raises(ClassMismatchError, match=r"no data\.train to take the names from"):
        settle_classes(cfg)


def test_heads_of_regions_count_things_in_panoptic_data(tmp_path: Path) -> None:
    categories = [
        {"id": i, "name": name, "isthing": int(i != 2)}
        for i, name in enumerate(("cow", "grass", "dog"), start=1)
    ]
    path = tmp_path / "panoptic.json"
    content = {"images": [], "annotations": [], "categories": categories}
    path.write_text(json.dumps(content), encoding="utf-8")
    dataset = {"type": "CocoPanopticDataset", "ann_file": str(path), "classes": "auto"}
    head = {"num_things_classes": "auto", "num_stuff_classes": "auto", "num_classes": "auto"}
    model = {
        "roi_head": {"bbox_head": {"num_classes": "auto"}},
        "panoptic_head": dict(head),
    }
    cfg = Config({"model": model, "data": {"train": dataset}})
    settle_classes(cfg)
    assert cfg.data.train.classes == ("cow", "dog", "grass")
    assert cfg.model.roi_head.bbox_head.num_classes == 2
    found = cfg.model.panoptic_head
    assert (found.num_things_classes, found.num_stuff_classes, found.num_classes) == (2, 1, 3)
    default = {"train": {"type": "CocoPanopticDataset", "ann_file": "not read"}}
    for number, error in ((80, None), (133, "is 133, but the data has 80 classes")):
        cfg = Config(
            {"model": {"roi_head": {"bbox_head": {"num_classes": number}}}, "data": default}
        )
        if error is None:
            settle_classes(cfg)
        else:
            with pytest.raises(ClassMismatchError, match=error):
                settle_classes(cfg)


AUTO = """
_base_ = 'BASE'
model = dict(roi_head=dict(bbox_head=dict(num_classes='auto'), mask_head=dict(num_classes='auto')))
data = dict(train=dict(classes='auto'), val=dict(classes='auto'), test=dict(classes='auto'))
runner = dict(max_epochs=1)
"""


@pytest.mark.slow
def test_a_run_that_leaves_its_classes_to_the_data(tiny_config: Path, tmp_path: Path) -> None:
    config = tmp_path / "auto.py"
    config.write_text(AUTO.replace("BASE", tiny_config.as_posix()), encoding="utf-8")
    run = tmp_path / "run"
    assert run_train([str(config), "--work-dir", str(run), "--seed", "1"]) == 0
    # The checkpoint needs no data to be read, and the config that was left to it none either.
    model = init_detector(None, run / "latest.pth")
    kinds: Any = build_detector(model.cfg["model"]).roi_head.bbox_head.num_classes
    assert kinds == len(model.CLASSES) == 5
    assert init_detector(config, run / "latest.pth").CLASSES == model.CLASSES
    out = tmp_path / "eval"
    arguments = [str(config), str(run / "latest.pth"), "--eval", "bbox", "--work-dir", str(out)]
    assert run_test(arguments) == 0
    assert "bbox_mAP" in json.loads((out / "eval.json").read_text(encoding="utf-8"))["metric"]
