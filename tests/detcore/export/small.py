"""Detectors of every exportable family, small enough to trace in seconds."""

from __future__ import annotations

from typing import Any

import torch
from tests.parity import seeded
from torch import nn

from detcore.apis import read_config
from detcore.evaluation import get_classes
from detcore.models import build_detector

FAMILIES = (
    "faster_rcnn_r50_fpn_1x_coco",
    "mask_rcnn_r50_fpn_1x_coco",
    "cascade_mask_rcnn_r50_fpn_1x_coco",
    "retinanet_r50_fpn_1x_coco",
    "fcos_r50_caffe_fpn_gn-head_1x_coco",
)
SCALE = (256, 160)
_SMALLER = {256: 32, 512: 64, 1024: 128, 2048: 256}


def small_detector(name: str, **test_cfg: Any) -> nn.Module:
    """A shipped config on an eighth of its channels and weights that follow from their names."""
    cfg = read_config(name, {"data.test.pipeline.1.img_scale": SCALE})
    model = _shrunk(cfg["model"].to_dict())
    deep = "dconv" in name  # deformable convolutions want its kind of block, four times as wide
    channels = 8 if deep else 32
    model["backbone"] |= {
        "depth": 50 if deep else 18,
        "base_channels": channels,
        "stem_channels": channels,
        "init_cfg": None,
    }
    model["train_cfg"] = None
    model["test_cfg"] |= test_cfg
    cfg["model"] = model
    detector = build_detector(model)
    with torch.no_grad():
        for key, tensor in detector.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(torch.as_tensor(seeded.values(key, tuple(tensor.shape))).float())
        if hasattr(detector, "rpn_head"):
            # Where sigmoids saturate, hundreds of proposals are equal, and engines take any.
            for weight in detector.rpn_head.rpn_cls.parameters():
                weight.mul_(0.25)
    detector.cfg = cfg
    detector.CLASSES = get_classes("coco")
    return detector.eval()


def _shrunk(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _shrunk(each, name) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_shrunk(each, key) for each in value]
    channels = key.endswith("channels") and isinstance(value, int)
    return _SMALLER.get(value, value) if channels else value
