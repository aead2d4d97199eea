"""Boxes as the distances from a point to the four sides.

Tian et al., "FCOS: Fully Convolutional One-Stage Object Detection", 2019.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from detcore.boxes.coders.base import BaseBBoxCoder
from detcore.boxes.convert import clip_boxes
from detcore.errors import ShapeError
from detcore.registries import BBOX_CODERS


def encode_distances(
    points: Tensor, boxes: Tensor, max_dis: float | None = None, eps: float = 0.1
) -> Tensor:
    """(..., 4) left top right bottom from (..., 2) points to (..., 4) boxes.

    With ``max_dis``, distances are kept within 0 and ``max_dis - eps``.
    """
    points = points[..., :2]
    distances = torch.cat([points - boxes[..., :2], boxes[..., 2:] - points], -1)
    return distances if max_dis is None else distances.clamp(min=0, max=max_dis - eps)


def decode_distances(points: Tensor, distance: Tensor, max_shape: Any = None) -> Tensor:
    """(..., 4) boxes from (..., 2) points and (..., 4) left top right bottom.

    ``max_shape`` is the (height, width) to clip to; for a batch also one row per image.
    """
    points = points[..., :2]
    boxes = torch.cat([points - distance[..., :2], points + distance[..., 2:4]], dim=-1)
    return boxes if max_shape is None else clip_boxes(boxes, max_shape)


@BBOX_CODERS.register_module()
class DistancePointBBoxCoder(BaseBBoxCoder):
    """Distances from a point to the four sides, in pixels.

    Args:
        clip_border: clip decoded boxes to the image, where its shape is given.
    """

    def __init__(self, clip_border: bool = True) -> None:
        self.clip_border = clip_border

    def encode(
        self,
        points: Tensor,
        gt_bboxes: Tensor,
        max_dis: float | None = None,
        eps: float = 0.1,
    ) -> Tensor:
        """(n, 4) left top right bottom from (n, 2) points to (n, 4) boxes."""
        self._check(points, gt_bboxes)
        return encode_distances(points, gt_bboxes, max_dis, eps)

    def decode(self, points: Tensor, pred_bboxes: Tensor, max_shape: Any = None) -> Tensor:
        """(..., 4) boxes from (..., 2) points and (..., 4) distances."""
        self._check(points, pred_bboxes)
        return decode_distances(points, pred_bboxes, max_shape if self.clip_border else None)

    def _check(self, points: Tensor, boxes: Tensor) -> None:
        rows_match = points.shape[-2:-1] == boxes.shape[-2:-1]
        if not rows_match or points.size(-1) != 2 or boxes.size(-1) != 4:
            raise ShapeError(
                f"{type(self).__name__}: points {tuple(points.shape)} and boxes "
                f"{tuple(boxes.shape)} do not pair; give (..., n, 2) and (..., n, 4)"
            )
