"""Boxes as YOLO's cells see them: where in the cell the centre is, and the growth of the anchor.

Redmon and Farhadi, "YOLOv3: An Incremental Improvement", 2018.
"""

from __future__ import annotations

import torch
from torch import Tensor

from detcore.boxes.coders.base import BaseBBoxCoder
from detcore.boxes.coders.delta import check_pairs
from detcore.registries import BBOX_CODERS


@BBOX_CODERS.register_module()
class YOLOBBoxCoder(BaseBBoxCoder):
    """Centre within the cell, in cells, and logarithm of the growth.

    Args:
        eps: least growth, and least distance of an encoded centre from the cell's edge.
    """

    def __init__(self, eps: float = 1e-6) -> None:
        self.eps = eps

    def encode(self, bboxes: Tensor, gt_bboxes: Tensor, stride: Tensor | float) -> Tensor:
        """(n, 4) x y (0 to 1 in the cell) w h from (n, 4) anchors to (n, 4) boxes.

        ``stride`` is the size of a cell in pixels: one number, (n,) or (n, 1).
        """
        check_pairs(self, bboxes, gt_bboxes)
        cell = _cell(stride)
        centre = (bboxes[..., :2] + bboxes[..., 2:]) * 0.5
        target_centre = (gt_bboxes[..., :2] + gt_bboxes[..., 2:]) * 0.5
        growth = (gt_bboxes[..., 2:] - gt_bboxes[..., :2]) / (bboxes[..., 2:] - bboxes[..., :2])
        place = ((target_centre - centre) / cell + 0.5).clamp(self.eps, 1 - self.eps)
        return torch.cat([place, growth.clamp(min=self.eps).log()], dim=-1)

    def decode(self, bboxes: Tensor, pred_bboxes: Tensor, stride: Tensor | float) -> Tensor:
        """(..., 4) boxes from (..., 4) anchors and x y (after the sigmoid) w h."""
        check_pairs(self, bboxes, pred_bboxes)
        cell = _cell(stride)
        centre = (bboxes[..., :2] + bboxes[..., 2:]) * 0.5 + (pred_bboxes[..., :2] - 0.5) * cell
        half = (bboxes[..., 2:] - bboxes[..., :2]) * 0.5 * pred_bboxes[..., 2:].exp()
        return torch.cat([centre - half, centre + half], dim=-1)


def _cell(stride: Tensor | float) -> Tensor | float:
    """The stride so that it broadcasts over x and y."""
    if isinstance(stride, Tensor) and stride.dim() and stride.size(-1) != 1:
        return stride.unsqueeze(-1)
    return stride
