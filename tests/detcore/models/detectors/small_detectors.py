"""Small detectors on a backbone of two convolutions, for tests and processes that they spawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from detcore.models import build_detector
from detcore.registries import BACKBONES
from detcore.structures import BitmapMasks

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
CONFIGS["RetinaNet"] = {
    "bbox_head": {
        "type": "RetinaHead",
        "num_classes": 3,
        "in_channels": 4,
        "feat_channels": 4,
        "stacked_convs": 1,
        "anchor_generator": ANCHORS,
        "loss_cls": {"type": "FocalLoss", "use_sigmoid": True, "loss_weight": 1.0},
    },
    "train_cfg": {"assigner": ASSIGNER, "allowed_border": -1, "pos_weight": -1},
    "test_cfg": {"nms_pre": 50, "score_thr": 0.005, "nms": NMS, "max_per_img": 5},
}
CONFIGS["FCOS"] = {
    "bbox_head": {
        "type": "FCOSHead",
        "num_classes": 3,
        "in_channels": 4,
        "feat_channels": 4,
        "stacked_convs": 1,
        "strides": [4, 8],
        "regress_ranges": ((-1, 16), (16, 1e8)),
        "norm_cfg": None,
    },
    "train_cfg": {},
    "test_cfg": {"nms_pre": 50, "score_thr": 0.005, "nms": NMS, "max_per_img": 5},
}
CONFIGS["CascadeRCNN"] = {
    **CONFIGS["FasterRCNN"],
    "roi_head": {
        **MASK_PARTS,
        "type": "CascadeRoIHead",
        "num_stages": 2,
        "stage_loss_weights": [1, 0.5],
        "bbox_roi_extractor": extractor(3),
        "bbox_head": [{**ROI_HEAD["bbox_head"], "reg_class_agnostic": True}] * 2,
    },
    "train_cfg": {**CONFIGS["FasterRCNN"]["train_cfg"], "rcnn": [RCNN_TRAIN] * 2},
}
DOUBLE_HEAD = {
    **CONFIGS["FasterRCNN"],
    "roi_head": {
        "type": "DoubleHeadRoIHead",
        "reg_roi_scale_factor": 1.3,
        "bbox_roi_extractor": extractor(3),
        "bbox_head": {
            **ROI_HEAD["bbox_head"],
            "type": "DoubleConvFCBBoxHead",
            "num_convs": 1,
            "num_fcs": 1,
            "conv_out_channels": 8,
        },
    },
}
DYNAMICS = {
    "iou_topk": 5,
    "beta_topk": 2,
    "update_iter_interval": 2,
    "initial_iou": 0.4,
    "initial_beta": 1.0,
}
DYNAMIC = {
    **CONFIGS["FasterRCNN"],
    "roi_head": {**ROI_HEAD, "type": "DynamicRoIHead"},
    "train_cfg": {
        **CONFIGS["FasterRCNN"]["train_cfg"],
        "rcnn": {**RCNN_TRAIN, "dynamic_rcnn": DYNAMICS},
    },
}
# What goes by another detector's name.
KINDS = {"Double-Head": ("FasterRCNN", DOUBLE_HEAD), "Dynamic": ("FasterRCNN", DYNAMIC)}
WITH_MASKS = ("MaskRCNN", "CascadeRCNN")


def small_detector(name: str, **changes: Any) -> nn.Module:
    """Build a small detector by its registered name, or one of ``KINDS``."""
    BACKBONES.register_module("TwoConvs", force=True, module=TwoConvs)
    kind, config = KINDS.get(name, (name, CONFIGS.get(name)))
    torch.manual_seed(0)
    return build_detector({"type": kind, "backbone": {"type": "TwoConvs"}, **config, **changes})


def small_metas(count: int = 1, flip: bool = False) -> list[dict[str, Any]]:
    """Metas of images of 32 x 48 pixels that were halved."""
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


def small_batch(name: str, boxes: Sequence[Sequence[Sequence[float]]]) -> dict[str, Any]:
    """A batch for training: the objects of each image, all of class 1."""
    generator = torch.Generator().manual_seed(2)
    gt_bboxes = [torch.tensor(each, dtype=torch.float32).reshape(-1, 4) for each in boxes]
    data: dict[str, Any] = {
        "img": torch.randn(len(boxes), 3, 32, 48, generator=generator),
        "img_metas": small_metas(len(boxes)),
        "gt_bboxes": gt_bboxes,
    }
    if name != "RPN":
        data["gt_labels"] = [torch.ones(len(each), dtype=torch.long) for each in boxes]
    if name in WITH_MASKS:
        ones = [np.ones((len(each), 32, 48), dtype=np.uint8) for each in boxes]
        data["gt_masks"] = [BitmapMasks(masks, 32, 48) for masks in ones]
    return data
