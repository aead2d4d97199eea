"""Boxes as top, bottom, left and right of a prior's centre.

Zhu et al., "Feature Selective Anchor-Free Module for Single-Shot Object Detection", 2019.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from detcore.boxes.coders.base import BaseBBoxCoder
from detcore.boxes.coders.delta import check_pairs
from detcore.boxes.convert import clip_boxes
from detcore.registries import BBOX_CODERS


def _side_sizes(priors: Tensor) -> Tensor:
    """(..., 4): the prior's height for top and bottom, its width for left and right."""
    width, height = (priors[..., 2:] - priors[..., :2]).unbind(-1)
    return torch.stack([height, height, width, width], dim=-1)


def encode_tblr(
    priors: Tensor,
    boxes: Tensor,
    normalizer: float | Sequence[float] = 4.0,
    normalize_by_wh: bool = True,
) -> Tensor:
    """(..., 4) top bottom left right from (..., 4) priors to (..., 4) boxes, normalised."""
    priors, boxes = priors.float(), boxes.float()
    x, y = ((priors[..., :2] + priors[..., 2:]) / 2).unbind(-1)
    left, top, right, bottom = boxes.unbind(-1)
    sides = torch.stack([y - top, bottom - y, x - left, right - x], dim=-1)
    if normalize_by_wh:
        sides = sides / _side_sizes(priors)
    return sides / sides.new_tensor(normalizer)


def decode_tblr(
    priors: Tensor,
    tblr: Tensor,
    normalizer: float | Sequence[float] = 4.0,
    normalize_by_wh: bool = True,
    max_shape: Any = None,
    clip_border: bool = True,
) -> Tensor:
    """(..., 4) boxes from (..., 4) priors and normalised top bottom left right."""
    sides = tblr * tblr.new_tensor(normalizer)
    if normalize_by_wh:
        sides = sides * _side_sizes(priors)
    x, y = ((priors[..., :2] + priors[..., 2:]) / 2).unbind(-1)
    top, bottom, left, right = sides.unbind(-1)
    boxes = torch.stack([x - left, y - top, x + right, y + bottom], dim=-1)
    return clip_boxes(boxes, max_shape) if clip_border and max_shape is not None else boxes


@BBOX_CODERS.register_module()
class TBLRBBoxCoder(BaseBBoxCoder):
    """Distances from a prior's centre to the four sides, over the prior's size.

    Args:
        normalizer: what targets are divided by; one number, or four for top bottom left right.
        clip_border: clip decoded boxes to the image, where its shape is given.
    """

    def __init__(self, normalizer: float | Sequence[float] = 4.0, clip_border: bool = True) -> None:
        self.normalizer = normalizer
        self.clip_border = clip_border

    def encode(self, bboxes: Tensor, gt_bboxes: Tensor) -> Tensor:
        """(n, 4) top bottom left right from (n, 4) priors to (n, 4) boxes."""
        check_pairs(self, bboxes, gt_bboxes)
        return encode_tblr(bboxes, gt_bboxes, self.normalizer)

    def decode(self, bboxes: Tensor, pred_bboxes: Tensor, max_shape: Any = None) -> Tensor:
        """(..., 4) boxes from (..., 4) priors and what was regressed."""
        check_pairs(self, bboxes, pred_bboxes)
        return decode_tblr(
            bboxes,
            pred_bboxes,
            self.normalizer,
            max_shape=max_shape,
            clip_border=self.clip_border,
        )
