"""Steps as operators of their own, so that each engine can do them in its own way.

They decide who is first among equals: scores that saturate are equal in their hundreds, and which
of them stay decides about the rest.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, library

from cvcore.ops import nms

NOTHING = -1.0  # the score of what stands in a place that is not used
_WITHOUT_LIMIT = 2**31 - 1
_USED = -0.5  # scores of what is there are above it


@library.custom_op("detcore::survives", mutates_args=())
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


@library.custom_op("detcore::first", mutates_args=())
def first(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The ``count`` highest of each row, best first; equals in the order that the model has them.

    Args:
        scores: (N, K) float32, K of at least ``count``.
        count: how many.

    Returns:
        (N, count) scores and (N, count) int64 places.
    """
    values = scores.new_full((scores.shape[0], count), NOTHING)
    places = torch.zeros_like(values, dtype=torch.long)
    for row, of_values, of_places in zip(scores, values, places, strict=True):
        used = (row > _USED).nonzero().squeeze(1)  # few of the scores of a whole pyramid
        best, order = row[used].sort(descending=True)  # as the model, whose order is torch's
        of_values[: len(used)] = best[:count]
        of_places[: len(used)] = used[order[:count]]
    return values, places


@first.register_fake
def _(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    values = scores.new_empty((scores.shape[0], count))
    return values, torch.empty_like(values, dtype=torch.long)


def onnx_translations() -> dict[Any, Any]:
    """What torch's exporter has to know: the operators in terms of ONNX's."""
    from onnxscript import opset18

    op: Any = opset18  # its signatures tell tensors by their contents, which are not known here

    def survivors(boxes: Any, scores: Any, iou_threshold: float) -> Any:
        picked = op.NonMaxSuppression(
            boxes,
            op.Unsqueeze(scores, op.Constant(value_ints=[1])),
            op.Constant(value_ints=[_WITHOUT_LIMIT]),
            op.Constant(value_floats=[iou_threshold]),
            op.Constant(value_floats=[_USED]),
        )  # (M, 3): image, class (there is one), place
        places = op.Gather(picked, op.Constant(value_ints=[0, 2]), axis=1)
        ones = op.Expand(op.Constant(value_float=1.0), op.Shape(places, start=0, end=1))
        marked = op.ScatterND(op.Mul(scores, op.Constant(value_float=0.0)), places, ones)
        return op.Greater(marked, op.Constant(value_float=0.5))

    def highest(scores: Any, count: int) -> Any:
        # Of equals ONNX takes the first, torch's sort any: they are all that may differ.
        return op.TopK(scores, op.Constant(value_ints=[count]), axis=1)

    def sigmoid(logits: Any) -> Any:
        # Engines approximate theirs, so that near 1 another order comes out than here.
        one = op.Constant(value_float=1.0)
        return op.Div(one, op.Add(one, op.Exp(op.Neg(logits))))

    return {
        torch.ops.detcore.survives.default: survivors,
        torch.ops.detcore.first.default: highest,
        torch.ops.aten.sigmoid.default: sigmoid,
    }
