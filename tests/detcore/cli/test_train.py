"""`detcore-train`, from the command line to checkpoints, logs and an exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from cvcore import Config
from detcore.cli.test import main as evaluate
from detcore.cli.train import main


def train(config: Path, work_dir: Path, *extra: str) -> int:
    return main([str(config), "--work-dir", str(work_dir), "--seed", "7", *extra])


def checkpoint(path: Path) -> dict[str, Any]:
    return torch.load(path, weights_only=True)


def test_a_run_leaves_the_resolved_config_logs_and_checkpoints(trained_run: Path) -> None:
    names = {path.name for path in trained_run.iterdir()}
    assert {"tiny.py", "epoch_1.pth", "epoch_2.pth", "latest.pth", "metrics.jsonl"} <= names
    cfg = Config.fromfile(trained_run / "tiny.py")
    assert cfg.runner.max_epochs == 2
    assert "_base_" not in cfg
    (log,) = trained_run.glob("*.log")
    text = log.read_text(encoding="utf-8")
    assert "seed 7" in text
    assert "torch" in text


def test_metrics_are_written_as_one_json_object_a_line(trained_run: Path) -> None:
    lines = (trained_run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    trained = [record for record in records if record.get("mode") == "train"]
    # 12 images, 2 a batch: 6 iterations an epoch, one line every 2, 2 epochs.
    assert len(trained) == 6
    assert all("loss_mask" in record and "lr" in record for record in trained)
    evaluated = [record for record in records if record.get("mode") == "val"]
    assert [record["epoch"] for record in evaluated] == [1, 2]
    assert all("segm_mAP" in record for record in evaluated)


def test_a_checkpoint_tells_how_it_was_made(trained_run: Path) -> None:
    meta = checkpoint(trained_run / "epoch_2.pth")["meta"]
    assert (meta["epoch"], meta["iter"]) == (2, 12)
    assert list(meta["CLASSES"]) == ["disc", "triangle", "square", "star", "ring"]
    assert Config.fromstring(meta["config"], ".py").model.type == "MaskRCNN"


def test_a_resumed_run_ends_where_an_unbroken_one_does(
    trained_run: Path, tiny_config: Path, tmp_path: Path
) -> None:
    assert train(tiny_config, tmp_path, "--cfg-options", "runner.max_epochs=1") == 0
    resume = ("--auto-resume", "--cfg-options", "runner.max_epochs=2")
    assert train(tiny_config, tmp_path, *resume) == 0
    straight, resumed = (checkpoint(d / "epoch_2.pth") for d in (trained_run, tmp_path))
    assert straight["meta"]["iter"] == resumed["meta"]["iter"]
    groups = straight["optimizer"]["param_groups"], resumed["optimizer"]["param_groups"]
    assert [group["lr"] for group in groups[0]] == [group["lr"] for group in groups[1]]
    for key, value in straight["state_dict"].items():
        assert torch.equal(value, resumed["state_dict"][key]), key
    for key, state in straight["optimizer"]["state"].items():
        other = resumed["optimizer"]["state"][key]
        assert all(torch.equal(torch.as_tensor(state[n]), torch.as_tensor(other[n])) for n in state)


def test_a_checkpoint_evaluates_to_what_training_said(
    trained_run: Path, tiny_config: Path, tmp_path: Path
) -> None:
    checkpoint_file = str(trained_run / "epoch_2.pth")
    arguments = [str(tiny_config), checkpoint_file, "--eval", "bbox", "segm"]
    assert evaluate([*arguments, "--work-dir", str(tmp_path)]) == 0
    tested = json.loads((tmp_path / "eval.json").read_text(encoding="utf-8"))["metric"]
    lines = (trained_run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    trained = [json.loads(line) for line in lines if '"val"' in line][-1]
    assert tested["bbox_mAP"] == trained["bbox_mAP"]
    assert tested["segm_mAP"] == trained["segm_mAP"]


def test_it_trains_with_worker_processes_and_a_validation_flow(
    tiny_config: Path, tmp_path: Path
) -> None:
    options = (
        "data.workers_per_gpu=2",
        "runner.max_epochs=1",
        "workflow=[(train,1),(val,1)]",
    )
    assert train(tiny_config, tmp_path, "--no-validate", "--cfg-options", *options) == 0
    lines = (tmp_path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    modes = [json.loads(line).get("mode") for line in lines]
    assert modes.count("val") == 1
    assert "loss_mask_val" in json.loads(lines[-1])  # the val flow reports losses, not AP


def test_it_trains_by_iterations(tiny_config: Path, tmp_path: Path) -> None:
    config = tmp_path / "by_iterations.py"
    config.write_text(
        f"_base_ = {str(tiny_config)!r}\n"
        "runner = dict(_delete_=True, type='IterBasedRunner', max_iters=5)\n"
        "checkpoint_config = dict(interval=5, by_epoch=False)\n"
        "evaluation = dict(interval=5)\n"
        "log_config = dict(interval=1)\n",
        encoding="utf-8",
    )
    assert train(config, tmp_path) == 0
    assert checkpoint(tmp_path / "iter_5.pth")["meta"]["iter"] == 5


BAD_INPUT = {
    "missing config": (["no_such_config"], "no config 'no_such_config'"),
    "folder for a config": (["."], "to train on what is in it: detcore train --data ."),
    "unknown key": (["--cfg-options", "model.backbone.dept=18"], "depth"),
    "unknown type": (["--cfg-options", "model.backbone.type=ResNot"], "ResNet"),
    "missing annotation file": (
        ["--cfg-options", "data.train.ann_file=annotations/none.json"],
        "none.json",
    ),
    "not COCO": (["--cfg-options", "data.train.ann_file=not_coco.json"], "images"),
    "broken json": (["--cfg-options", "data.train.ann_file=broken.json"], "broken.json"),
    "class names": (
        ["--cfg-options", "data.train.classes=(disc,triangle,squre,star,ring)"],
        "square",
    ),
    "num_classes": (
        ["--cfg-options", "model.roi_head.bbox_head.num_classes=7"],
        "model.roi_head.bbox_head.num_classes=5",
    ),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_gives_one_clear_error(
    case: str,
    tiny_config: Path,
    scenes: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (scenes / "not_coco.json").write_text('{"pictures": []}', encoding="utf-8")
    (scenes / "broken.json").write_text('{"images": [', encoding="utf-8")
    arguments, expected = BAD_INPUT[case]
    if arguments[0].startswith("-"):
        arguments = [str(tiny_config), *arguments]
    assert main([*arguments, "--work-dir", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert any(line.startswith("error: ") for line in error.splitlines())
    assert "Traceback" not in error


@pytest.mark.parametrize("fault", ["missing", "truncated", "not an image"])
def test_a_bad_image_is_named(
    fault: str, tiny_config: Path, scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for path in (scenes / "images").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    victim = folder / "train_00005.jpg"
    content = victim.read_bytes()
    if fault == "missing":
        victim.unlink()
    else:
        victim.write_bytes(content[:400] if fault == "truncated" else b"<html></html>")
    options = ("--cfg-options", f"data.train.img_prefix={folder}", "data.workers_per_gpu=1")
    assert train(tiny_config, tmp_path / "run", *options) == 2
    assert "train_00005.jpg" in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_itself_exits_with_2_and_no_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "detcore.cli.train", "no_such_config"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: no config 'no_such_config'")
    assert "Traceback" not in done.stderr
