"""Suppression as one operator, so that exporters can put their own in its place."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from cvcore.ops import nms

NOTHING = -1.0  # the score of what stands in a place that is not used
_WITHOUT_LIMIT = 2**31 - 1
_USED = -0.5  # scores of what is there are above it


@torch.library.custom_op("detcore::survives", mutates_args=())
def survives(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Which boxes of a batch no better box of their image covers.

    Args:
        boxes: (N, K, 4) float32 xyxy.
        scores: (N, K) float32; below 0 in places that are not used.
        iou_threshold: a box goes when its overlap with a better one is above it.

    Returns:
        (N, K) bool; False in places that are not used.
    """
    survivors = torch.zeros_like(scores, dtype=torch.bool)
    for of_image, image_boxes, image_scores in zip(survivors, boxes, scores, strict=True):
        used = (image_scores > _USED).nonzero().squeeze(1)
        _, keep = nms(image_boxes[used], image_scores[used], iou_threshold)
        of_image[used[keep]] = True
    return survivors


@survives.register_fake
def _(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    return torch.empty_like(scores, dtype=torch.bool)


def onnx_translations() -> dict[Any, Any]:
    """What torch's exporter has to know: the operator in terms of ONNX's."""
    from onnxscript import opset18 as op

    def translated(boxes: Any, scores: Any, iou_threshold: float) -> Any:
        picked = op.NonMaxSuppression(
            boxes,
            op.Unsqueeze(scores, op.Constant(value_ints=[1])),
            op.Constant(value_ints=[_WITHOUT_LIMIT]),
            op.Constant(value_floats=[iou_threshold]),
            op.Constant(value_floats=[_USED]),
        )  # (M, 3): image, class (there is one), place
        places = op.Gather(picked, op.Constant(value_ints=[0, 2]), axis=1)
        count = op.Shape(places, start=0, end=1)
        ones = op.Expand(op.Constant(value_float=1.0), count)
        zeros = op.Mul(scores, op.Constant(value_float=0.0))
        marked = op.ScatterND(zeros, places, ones)
        return op.Greater(marked, op.Constant(value_float=0.5))

    return {torch.ops.detcore.survives.default: translated}
