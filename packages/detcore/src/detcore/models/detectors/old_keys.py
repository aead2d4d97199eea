"""Weights of MMDetection 1 and of early versions of 2, with today's keys and order of classes.

Up to version 1 a two-stage detector's heads stood beside its backbone, not in ``roi_head``, and
class 0 was the background; since 2.0 it is the last. Up to 2.13 SSD's further layers were part of
its backbone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from cvcore.log import get_logger

_ROI_PARTS = re.compile(
    r"(?:shared_head|bbox_head|mask_head|mask_iou_head|grid_head|semantic_head"
    r"|(?:bbox|mask|grid|semantic)_roi_extractor)\."
)
_SCORES = re.compile(r"roi_head\.bbox_head\.(?:\d+\.)?fc_cls\.(?:weight|bias)")
_DELTAS = re.compile(r"roi_head\.bbox_head\.(?:\d+\.)?fc_reg\.(?:weight|bias)")
_MASKS = re.compile(r"roi_head\.mask_head\.(?:\d+\.)?conv_logits\.(?:weight|bias)")
_SSD_LAYER = re.compile(r"backbone\.extra\.(\d+)\.")
_SSD_PREDICTION = re.compile(r"bbox_head\.(cls|reg)_convs\.(\d+)\.(weight|bias)")
# A convolution's offsets were a sibling of it, named after it, before they moved inside.
_OFFSETS = re.compile(r"(.*\.conv\d+)_offset\.(weight|bias)")


def upgrade_weights(weights: dict[str, Any], version: str = "") -> list[str]:
    """Give old weights today's keys and order of classes, in place.

    Args:
        weights: A detector's state dict.
        version: Of the MMDetection that wrote them, where known; an SSD of version 1 cannot be
            told from one of version 2 by its keys.

    Returns:
        One sentence for each kind of change; empty where the weights are of today.
    """
    notes = _upgrade_roi_heads(weights)
    notes += _upgrade_ssd(weights, classes_shift=version.startswith(("0.", "1.")))
    offsets = [match for match in map(_OFFSETS.fullmatch, weights) if match is not None]
    for match in offsets:
        weights[f"{match[1]}.conv_offset.{match[2]}"] = weights.pop(match[0])
    if offsets:
        notes.append(f"{len(offsets)} weights of offsets went into their convolutions")
    return notes


def _upgrade_roi_heads(weights: dict[str, Any]) -> list[str]:
    # DETR's head has a layer of the same name, and is of a time after version 1.
    if any(key.startswith(("roi_head.", "bbox_head.transformer.")) for key in weights):
        return []
    old = [key for key in weights if _ROI_PARTS.match(key)]
    if not any(_SCORES.fullmatch(f"roi_head.{key}") for key in old):
        return []  # the bbox_head of a detector without regions
    for key in old:
        weights[f"roi_head.{key}"] = weights.pop(key)
    scores = [key for key in weights if _SCORES.fullmatch(key)]
    classes = len(weights[scores[0]]) - 1
    for key in scores:
        weights[key] = weights[key].roll(-1, dims=0)
    for key, value in list(weights.items()):
        # Class-agnostic heads have rows that stand for no class.
        if _DELTAS.fullmatch(key) and len(value) == 4 * (classes + 1):
            weights[key] = value[4:]
        elif _MASKS.fullmatch(key) and len(value) == classes + 1:
            weights[key] = value[1:]
    return [
        f"{len(old)} weights of MMDetection 1 went into roi_head; the background, its class 0, "
        "is the last class now"
    ]


def _upgrade_ssd(weights: dict[str, Any], classes_shift: bool) -> list[str]:
    if "backbone.extra.0.weight" not in weights:
        return []
    for key in list(weights):
        layer = _SSD_LAYER.match(key)
        prediction = _SSD_PREDICTION.fullmatch(key)
        if layer is not None:
            index, leaf = int(layer[1]), key[layer.end() :]
            renamed = f"neck.extra_layers.{index // 2}.{index % 2}.conv.{leaf}"
        elif key == "backbone.l2_norm.weight":
            renamed = "neck.l2_norm.weight"
        elif prediction is not None:
            renamed = f"bbox_head.{prediction[1]}_convs.{prediction[2]}.0.{prediction[3]}"
        else:
            continue
        weights[renamed] = weights.pop(key)
    notes = ["SSD's further layers went from the backbone into the neck"]
    if classes_shift:
        _shift_ssd_classes(weights)
        notes.append("the background, class 0 of MMDetection 1, is the last class now")
    return notes


def _shift_ssd_classes(weights: dict[str, Any]) -> None:
    """Every anchor has a row a class."""
    for key, value in list(weights.items()):
        if re.fullmatch(r"bbox_head\.cls_convs\.\d+\.0\.(?:weight|bias)", key):
            anchors = len(weights[re.sub(r"cls_convs", "reg_convs", key)]) // 4
            weights[key] = value.unflatten(0, (anchors, -1)).roll(-1, dims=1).flatten(0, 1)


def prepare_loading(module: nn.Module, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
    """Before weights go into a detector: upgrade old ones, and name heads of other classes.

    A hook of ``nn.Module``; ``state_dict`` is changed in place.
    """
    logger = get_logger("detcore")
    own = {key[len(prefix) :]: value for key, value in state_dict.items() if key.startswith(prefix)}
    notes = upgrade_weights(own)
    if notes:
        for key in [key for key in state_dict if key.startswith(prefix)]:
            del state_dict[key]
        state_dict.update({f"{prefix}{key}": value for key, value in own.items()})
        logger.info("old weights were brought up to date: %s", "; ".join(notes))
    others = layers_of_other_classes(module, own)
    if others:
        logger.warning(
            "re-initialised, for the checkpoint was trained on other classes: %s",
            ", ".join(
                f"{name} ({there} outputs there, {here} here)" for name, there, here in others
            ),
        )


def layers_of_other_classes(
    module: nn.Module, weights: Mapping[str, Tensor]
) -> list[tuple[str, int, int]]:
    """Layers of heads whose number of outputs differs because the number of classes does.

    Returns:
        The name of each, and how many outputs it has in ``weights`` and in ``module``.
    """
    classes = {
        name: part.num_classes
        for name, part in module.named_modules()
        if isinstance(vars(part).get("num_classes"), int)
        and not getattr(part, "class_agnostic", False)
    }
    found = []
    for key, own in module.state_dict().items():
        layer, _, leaf = key.rpartition(".")
        head = next((name for name in classes if layer.startswith(f"{name}.")), None)
        given = weights.get(key)
        # Vectors are skipped: a bias says no more than its weight, norms know no classes.
        if head is None or leaf != "weight" or own.dim() < 2 or not isinstance(given, Tensor):
            continue
        if given.shape[1:] != own.shape[1:] or len(given) == len(own):
            continue
        if _rows_stand_for_classes(len(given), len(own), classes[head]):
            found.append((layer, len(given), len(own)))
    return found


def _rows_stand_for_classes(there: int, here: int, classes: int) -> bool:
    """Whether ``here`` is so many rows a class, the background perhaps one, and ``there`` too."""
    for background in (0, 1):
        each, rest = divmod(here, classes + background)
        if rest == 0 and there % each == 0 and there // each > background:
            return True
    return False
