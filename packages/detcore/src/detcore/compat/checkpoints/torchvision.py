"""Weights of torchvision: its detectors with ResNet and FPN, and its ImageNet backbones.

The layers are the same; their names differ, and torchvision counts the background as class 0 where
detcore has it last or, behind a sigmoid, not at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from cvcore.errors import CheckpointError
from detcore.compat.checkpoints.converted import Converted

# torchvision's COCO weights have a row for each of the 90 category ids; ten ids name nothing.
UNUSED_COCO_IDS = frozenset({12, 26, 29, 30, 45, 66, 68, 69, 71, 83})
COCO_ROWS = 91
OUR_EPS = 1e-5

# From torchvision 0.13 on convolutions stand inside blocks, "0." before their norm, "1."; the
# spelling of before is read too.
_SHARED = (
    (r"backbone\.body\.", "backbone."),
    (r"backbone\.fpn\.inner_blocks\.(\d+)\.1\.", r"neck.lateral_convs.\1.bn."),
    (r"backbone\.fpn\.layer_blocks\.(\d+)\.1\.", r"neck.fpn_convs.\1.bn."),
    (r"backbone\.fpn\.inner_blocks\.(\d+)\.(?:0\.)?", r"neck.lateral_convs.\1.conv."),
    (r"backbone\.fpn\.layer_blocks\.(\d+)\.(?:0\.)?", r"neck.fpn_convs.\1.conv."),
    (r"backbone\.fpn\.extra_blocks\.p6\.", "neck.fpn_convs.3.conv."),
    (r"backbone\.fpn\.extra_blocks\.p7\.", "neck.fpn_convs.4.conv."),
)
_RCNN = (
    (r"rpn\.head\.conv\.(?=weight|bias)", "rpn_head.rpn_conv."),
    (r"rpn\.head\.conv\.(\d+)\.0\.", r"rpn_head.rpn_conv.\1.conv."),
    (r"rpn\.head\.cls_logits\.", "rpn_head.rpn_cls."),
    (r"rpn\.head\.bbox_pred\.", "rpn_head.rpn_reg."),
    (r"roi_heads\.box_head\.fc6\.", "roi_head.bbox_head.shared_fcs.0."),
    (r"roi_heads\.box_head\.fc7\.", "roi_head.bbox_head.shared_fcs.1."),
    (r"roi_heads\.box_head\.(\d)\.0\.", r"roi_head.bbox_head.shared_convs.\1.conv."),
    (r"roi_heads\.box_head\.(\d)\.1\.", r"roi_head.bbox_head.shared_convs.\1.bn."),
    (r"roi_heads\.box_head\.5\.", "roi_head.bbox_head.shared_fcs.0."),
    (r"roi_heads\.box_predictor\.cls_score\.", "roi_head.bbox_head.fc_cls."),
    (r"roi_heads\.box_predictor\.bbox_pred\.", "roi_head.bbox_head.fc_reg."),
    (r"roi_heads\.mask_head\.(\d+)\.0\.", r"roi_head.mask_head.convs.\1.conv."),
    (r"roi_heads\.mask_head\.(\d+)\.1\.", r"roi_head.mask_head.convs.\1.bn."),
    (r"roi_heads\.mask_predictor\.conv5_mask\.", "roi_head.mask_head.upsample."),
    (r"roi_heads\.mask_predictor\.mask_fcn_logits\.", "roi_head.mask_head.conv_logits."),
)
_DENSE = (
    (r"head\.classification_head\.conv\.(\d+)\.0\.", r"bbox_head.cls_convs.\1.conv."),
    (r"head\.regression_head\.conv\.(\d+)\.0\.", r"bbox_head.reg_convs.\1.conv."),
    (r"head\.classification_head\.conv\.(\d+)\.1\.", r"bbox_head.cls_convs.\1.gn."),
    (r"head\.regression_head\.conv\.(\d+)\.1\.", r"bbox_head.reg_convs.\1.gn."),
)
_RETINANET = (
    *_DENSE,
    (r"head\.classification_head\.cls_logits\.", "bbox_head.retina_cls."),
    (r"head\.regression_head\.bbox_reg\.", "bbox_head.retina_reg."),
)
_FCOS = (
    (r"head\.classification_head\.cls_logits\.", "bbox_head.conv_cls."),
    (r"head\.regression_head\.bbox_reg\.", "bbox_head.conv_reg."),
    (r"head\.regression_head\.bbox_ctrness\.", "bbox_head.conv_centerness."),
)
_KINDS = {"rcnn": _RCNN, "retinanet": _RETINANET, "fcos": _FCOS}
_OLD_MASK_CONV = re.compile(r"roi_heads\.mask_head\.mask_fcn(\d+)\.")
_TOWER = re.compile(r"head\.(classification|regression)_head\.conv\.(\d+)\.(weight|bias)$")
_TOWER_NAMES = {"classification": "cls_convs", "regression": "reg_convs"}
_BATCH_NORM = re.compile(r"^backbone\.(?:.*\.)?(?:bn\d|downsample\.1)$")


def is_torchvision_detector(state_dict: Mapping[str, Tensor]) -> bool:
    """Whether the keys are those of a torchvision detector with a feature pyramid."""
    return any(key.startswith("backbone.fpn.inner_blocks.") for key in state_dict)


def is_torchvision_backbone(state_dict: Mapping[str, Tensor]) -> bool:
    """Whether the keys are those of a torchvision classifier of the ResNet family."""
    return "conv1.weight" in state_dict and any(key.startswith("layer4.") for key in state_dict)


def convert_torchvision_backbone(state_dict: Mapping[str, Tensor]) -> Converted:
    """Weights of a torchvision ResNet or ResNeXt: its keys are detcore's; the classifier goes."""
    kept = {key: value for key, value in state_dict.items() if not key.startswith("fc.")}
    return Converted(
        "a torchvision classifier of the ResNet family",
        kept,
        ["torchvision's ResNets have detcore's keys: they load as they are, without a conversion"],
        [key for key in state_dict if key.startswith("fc.")],
    )


