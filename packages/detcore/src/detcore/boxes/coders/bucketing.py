"""Boxes whose every side is first put in a bucket, then moved within it.

Wang et al., "Side-Aware Boundary Localization for More Precise Object Detection", 2020.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from detcore.boxes.coders.base import BaseBBoxCoder
from detcore.boxes.coders.delta import check_pairs
from detcore.boxes.convert import clip_boxes, scale_boxes
from detcore.registries import BBOX_CODERS

_INWARD = (1.0, -1.0, 1.0, -1.0)  # which way the buckets of left, right, top and bottom run


@BBOX_CODERS.register_module()
class BucketingBBoxCoder(BaseBBoxCoder):
    """A bucket for each of left, right, top and bottom, and the offset from the bucket's centre.

    Args:
        num_buckets: along a whole prior; each side chooses among the half nearest to it.
        scale_factor: growth of the prior before it is cut into buckets.
        offset_topk: how many of the nearest buckets learn their offset.
        offset_upperbound: the second nearest and later learn only offsets below this many buckets.
        cls_ignore_neighbor: leave buckets next to the right one out of the bucket loss.
        clip_border: clip decoded boxes to the image, where its shape is given.
    """

    def __init__(
        self,
        num_buckets: int,
        scale_factor: float,
        offset_topk: int = 2,
        offset_upperbound: float = 1.0,
        cls_ignore_neighbor: bool = True,
        clip_border: bool = True,
    ) -> None:
        self.num_buckets = num_buckets
        self.scale_factor = scale_factor
        self.offset_topk = offset_topk
        self.offset_upperbound = offset_upperbound
        self.cls_ignore_neighbor = cls_ignore_neighbor
        self.clip_border = clip_border
        self.side_num = math.ceil(num_buckets / 2)

    def encode(self, bboxes: Tensor, gt_bboxes: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Targets of (n, 4) priors that should become (n, 4) boxes.

        Returns:
            Offsets in buckets, their weights, bucket labels (one hot) and their weights; each
            (n, 4 * side_num) in the order left, right, top, bottom.
        """
        check_pairs(self, bboxes, gt_bboxes)
        sides, sizes = self._sides(bboxes)
        inward = sides.new_tensor(_INWARD)
        steps = 0.5 + torch.arange(self.side_num, device=sides.device, dtype=sides.dtype)
        centres = sides.unsqueeze(-1) + (inward * sizes).unsqueeze(-1) * steps  # (n, 4, side_num)
        target = gt_bboxes[:, [0, 2, 1, 3]].unsqueeze(-1)
        offsets = (centres - target) / sizes.unsqueeze(-1)

        distance = offsets.abs()
        nearest, index = distance.topk(self.offset_topk, dim=-1, largest=False, sorted=True)
        learns = nearest < self.offset_upperbound
        learns[..., 0] = True
        offset_weights = torch.zeros_like(offsets).scatter_(-1, index, learns.to(offsets.dtype))
        labels = F.one_hot(index[..., 0], self.side_num).float()
        if self.cls_ignore_neighbor:
            label_weights = (~((distance < 1) & (labels == 0))).float()
        else:
            label_weights = torch.ones_like(labels)
        flat = (offsets, offset_weights, labels, label_weights)
        targets, weights, buckets, bucket_weights = (part.flatten(1) for part in flat)
        return targets, weights, buckets, bucket_weights

    def decode(
        self, bboxes: Tensor, pred_bboxes: Sequence[Tensor], max_shape: Any = None
    ) -> tuple[Tensor, Tensor]:
        """Boxes, and how sure the buckets are of them.

        Args:
            bboxes: (n, 4) priors.
            pred_bboxes: bucket logits and offsets, each (n, 4 * side_num) or (4 * n, side_num).
            max_shape: (height, width) of the image.

        Returns:
            (n, 4) boxes and (n,) confidence, 0 .. 1.
        """
        logits, offsets = (part.reshape(-1, 4, self.side_num) for part in pred_bboxes)
        top_scores, top_buckets = logits.softmax(dim=-1).topk(2, dim=-1, sorted=True)
        best = top_buckets[..., :1]
        offset = offsets.gather(-1, best).squeeze(-1)
        sides, sizes = self._sides(bboxes)
        centres = sides + sides.new_tensor(_INWARD) * (0.5 + best.squeeze(-1).float()) * sizes
        left, right, top, bottom = (centres - offset * sizes).unbind(-1)
        boxes = torch.stack([left, top, right, bottom], dim=-1)
        if self.clip_border and max_shape is not None:
            boxes = clip_boxes(boxes, (max_shape[0] - 1, max_shape[1] - 1))
        neighbours = (top_buckets[..., 0] - top_buckets[..., 1]).abs() == 1
        confidence = top_scores[..., 0] + top_scores[..., 1] * neighbours
        return boxes, confidence.mean(dim=-1)

    def _sides(self, priors: Tensor) -> tuple[Tensor, Tensor]:
        """(n, 4) left right top bottom of the grown priors, and (n, 4) bucket sizes beside them."""
        left, top, right, bottom = scale_boxes(priors, self.scale_factor).unbind(-1)
        width = (right - left) / self.num_buckets
        height = (bottom - top) / self.num_buckets
        sides = torch.stack([left, right, top, bottom], dim=-1)
        return sides, torch.stack([width, width, height, height], dim=-1)
