"""A folder of annotated images and the name of a model, to a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from detcore import Detector
from detcore.apis.own_data import OwnData, find_model, own_data_config
from detcore.cli.train import main
from detcore.errors import AnnotationError, DetcoreError, OptionError


@pytest.fixture
def undivided(scenes: Path, tmp_path: Path) -> Path:
    """The scenes to train on alone, as one json of ten images beside its images."""
    folder = tmp_path / "mine"
    (folder / "images").mkdir(parents=True)
    document = json.loads((scenes / "annotations/train.json").read_text(encoding="utf-8"))
    document["images"] = document["images"][:10]
    kept = {image["id"] for image in document["images"]}
    document["annotations"] = [a for a in document["annotations"] if a["image_id"] in kept]
    for image in document["images"]:
        target = folder / "images" / image["file_name"]
        target.write_bytes((scenes / "images" / image["file_name"]).read_bytes())
    (folder / "labels.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("faster_rcnn_r50_fpn", "faster_rcnn_r50_fpn_1x_coco"),
        ("faster_rcnn_r50_fpn_2x_coco", "faster_rcnn_r50_fpn_2x_coco"),
        ("mask_rcnn_r50_fpn", "mask_rcnn_r50_fpn_1x_coco"),
    ],
)
def test_a_model_may_leave_out_the_end_of_its_name(name: str, stem: str) -> None:
    assert find_model(name).stem == stem


def test_a_misspelt_model_is_answered_with_the_nearest() -> None:
    with pytest.raises(DetcoreError, match=r"nearest: .*faster_rcnn_r50_fpn"):
        find_model("fastr_rcnn_r50_fpn")
    with pytest.raises(DetcoreError, match=r"nearest: .*retinanet_r50_fpn"):
        find_model("retinanet_r5")  # the whole name is twice as long


def test_the_config_takes_the_folders_data_and_keeps_the_models_pipelines(
    scenes: Path, tmp_path: Path
) -> None:
    wish = OwnData(folder=scenes, work_dir=tmp_path, epochs=24, batch_size=4)
    cfg, lines = own_data_config(wish)
    assert cfg["data"]["train"]["ann_file"] == str(scenes / "annotations/train.json")
    assert cfg["data"]["val"]["ann_file"] == str(scenes / "annotations/val.json")
    kinds = [transform["type"] for transform in cfg["data"]["train"]["pipeline"]]
    assert kinds[:3] == ["LoadImageFromFile", "LoadAnnotations", "Resize"]
    assert cfg["model"]["roi_head"]["bbox_head"]["num_classes"] == "auto"
    assert "num_classes" not in cfg["model"]["rpn_head"]
    assert cfg["data"]["samples_per_gpu"] == 4
    assert cfg["auto_scale_lr"] == {"enable": True, "base_batch_size": 16}
    assert (cfg["runner"]["max_epochs"], cfg["lr_config"]["step"]) == (24, [16, 22])
    # 12 images are 3 batches; of 24 x 3 iterations a tenth is warm-up, instead of 500.
    assert cfg["lr_config"]["warmup_iters"] == 7
    assert lines == [
        f"data: {scenes}: coco (train: {scenes}/annotations/train.json, "
        f"val: {scenes}/annotations/val.json)",
        "warm-up: 7 iterations instead of 500, a tenth of the run",
        "losses are logged every 3 iterations, once an epoch, instead of 50",
    ]


def test_what_the_user_sets_has_the_last_word(scenes: Path, tmp_path: Path) -> None:
    overrides = {"data.samples_per_gpu": 3, "optimizer.lr": 0.5}
    wish = OwnData(folder=scenes, work_dir=tmp_path, batch_size=4, overrides=overrides)
    cfg, _ = own_data_config(wish)
    assert (cfg["data"]["samples_per_gpu"], cfg["optimizer"]["lr"]) == (3, 0.5)
    overrides = {"log_config.interval": 50}
    cfg, lines = own_data_config(OwnData(folder=scenes, work_dir=tmp_path, overrides=overrides))
    assert cfg["log_config"]["interval"] == 50
    assert not any("losses are logged" in line for line in lines)


@pytest.mark.parametrize(
    ("epochs", "interval", "line"),
    [
        (12, 3, None),
        (10, 2, "evaluation every 2 epochs instead of 3, so that the last one is evaluated"),
        (1, 1, "evaluation every epoch instead of 3, so that the last one is evaluated"),
    ],
)
def test_the_last_epoch_is_evaluated(
    epochs: int, interval: int, line: str | None, scenes: Path, tmp_path: Path
) -> None:
    wish = OwnData(
        folder=scenes, model="faster_rcnn_r18_fpn_bccd", work_dir=tmp_path, epochs=epochs
    )
    cfg, lines = own_data_config(wish)
    assert cfg["evaluation"]["interval"] == interval
    assert [each for each in lines if each.startswith("evaluation")] == ([line] if line else [])


def test_the_users_interval_of_evaluation_is_kept(scenes: Path, tmp_path: Path) -> None:
    overrides = {"evaluation.interval": 5}
    wish = OwnData(folder=scenes, work_dir=tmp_path, epochs=12, overrides=overrides)
    cfg, _ = own_data_config(wish)
    assert cfg["evaluation"]["interval"] == 5


def test_an_undivided_folder_is_divided_in_the_work_dir(undivided: Path, tmp_path: Path) -> None:
    cfg, lines = own_data_config(OwnData(folder=undivided, work_dir=tmp_path / "run"))
    counts = []
    for split in ("train", "val"):
        path = Path(cfg["data"][split]["ann_file"])
        assert path.is_relative_to(tmp_path / "run" / "data")
        counts.append(len(json.loads(path.read_text(encoding="utf-8"))["images"]))
    assert counts == [8, 2]
    assert f"no validation set in {undivided}: 20% of the images are held out" in lines
    assert not list(undivided.rglob("*train*.json"))  # the folder itself stays as it is


def test_data_to_a_detector_in_one_call(
    scenes: Path, tiny_config: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    detector = Detector.train(
        model=tiny_config, data=scenes, work_dir=tmp_path / "run", epochs=1, seed=1
    )
    assert f"data: {scenes}: coco" in caplog.text
    assert detector.class_names == ["disc", "triangle", "square", "star", "ring"]
    assert (tmp_path / "run/report/index.html").exists()
    assert len(detector.predict(scenes / "images" / "val_00000.jpg")) == 1


def test_one_command_trains_on_a_folder_and_says_what_next(
    undivided: Path, tiny_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    arguments = ["--data", str(undivided), "--model", str(tiny_config), "--work-dir", str(run)]
    assert main([*arguments, "--epochs", "1", "--batch-size", "2"]) == 0
    text = capsys.readouterr().out
    assert "20% of the images are held out" in text
    assert f"report: {run}/report/index.html" in text
    assert "next: detcore predict" in text
    log = next(run.glob("*.log")).read_text(encoding="utf-8")
    assert "CocoDataset, 8 images, 5 classes (disc, triangle, square, star, ring)" in log
    assert "1 epoch of 4 iterations" in log


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give a config, or --data FOLDER"),
        (["a.py", "--epochs", "3"], "--epochs goes with --data"),
        (["a.py", "--data", "x", "--model", "b"], "both name the model"),
        (["--data", "nowhere"], "no such folder"),
        (["--data", "nowhere", "--batch-size", "0"], "batch_size is a number from 1 on"),
    ],
)
def test_contradictions_are_named(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_images_alone_are_not_enough(scenes: Path, tmp_path: Path) -> None:
    photo = scenes / "images" / "val_00000.jpg"
    (tmp_path / photo.name).write_bytes(photo.read_bytes())
    with pytest.raises(DetcoreError, match="nothing to learn from"):
        own_data_config(OwnData(folder=tmp_path, work_dir=tmp_path / "run"))
    with pytest.raises((AnnotationError, OptionError)):
        own_data_config(OwnData(folder=tmp_path / "none", work_dir=tmp_path / "run"))