def convert_torchvision_detector(
    state_dict: Mapping[str, Tensor],
    class_rows: Sequence[int] | None = None,
    batch_norm_eps: float = OUR_EPS,
) -> Converted:
    """Turn a torchvision Faster R-CNN, Mask R-CNN, RetinaNet or FCOS into detcore's.

    Args:
        state_dict: Weights of the ``resnet*_fpn`` and ``resnet*_fpn_v2`` forms of these, of any
            torchvision version.
        class_rows: Which of torchvision's classes become classes 0, 1, ...; by default all but the
            background, and of the 91 rows of COCO weights those of the 80 categories.
        batch_norm_eps: The epsilon that the source's batch norms use. torchvision sets it to 0 in
            its COCO_V1 weights of Faster R-CNN, Mask R-CNN and RetinaNet.

    Raises:
        CheckpointError: A key has no counterpart, as those of Keypoint R-CNN.
    """
    kind = _kind(state_dict)
    converted = {_rename(key, kind): value for key, value in state_dict.items()}
    if kind == "rcnn" and "rpn_head.rpn_conv.1.conv.weight" not in converted:
        for leaf in ("weight", "bias"):  # a convolution alone is not in a sequence
            if f"rpn_head.rpn_conv.0.conv.{leaf}" in converted:
                value = converted.pop(f"rpn_head.rpn_conv.0.conv.{leaf}")
                converted[f"rpn_head.rpn_conv.{leaf}"] = value
    rows = _class_rows(_number_of_classes(converted, kind), class_rows)
    _pick_classes(converted, kind, rows)
    notes = [f"{len(rows)} classes; the background, torchvision's class 0, is the last here"]
    if kind != "rcnn":
        notes = [f"{len(rows)} classes; torchvision's class 0, the background, is left out"]
    if kind == "fcos":
        # detcore multiplies each level's distances by a number that is learnt.
        converted.update({f"bbox_head.scales.{i}.scale": torch.tensor(1.0) for i in range(5)})
        notes.append("scores are squares of torchvision's, which takes their root")
    if batch_norm_eps != OUR_EPS:
        count = _fold_epsilon(converted, batch_norm_eps)
        notes.append(f"{count} batch norms rescaled from epsilon {batch_norm_eps:g} to {OUR_EPS:g}")
    return Converted(_name(kind, converted), converted, notes)


def _kind(state_dict: Mapping[str, Tensor]) -> str:
    if any(key.startswith("roi_heads.") for key in state_dict):
        return "rcnn"
    return "fcos" if "head.regression_head.bbox_ctrness.weight" in state_dict else "retinanet"


