"""Weights of detectron2's ``.pkl`` files: ImageNet backbones and R-CNN detectors with a pyramid.

The oldest are Caffe2 blobs of MSRA's ResNets, whose batch norms were folded into a scale and a
bias. Their images are BGR with the mean taken off and no scaling, and their bottlenecks stride in
the first convolution: ``style='caffe'``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cvcore.errors import CheckpointError
from detcore.compat.checkpoints.converted import Converted

OUR_EPS = 1e-5

_BLOB = re.compile(r"res(\d)_(\d+)_branch(1|2a|2b|2c)_(w|bn_[sb])")
_BRANCHES = {"2a": "1", "2b": "2", "2c": "3"}
_LEAVES = {"w": "weight", "bn_s": "weight", "bn_b": "bias"}
_STEM_BLOBS = {
    "conv1_w": "conv1.weight",
    "res_conv1_bn_s": "bn1.weight",
    "res_conv1_bn_b": "bn1.bias",
}

_Rename = tuple[str, str | Callable[[re.Match[str]], str]]
# What stands before a backbone's layers inside a detector.
_INSIDE = re.compile(r"^backbone\.(?:bottom_up\.)?(?=stem\.|res\d\.)")
_BODY: tuple[_Rename, ...] = (
    (r"stem\.conv1\.norm\.", "bn1."),
    (r"stem\.conv1\.", "conv1."),
    (
        r"res(\d)\.(\d+)\.conv(\d)\.norm\.",
        lambda m: f"layer{int(m[1]) - 1}.{m[2]}.bn{m[3]}.",
    ),
    (r"res(\d)\.(\d+)\.conv(\d)\.", lambda m: f"layer{int(m[1]) - 1}.{m[2]}.conv{m[3]}."),
    (
        r"res(\d)\.(\d+)\.shortcut\.norm\.",
        lambda m: f"layer{int(m[1]) - 1}.{m[2]}.downsample.1.",
    ),
    (r"res(\d)\.(\d+)\.shortcut\.", lambda m: f"layer{int(m[1]) - 1}.{m[2]}.downsample.0."),
)
_HEADS: tuple[_Rename, ...] = (
    (r"backbone\.fpn_lateral(\d)\.", lambda m: f"neck.lateral_convs.{int(m[1]) - 2}.conv."),
    (r"backbone\.fpn_output(\d)\.", lambda m: f"neck.fpn_convs.{int(m[1]) - 2}.conv."),
    (r"proposal_generator\.rpn_head\.conv\.", "rpn_head.rpn_conv."),
    (r"proposal_generator\.rpn_head\.objectness_logits\.", "rpn_head.rpn_cls."),
    (r"proposal_generator\.rpn_head\.anchor_deltas\.", "rpn_head.rpn_reg."),
    (r"roi_heads\.box_head\.fc(\d)\.", lambda m: f"roi_head.bbox_head.shared_fcs.{int(m[1]) - 1}."),
    (r"roi_heads\.box_predictor\.cls_score\.", "roi_head.bbox_head.fc_cls."),
    (r"roi_heads\.box_predictor\.bbox_pred\.", "roi_head.bbox_head.fc_reg."),
    (
        r"roi_heads\.mask_head\.mask_fcn(\d)\.",
        lambda m: f"roi_head.mask_head.convs.{int(m[1]) - 1}.conv.",
    ),
    (r"roi_heads\.mask_head\.deconv\.", "roi_head.mask_head.upsample."),
    (r"roi_heads\.mask_head\.predictor\.", "roi_head.mask_head.conv_logits."),
)
# Constants that the model makes itself, and classifiers.
_NOT_NEEDED = re.compile(r"pixel_(?:mean|std)|.*anchor_generator\..*|(?:fc1000|pred|linear)[_.].*")


def convert_detectron2(content: Mapping[str, Any]) -> Converted:
    """Turn what a detectron2 ``.pkl`` holds into weights of detcore's ResNet, or whole detector.

    Args:
        content: The pickle's dict, with ``model`` or the blobs themselves.

    Raises:
        CheckpointError: A weight has no counterpart.
    """
    blobs = content.get("model", content.get("blobs", content))
    if any(key.startswith("roi_heads.res5.") for key in blobs):
        raise CheckpointError(
            "detectron2's C4 detectors order their anchors otherwise and are not converted; take "
            "one with a feature pyramid (FPN), or the backbone alone"
        )
    detector = any(key.startswith("proposal_generator.") for key in blobs)
    renamed: dict[str, Tensor] = {}
    left_out = []
    for key, value in blobs.items():
        if _NOT_NEEDED.fullmatch(key) or key.endswith("_momentum"):
            left_out.append(key)
            continue
        body = _body_key(key)
        in_body = f"{'backbone.' if detector else ''}{body}"
        renamed[_head_key(key) if body is None else in_body] = torch.from_numpy(np.array(value))
    notes = _complete_norms(renamed)
    notes.append("its images are BGR, the mean taken off, not scaled; style='caffe'")
    source = "detectron2's R-CNN" if detector else "a ResNet of detectron2"
    return Converted(source, renamed, notes, left_out)


def _body_key(key: str) -> str | None:
    if key in _STEM_BLOBS:
        return _STEM_BLOBS[key]
    blob = _BLOB.fullmatch(key)
    if blob is not None:
        block, leaf = f"layer{int(blob[1]) - 1}.{blob[2]}", _LEAVES[blob[4]]
        is_norm = blob[4] != "w"
        if blob[3] == "1":
            return f"{block}.downsample.{int(is_norm)}.{leaf}"
        return f"{block}.{'bn' if is_norm else 'conv'}{_BRANCHES[blob[3]]}.{leaf}"
    return _renamed(_INSIDE.sub("", key), _BODY)


def _head_key(key: str) -> str:
    name = _renamed(key, _HEADS)
    if name is None:
        raise CheckpointError(
            f"detectron2's weight {key!r} has no counterpart; ResNets, and Faster and Mask R-CNN "
            "with a feature pyramid convert"
        )
    return name


def _renamed(key: str, table: Sequence[_Rename]) -> str | None:
    for pattern, replacement in table:
        renamed, count = re.subn(f"^{pattern}", replacement, key)
        if count:
            return renamed
    return None


def _complete_norms(weights: dict[str, Tensor]) -> list[str]:
    """Give norms that are only a scale and a bias the statistics that change nothing, in place."""
    folded = [
        key.removesuffix("bias")
        for key in weights
        if re.search(r"(?:^|\.)(?:bn\d|downsample\.1)\.bias$", key)
        and key.replace("bias", "running_mean") not in weights
    ]
    for norm in folded:
        weights[f"{norm}running_mean"] = torch.zeros_like(weights[f"{norm}bias"])
        weights[f"{norm}running_var"] = torch.full_like(weights[f"{norm}bias"], 1 - OUR_EPS)
    if not folded:
        return []
    return [f"{len(folded)} norms were a scale and a bias; their statistics are neutral"]
