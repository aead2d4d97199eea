"""Small detectors on a backbone of two convolutions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from detcore.models import build_detector
from detcore.registries import BACKBONES

ASSIGNER = {
    "type": "MaxIoUAssigner",
    "pos_iou_thr": 0.5,
    "neg_iou_thr": 0.5,
    "min_pos_iou": 0.3,
    "ignore_iof_thr": -1,
}
SAMPLER = {
    "type": "RandomSampler",
    "num": 16,
    "pos_fraction": 0.5,
    "neg_pos_ub": -1,
    "add_gt_as_proposals": False,
}
NMS = {"type": "nms", "iou_threshold": 0.7}
RPN_TRAIN = {"assigner": ASSIGNER, "sampler": SAMPLER, "allowed_border": -1, "pos_weight": -1}
RPN_TEST = {"nms_pre": 100, "max_per_img": 20, "nms": NMS, "min_bbox_size": 0}
RCNN_TRAIN = {
    "assigner": ASSIGNER,
    "sampler": {**SAMPLER, "add_gt_as_proposals": True},
    "mask_size": 8,
    "pos_weight": -1,
}
RCNN_TEST = {"score_thr": 0.05, "nms": NMS, "max_per_img": 5, "mask_thr_binary": 0.5}
ANCHORS = {"type": "AnchorGenerator", "scales": [4], "ratios": [1.0], "strides": [4, 8]}


class TwoConvs(nn.Module):
    """Features at strides 4 and 8."""

    def __init__(self, pretrained: str | None = None, init_cfg: Any = None) -> None:
        super().__init__()
        self.pretrained = pretrained
        self.first = nn.Conv2d(3, 4, 4, stride=4)
        self.second = nn.Conv2d(4, 4, 2, stride=2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        first = self.first(x)
        return first, self.second(first)


def extractor(size: int) -> dict[str, Any]:
    return {
        "type": "SingleRoIExtractor",
        "roi_layer": {"type": "RoIAlign", "output_size": size, "sampling_ratio": 0},
        "out_channels": 4,
        "featmap_strides": [4, 8],
    }


RPN_HEAD = {
    "type": "RPNHead",
    "in_channels": 4,
    "feat_channels": 4,
    "anchor_generator": ANCHORS,
}
ROI_HEAD = {
    "type": "StandardRoIHead",
    "bbox_roi_extractor": extractor(3),
    "bbox_head": {
        "type": "Shared2FCBBoxHead",
        "in_channels": 4,
        "fc_out_channels": 8,
        "roi_feat_size": 3,
        "num_classes": 3,
    },
}
MASK_PARTS = {
    "mask_roi_extractor": extractor(4),
    "mask_head": {
        "type": "FCNMaskHead",
        "num_convs": 1,
        "in_channels": 4,
        "conv_out_channels": 4,
        "num_classes": 3,
    },
}
CONFIGS: dict[str, dict[str, Any]] = {
    "FasterRCNN": {
        "rpn_head": RPN_HEAD,
        "roi_head": ROI_HEAD,
        "train_cfg": {
            "rpn": RPN_TRAIN,
            "rpn_proposal": {**RPN_TEST, "max_per_img": 10},
            "rcnn": RCNN_TRAIN,
        },
        "test_cfg": {"rpn": RPN_TEST, "rcnn": RCNN_TEST},
    },
    "FastRCNN": {
        "roi_head": ROI_HEAD,
        "train_cfg": {"rcnn": RCNN_TRAIN},
        "test_cfg": {"rcnn": RCNN_TEST},
    },
    "RPN": {
        "rpn_head": RPN_HEAD,
        "train_cfg": {"rpn": RPN_TRAIN},
        "test_cfg": {"rpn": RPN_TEST},
    },
    "SingleStageDetector": {
        "bbox_head": {
            "type": "AnchorHead",
            "num_classes": 3,
            "in_channels": 4,
            "anchor_generator": ANCHORS,
        },
        "train_cfg": {"assigner": ASSIGNER, "allowed_border": -1, "pos_weight": -1},
        "test_cfg": {"nms_pre": 50, "score_thr": 0.05, "nms": NMS, "max_per_img": 5},
    },
}
CONFIGS["MaskRCNN"] = {**CONFIGS["FasterRCNN"], "roi_head": {**ROI_HEAD, **MASK_PARTS}}


@pytest.fixture(scope="session", autouse=True)
def _backbone() -> None:
    BACKBONES.register_module("TwoConvs", module=TwoConvs)


@pytest.fixture
def detector() -> Callable[..., nn.Module]:
    """Build a small detector by its registered name, with changes to its config."""

    def make(name: str, **changes: Any) -> nn.Module:
        torch.manual_seed(0)
        return build_detector(
            {"type": name, "backbone": {"type": "TwoConvs"}, **CONFIGS[name], **changes}
        )

    return make


@pytest.fixture
def metas() -> Callable[..., list[dict[str, Any]]]:
    """Metas of images of 32 x 48 pixels that were halved."""

    def make(count: int = 1, flip: bool = False) -> list[dict[str, Any]]:
        return [
            {
                "filename": f"{i}.jpg",
                "img_shape": (32, 48, 3),
                "pad_shape": (32, 48, 3),
                "ori_shape": (64, 96, 3),
                "scale_factor": 0.5,
                "flip": flip,
                "flip_direction": "horizontal" if flip else None,
            }
            for i in range(count)
        ]

    return make