def _name(kind: str, converted: Mapping[str, Tensor]) -> str:
    if kind != "rcnn":
        return {"fcos": "torchvision's FCOS", "retinanet": "torchvision's RetinaNet"}[kind]
    masks = any(".mask_head." in key for key in converted)
    return f"torchvision's {'Mask' if masks else 'Faster'} R-CNN"


def _rename(key: str, kind: str) -> str:
    # Before 0.13, in steps of two (convolution, ReLU); FCOS in steps of three with its group norms.
    tower = _TOWER.match(key)
    if tower is not None:
        index, steps = int(tower[2]), 3 if kind == "fcos" else 2
        part = ("conv", "gn")[index % steps]
        branch = _TOWER_NAMES[tower[1]]
        return f"bbox_head.{branch}.{index // steps}.{part}.{tower[3]}"
    key = _OLD_MASK_CONV.sub(lambda found: f"roi_heads.mask_head.{int(found[1]) - 1}.0.", key)
    for pattern, replacement in (*_SHARED, *_KINDS[kind]):
        renamed, count = re.subn(f"^{pattern}", replacement, key)
        if count:
            return renamed
    raise CheckpointError(
        f"torchvision's weight {key!r} has no counterpart: the detectors that convert are "
        "fasterrcnn_resnet50_fpn, maskrcnn_resnet50_fpn, retinanet_resnet50_fpn, their v2 forms, "
        "fcos_resnet50_fpn, and those with another ResNet"
    )


def _number_of_classes(converted: Mapping[str, Tensor], kind: str) -> int:
    """Rows that torchvision has for classes, its background among them."""
    if kind == "rcnn":
        return len(converted["roi_head.bbox_head.fc_cls.bias"])
    if kind == "fcos":
        return len(converted["bbox_head.conv_cls.bias"])
    anchors = len(converted["bbox_head.retina_reg.bias"]) // 4
    return len(converted["bbox_head.retina_cls.bias"]) // anchors


def _class_rows(count: int, wanted: Sequence[int] | None) -> list[int]:
    if wanted is not None:
        wrong = [row for row in wanted if not 0 < row < count]
        if wrong:
            raise CheckpointError(
                f"class rows {wrong} do not exist: the weights have rows 1 to {count - 1} (row 0 "
                "is the background)"
            )
        return list(wanted)
    unused = UNUSED_COCO_IDS if count == COCO_ROWS else frozenset()
    return [row for row in range(1, count) if row not in unused]


def _pick_classes(converted: dict[str, Tensor], kind: str, rows: Sequence[int]) -> None:
    """Keep the rows of the classes wanted, in their order, in place."""
    index = torch.tensor(rows)
    with_background = torch.cat([index, index.new_zeros(1)])
    layers = {
        "rcnn": {
            "roi_head.bbox_head.fc_cls": (1, with_background),
            "roi_head.bbox_head.fc_reg": (4, index),
            "roi_head.mask_head.conv_logits": (1, index),
        },
        "fcos": {"bbox_head.conv_cls": (1, index)},
        "retinanet": {"bbox_head.retina_cls": (1, index)},
    }[kind]
    for layer, (each, picked) in layers.items():
        for leaf in ("weight", "bias"):
            key = f"{layer}.{leaf}"
            if key in converted:
                groups = len(converted["bbox_head.retina_reg.bias"]) // 4 if "retina" in key else 1
                converted[key] = _rows(converted[key], groups, each, picked)


def _rows(value: Tensor, groups: int, each: int, picked: Tensor) -> Tensor:
    """Rows of a weight that has ``groups`` times, for each class, ``each`` of them."""
    shaped = value.reshape(groups, -1, each, *value.shape[1:])
    return shaped[:, picked].flatten(0, 2)


def _fold_epsilon(converted: dict[str, Tensor], eps: float) -> int:
    """Change the scale of batch norms so that detcore's epsilon gives what ``eps`` gave."""
    layers = {key.rpartition(".")[0] for key in converted}
    norms = [layer for layer in layers if _BATCH_NORM.match(layer)]
    for layer in norms:
        variance = converted[f"{layer}.running_var"].double()
        factor = ((variance + OUR_EPS) / (variance + eps)).sqrt()
        weight = converted[f"{layer}.weight"]
        converted[f"{layer}.weight"] = (weight.double() * factor).to(weight.dtype)
    return len(norms)
