"""Overlap of boxes: intersection over union, over foreground, and generalised.

GIoU: Rezatofighi et al., "Generalized Intersection over Union", 2019.
"""

from __future__ import annotations

import torch
from torch import Tensor

from detcore.errors import ShapeError, check_option
from detcore.registries import IOU_CALCULATORS

_MODES = ("iou", "iof", "giou")


def bbox_overlaps(
    bboxes1: Tensor,
    bboxes2: Tensor,
    mode: str = "iou",
    is_aligned: bool = False,
    eps: float = 1e-6,
) -> Tensor:
    """Overlap of every box of the first set with every box of the second, or pair by pair.

    Args:
        bboxes1: (..., m, 4) x1 y1 x2 y2.
        bboxes2: (..., n, 4), with the same leading dimensions; n = m where ``is_aligned``.
        mode: ``iou``, ``giou``, or ``iof``: the intersection over the area of the first box.
        is_aligned: compare box i with box i only.
        eps: least union and least enclosing area, against division by nothing.

    Returns:
        (..., m, n), or (..., m) where ``is_aligned``.
    """
    check_option("bbox_overlaps", "mode", mode, _MODES)
    _check_shapes(bboxes1, bboxes2, is_aligned)
    if not is_aligned:
        bboxes1, bboxes2 = bboxes1.unsqueeze(-2), bboxes2.unsqueeze(-3)
    left1, top1, right1, bottom1 = _coordinates(bboxes1)
    left2, top2, right2, bottom2 = _coordinates(bboxes2)
    area1 = (right1 - left1) * (bottom1 - top1)
    width = (torch.minimum(right1, right2) - torch.maximum(left1, left2)).clamp_(min=0)
    height = (torch.minimum(bottom1, bottom2) - torch.maximum(top1, top2)).clamp_(min=0)
    overlap = width * height
    if mode == "iof":
        return overlap / area1.clamp(min=eps)
    union = (area1 + (right2 - left2) * (bottom2 - top2) - overlap).clamp_(min=eps)
    overlap = overlap / union
    if mode == "iou":
        return overlap
    width = (torch.maximum(right1, right2) - torch.minimum(left1, left2)).clamp_(min=0)
    height = (torch.maximum(bottom1, bottom2) - torch.minimum(top1, top2)).clamp_(min=0)
    enclosing = (width * height).clamp_(min=eps)
    return overlap - (enclosing - union) / enclosing


def _coordinates(boxes: Tensor) -> tuple[Tensor, ...]:
    """The four coordinates, each dense in memory: comparing them then runs ten times as fast."""
    return boxes.movedim(-1, 0).contiguous().unbind(0)


def _check_shapes(bboxes1: Tensor, bboxes2: Tensor, is_aligned: bool) -> None:
    fits = (
        bboxes1.size(-1) == 4
        and bboxes2.size(-1) == 4
        and bboxes1.shape[:-2] == bboxes2.shape[:-2]
        and (not is_aligned or bboxes1.size(-2) == bboxes2.size(-2))
    )
    if not fits:
        pairs = "as many boxes in both" if is_aligned else "any number of boxes in each"
        raise ShapeError(
            f"bbox_overlaps: boxes of {tuple(bboxes1.shape)} and {tuple(bboxes2.shape)} do not "
            f"compare; give (..., m, 4) and (..., n, 4) with equal leading dimensions and {pairs}"
        )


@IOU_CALCULATORS.register_module()
class BboxOverlaps2D:
    """``bbox_overlaps`` as a part of an assigner.

    Args:
        scale: what boxes are divided by before they become float16, so that areas stay in range.
        dtype: ``"fp16"`` computes in half precision, which halves the memory of large sets.
    """

    def __init__(self, scale: float = 1.0, dtype: str | None = None) -> None:
        self.scale = scale
        self.dtype = dtype

    def __call__(
        self, bboxes1: Tensor, bboxes2: Tensor, mode: str = "iou", is_aligned: bool = False
    ) -> Tensor:
        """Overlap of (m, 4) or (m, 5) boxes with (n, 4) or (n, 5); a fifth column is a score.

        Returns:
            (m, n), or (m,) where ``is_aligned``.
        """
        bboxes1, bboxes2 = (self._prepare(boxes) for boxes in (bboxes1, bboxes2))
        overlaps = bbox_overlaps(bboxes1, bboxes2, mode, is_aligned)
        if self.dtype == "fp16" and not overlaps.is_cuda:
            return overlaps.float()
        return overlaps

    def _prepare(self, boxes: Tensor) -> Tensor:
        boxes = boxes.reshape(-1, 4) if boxes.dim() < 2 else boxes[..., :4]
        return (boxes / self.scale).half() if self.dtype == "fp16" else boxes

    def __repr__(self) -> str:
        return f"{type(self).__name__}(scale={self.scale}, dtype={self.dtype})"
