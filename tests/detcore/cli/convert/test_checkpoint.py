"""`detcore convert checkpoint`: files in, checkpoints out."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
import torchvision

from cvcore.runner import load_checkpoint
from cvcore.runner.checkpoint import verify_file
from detcore.apis.inference.infer import init_detector
from detcore.cli.main import main
from detcore.models.backbones.resnet import ResNet


def convert(*words: object) -> int:
    return main(["convert", "checkpoint", *(str(word) for word in words)])


def test_a_classifier_becomes_a_backbone_and_says_that_its_keys_are_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = torchvision.models.resnet18(weights=None)
    torch.save(source.state_dict(), tmp_path / "r18.pth")
    target = tmp_path / "out" / "r18.pth"
    config = "retinanet_r18_fpn_1x_coco"
    assert convert(tmp_path / "r18.pth", target, "--config", config) == 0
    said = capsys.readouterr().out
    assert "they load as they are" in said
    assert "they fit" in said
    assert verify_file(target)
    backbone = ResNet(18)
    load_checkpoint(backbone, target, strict=True)
    assert torch.equal(backbone.conv1.weight, source.conv1.weight)


@pytest.mark.slow
def test_a_converted_detector_needs_no_config_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    detection = torchvision.models.detection
    source = detection.fasterrcnn_resnet50_fpn(weights=None, weights_backbone=None)
    torch.save(source.state_dict(), tmp_path / "tv.pth")
    target = tmp_path / "detcore.pth"
    config = "faster_rcnn_r50_fpn_torchvision"
    assert convert(tmp_path / "tv.pth", target, "--config", config) == 0
    assert f"next: detcore predict {target}" in capsys.readouterr().out
    model = init_detector(None, target)
    head = source.roi_heads.box_predictor.cls_score
    # COCO's category 90 is the last of the 80 classes, category 0 the background.
    assert torch.equal(model.roi_head.bbox_head.fc_cls.bias[79], head.bias[90])
    assert torch.equal(model.roi_head.bbox_head.fc_cls.bias[80], head.bias[0])


def test_weights_that_do_not_fit_the_config_are_listed_and_not_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(torchvision.models.resnet34(weights=None).state_dict(), tmp_path / "r34.pth")
    target = tmp_path / "out.pth"
    config = "retinanet_r18_fpn_1x_coco"
    assert convert(tmp_path / "r34.pth", target, "--config", config) == 2
    said = capsys.readouterr().err
    assert "not in the model  layer1.2.conv1.weight" in said
    assert "--force" in said
    assert not target.exists()
    assert convert(tmp_path / "r34.pth", target, "--config", config, "--force") == 0
    assert target.exists()


def test_an_old_checkpoint_is_written_anew_without_its_averages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = {
        "module.bbox_head.fc_cls.bias": torch.arange(3.0),
        "ema_bbox_head_fc_cls_bias": torch.zeros(3),
    }
    meta = {"mmdet_version": "1.1.0", "CLASSES": ("cat", "dog")}
    torch.save({"state_dict": old, "meta": meta}, tmp_path / "old.pth")
    assert convert(tmp_path / "old.pth", tmp_path / "new.pth") == 0
    content = torch.load(tmp_path / "new.pth", weights_only=True)
    assert list(content["state_dict"]) == ["roi_head.bbox_head.fc_cls.bias"]
    assert content["state_dict"]["roi_head.bbox_head.fc_cls.bias"].tolist() == [1, 2, 0]
    assert content["meta"]["CLASSES"] == ("cat", "dog")
    said = capsys.readouterr().out
    assert "read as MMDetection 1.1.0" in said
    assert "left out: ema_bbox_head_fc_cls_bias" in said


def test_a_pickle_that_would_run_code_is_refused_without_running_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    canary = tmp_path / "canary"

    class Bomb:
        def __reduce__(self) -> object:
            return (Path.touch, (canary,))

    (tmp_path / "bomb.pkl").write_bytes(pickle.dumps({"model": Bomb()}))
    assert convert(tmp_path / "bomb.pkl", tmp_path / "out.pth") == 2
    assert "plain data" in capsys.readouterr().err
    assert not canary.exists()


def test_a_missing_file_and_a_wrong_ending_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert convert(tmp_path / "none.pkl", tmp_path / "out.pth") == 2
    assert "there is no checkpoint" in capsys.readouterr().err
    assert convert(tmp_path / "none.pkl", tmp_path / "out.bin") == 2
    assert ".pth" in capsys.readouterr().err
