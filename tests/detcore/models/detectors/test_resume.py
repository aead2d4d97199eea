"""A detector whose training follows what it saw goes on where it was."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cvcore.config import Config
from cvcore.runner import EpochBasedRunner, Hook
from detcore.models import build_detector

CONFIGS = Path(__file__).resolve().parents[4] / "configs"
SIZE = 64


def model_config() -> dict[str, Any]:
    """Dynamic R-CNN with a narrow ResNet-50, and DropBlock in its last two stages."""
    cfg = Config.fromfile(CONFIGS / "dynamic_rcnn" / "dynamic_rcnn_r50_fpn_1x_coco.py")
    model = cfg.to_dict()["model"]
    drop = {"type": "DropBlock", "drop_prob": 0.2, "block_size": 3, "warmup_iters": 40}
    model["backbone"] |= {
        "base_channels": 8,
        "frozen_stages": -1,
        "init_cfg": None,
        "plugins": [{"cfg": drop, "stages": (False, False, True, True), "position": "after_conv2"}],
    }
    model["neck"] |= {"in_channels": [32, 64, 128, 256], "out_channels": 16}
    model["rpn_head"] |= {"in_channels": 16, "feat_channels": 16}
    model["roi_head"]["bbox_roi_extractor"]["out_channels"] = 16
    model["roi_head"]["bbox_head"] |= {"in_channels": 16, "fc_out_channels": 32, "num_classes": 3}
    model["train_cfg"]["rpn_proposal"] |= {"nms_pre": 100, "max_per_img": 50}
    # Every third of the six iterations, once before the stop and once behind it.
    assigner = {"pos_iou_thr": 0.2, "neg_iou_thr": 0.2, "min_pos_iou": 0.2}
    model["train_cfg"]["rcnn"]["assigner"] |= assigner
    model["train_cfg"]["rcnn"]["dynamic_rcnn"] |= {
        "iou_topk": 5,
        "beta_topk": 3,  # behind the two objects themselves
        "update_iter_interval": 3,
        "initial_iou": 0.0,
        "initial_beta": 100.0,
    }
    return model


def batch(number: int) -> dict[str, Any]:
    source = torch.Generator().manual_seed(number)
    shape = (SIZE, SIZE, 3)
    meta = {
        "filename": "drawn",
        "img_shape": shape,
        "pad_shape": shape,
        "ori_shape": shape,
        "scale_factor": np.ones(4, dtype=np.float32),
        "flip": False,
    }
    corner = torch.rand(2, 2, generator=source) * 30
    return {
        "img": torch.randn(1, 3, SIZE, SIZE, generator=source),
        "img_metas": [meta],
        "gt_bboxes": [torch.cat([corner, corner + 25], dim=1)],
        "gt_labels": [torch.tensor([0, 2])],
    }


class Stop(Hook):
    def before_train_iter(self, runner: Any) -> None:
        if runner.iter == 4:
            raise StopIteration


def start(folder: Path) -> EpochBasedRunner:
    torch.manual_seed(0)
    model = build_detector(model_config())
    model.init_weights()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    runner = EpochBasedRunner(
        model,
        optimizer=optimizer,
        work_dir=folder,
        meta={},
        logger=logging.getLogger("resume"),
        max_epochs=1,
    )
    runner.register_training_hooks(
        None, {"grad_clip": {"max_norm": 10}}, {"interval": 1, "by_epoch": False}
    )
    return runner


def test_dynamic_thresholds_and_the_warm_up_of_dropblock_go_on_to_the_bit(tmp_path: Path) -> None:
    batches = [batch(number) for number in range(6)]
    start(tmp_path / "whole").run([batches], [("train", 1)])
    first = start(tmp_path / "parts")
    first.register_hook(Stop())
    with pytest.raises(StopIteration):
        first.run([batches], [("train", 1)])
    second = start(tmp_path / "parts")
    second.resume(tmp_path / "parts" / "iter_4.pth")
    head = second.model.roi_head
    # The config's own are 1.0 and 0.2.
    assert head.bbox_head.loss_bbox.beta != 1.0
    assert head.listening.assigner.pos_iou_thr != 0.2
    assert len(head.iou_history) == 1
    second.run([batches], [("train", 1)])
    one, other = (
        torch.load(tmp_path / name / "iter_6.pth", weights_only=True) for name in ("whole", "parts")
    )
    assert other["meta"]["training_states"] == one["meta"]["training_states"]
    blocks = {f"backbone.layer3.{i}.drop_block" for i in range(6)}
    blocks |= {f"backbone.layer4.{i}.drop_block" for i in range(3)}
    assert one["meta"]["training_states"][0].keys() == {"roi_head", *blocks}
    for key, value in one["state_dict"].items():
        assert torch.equal(value, other["state_dict"][key]), key
