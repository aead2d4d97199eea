"""Overlap of boxes."""

from __future__ import annotations

import torch
from torch import Tensor

from cvcore.errors import ConfigError


def bbox_overlaps(
    bboxes1: Tensor,
    bboxes2: Tensor,
    mode: str = "iou",
    aligned: bool = False,
    offset: int = 0,
) -> Tensor:
    """Intersection over union, or over the first box's area.

    Args:
        bboxes1: (m, 4) x1 y1 x2 y2 in pixels.
        bboxes2: (n, 4) likewise; m of them when aligned.
        mode: ``'iou'``, or ``'iof'`` (over the area of ``bboxes1``).
        aligned: Pair row with row.
        offset: 0, or 1 where a box's width is ``x2 - x1 + 1``.

    Returns:
        (m, n), or (m,) when aligned; 0 where both boxes are empty.
    """
    if mode not in ("iou", "iof"):
        raise ConfigError(f"bbox_overlaps: mode is 'iou' or 'iof', not {mode!r}")
    if offset not in (0, 1):
        raise ConfigError(f"bbox_overlaps: offset is 0 or 1, not {offset!r}")
    if aligned and len(bboxes1) != len(bboxes2):
        raise ConfigError(
            f"bbox_overlaps: aligned boxes come in equal numbers, not {len(bboxes1)} and "
            f"{len(bboxes2)}"
        )
    first = bboxes1 if aligned else bboxes1[:, None]
    corner = torch.maximum(first[..., :2], bboxes2[..., :2])
    opposite = torch.minimum(first[..., 2:], bboxes2[..., 2:])
    intersection = (opposite - corner + offset).clamp(min=0).prod(dim=-1)
    base = (first[..., 2:] - first[..., :2] + offset).prod(dim=-1)
    if mode == "iou":
        base = base + (bboxes2[..., 2:] - bboxes2[..., :2] + offset).prod(dim=-1) - intersection
    return torch.where(base > 0, intersection / base, torch.zeros_like(intersection))
