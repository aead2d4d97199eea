"""Boxes as shifts of a prior's centre and logarithms of its growth.

Girshick et al., "Rich feature hierarchies for accurate object detection", 2014; the clamp of the
shift is YOLOF's (Chen et al., "You Only Look One-level Feature", 2021).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from detcore.boxes.coders.base import BaseBBoxCoder
from detcore.boxes.convert import clip_boxes
from detcore.errors import ShapeError
from detcore.registries import BBOX_CODERS

_ZEROS = (0.0, 0.0, 0.0, 0.0)
_ONES = (1.0, 1.0, 1.0, 1.0)


def encode_deltas(
    priors: Tensor,
    boxes: Tensor,
    means: Sequence[float] = _ZEROS,
    stds: Sequence[float] = _ONES,
    size_offset: float = 0.0,
) -> Tensor:
    """(..., 4) dx dy dw dh, normalised, from (..., 4) priors to boxes.

    ``size_offset`` is 1 where a box of one pixel has equal corners.
    """
    priors, boxes = priors.float(), boxes.float()
    prior_size = priors[..., 2:] - priors[..., :2] + size_offset
    box_size = boxes[..., 2:] - boxes[..., :2] + size_offset
    prior_centre = (priors[..., :2] + priors[..., 2:]) * 0.5
    box_centre = (boxes[..., :2] + boxes[..., 2:]) * 0.5
    shift = (box_centre - prior_centre) / prior_size
    deltas = torch.cat([shift, torch.log(box_size / prior_size)], dim=-1)
    return (deltas - deltas.new_tensor(means)) / deltas.new_tensor(stds)


def decode_deltas(
    priors: Tensor,
    deltas: Tensor,
    means: Sequence[float] = _ZEROS,
    stds: Sequence[float] = _ONES,
    max_shape: Any = None,
    wh_ratio_clip: float = 16 / 1000,
    clip_border: bool = True,
    add_ctr_clamp: bool = False,
    ctr_clamp: float = 32,
) -> Tensor:
    """Boxes from priors and normalised deltas.

    Args:
        priors: (n, 4) or (batch, n, 4).
        deltas: (n, 4 * k) or (batch, n, 4 * k): k boxes a prior, as of k classes.
        means: subtracted by ``encode_deltas``, four numbers.
        stds: divided by in ``encode_deltas``, four numbers.
        max_shape: (height, width) of the image to clip to; for a batch also one row per image.
        wh_ratio_clip: a box grows or shrinks at most by this ratio.
        clip_border: whether to clip to ``max_shape``.
        add_ctr_clamp: limit the shift to ``ctr_clamp`` pixels, and leave shrinking free.
        ctr_clamp: pixels.

    Returns:
        Boxes in the shape of ``deltas``.
    """
    deltas_of = deltas.unflatten(-1, (-1, 4))
    deltas_of = deltas_of * deltas.new_tensor(stds) + deltas.new_tensor(means)
    centre = ((priors[..., :2] + priors[..., 2:]) * 0.5).unsqueeze(-2)
    size = (priors[..., 2:] - priors[..., :2]).unsqueeze(-2)
    shift = size * deltas_of[..., :2]
    growth = deltas_of[..., 2:]
    max_growth = abs(math.log(wh_ratio_clip))
    if add_ctr_clamp:
        shift = shift.clamp(-ctr_clamp, ctr_clamp)
        growth = growth.clamp(max=max_growth)
    else:
        growth = growth.clamp(-max_growth, max_growth)
    centre = centre + shift
    half = size * growth.exp() * 0.5
    boxes = torch.cat([centre - half, centre + half], dim=-1).reshape(deltas.shape)
    return clip_boxes(boxes, max_shape) if clip_border and max_shape is not None else boxes


@BBOX_CODERS.register_module()
class DeltaXYWHBBoxCoder(BaseBBoxCoder):
    """Shift of the centre over the prior's size, logarithm of the growth, normalised.

    Args:
        target_means: of dx dy dw dh over a training set.
        target_stds: of dx dy dw dh over a training set.
        clip_border: clip decoded boxes to the image, where its shape is given.
        add_ctr_clamp: limit the shift of the centre to ``ctr_clamp`` pixels.
        ctr_clamp: pixels.
    """

    def __init__(
        self,
        target_means: Sequence[float] = _ZEROS,
        target_stds: Sequence[float] = _ONES,
        clip_border: bool = True,
        add_ctr_clamp: bool = False,
        ctr_clamp: float = 32,
    ) -> None:
        self.means = target_means
        self.stds = target_stds
        self.clip_border = clip_border
        self.add_ctr_clamp = add_ctr_clamp
        self.ctr_clamp = ctr_clamp

    def encode(self, bboxes: Tensor, gt_bboxes: Tensor) -> Tensor:
        """(n, 4) deltas that turn (n, 4) priors into (n, 4) boxes."""
        check_pairs(self, bboxes, gt_bboxes)
        return encode_deltas(bboxes, gt_bboxes, self.means, self.stds)

    def decode(
        self,
        bboxes: Tensor,
        pred_bboxes: Tensor,
        max_shape: Any = None,
        wh_ratio_clip: float | None = 16 / 1000,
    ) -> Tensor:
        """Boxes in the shape of the deltas ``pred_bboxes``; see ``decode_deltas``."""
        check_pairs(self, bboxes, pred_bboxes)
        return decode_deltas(
            bboxes,
            pred_bboxes,
            self.means,
            self.stds,
            max_shape=max_shape,
            wh_ratio_clip=16 / 1000 if wh_ratio_clip is None else wh_ratio_clip,
            clip_border=self.clip_border,
            add_ctr_clamp=self.add_ctr_clamp,
            ctr_clamp=self.ctr_clamp,
        )


@BBOX_CODERS.register_module()
class LegacyDeltaXYWHBBoxCoder(BaseBBoxCoder):
    """Deltas as MMDetection 1 had them: a box from pixel 3 to pixel 3 is one pixel wide.

    Args:
        target_means: of dx dy dw dh over a training set.
        target_stds: of dx dy dw dh over a training set.
    """

    def __init__(
        self,
        target_means: Sequence[float] = _ZEROS,
        target_stds: Sequence[float] = _ONES,
    ) -> None:
        self.means = target_means
        self.stds = target_stds

    def encode(self, bboxes: Tensor, gt_bboxes: Tensor) -> Tensor:
        """(n, 4) deltas that turn (n, 4) priors into (n, 4) boxes."""
        check_pairs(self, bboxes, gt_bboxes)
        return encode_deltas(bboxes, gt_bboxes, self.means, self.stds, size_offset=1.0)

    def decode(
        self,
        bboxes: Tensor,
        pred_bboxes: Tensor,
        max_shape: Any = None,
        wh_ratio_clip: float | None = 16 / 1000,
    ) -> Tensor:
        """Boxes in the shape of ``pred_bboxes``; clipped to the last pixel of ``max_shape``."""
        check_pairs(self, bboxes, pred_bboxes)
        # The prior is one wider, and the box is not made one narrower again: checkpoints of
        # MMDetection 1 are known to score higher this way, and MMDetection 2 decodes so.
        half_pixel = bboxes.new_tensor([-0.5, -0.5, 0.5, 0.5])
        boxes = decode_deltas(
            bboxes + half_pixel,
            pred_bboxes,
            self.means,
            self.stds,
            wh_ratio_clip=16 / 1000 if wh_ratio_clip is None else wh_ratio_clip,
        )
        if max_shape is None:
            return boxes
        return clip_boxes(boxes, (max_shape[0] - 1, max_shape[1] - 1))


def check_pairs(coder: object, priors: Tensor, boxes: Tensor) -> None:
    """Raise ``ShapeError`` unless there are as many rows of four numbers in both."""
    rows_match = priors.shape[-2:-1] == boxes.shape[-2:-1]
    if not rows_match or priors.size(-1) != 4 or boxes.size(-1) % 4:
        raise ShapeError(
            f"{type(coder).__name__}: priors {tuple(priors.shape)} and boxes "
            f"{tuple(boxes.shape)} do not pair; give (..., n, 4) and (..., n, 4 * k)"
        )
