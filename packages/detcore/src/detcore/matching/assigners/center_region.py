"""Matching by the middle of objects: its core is positive, the ring around it does not count.

Zhu et al., "Feature Selective Anchor-Free Module for Single-Shot Object Detection", 2019.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from detcore.boxes.convert import scale_boxes
from detcore.matching.assigners.base import BaseAssigner, labels_of
from detcore.matching.results import AssignResult
from detcore.registries import BBOX_ASSIGNERS, IOU_CALCULATORS


@BBOX_ASSIGNERS.register_module()
class CenterRegionAssigner(BaseAssigner):
    """A prior in the core of an object belongs to it; one in its shadow does not train its class.

    Args:
        pos_scale: size of the core over that of the object.
        neg_scale: size of the core and shadow together.
        min_pos_iof: least part of a prior inside the core or shadow.
        ignore_gt_scale: size of the part of a crowd where priors do not train at all.
        foreground_dominate: a prior in the core of one object and the shadow of another of the
            same class is positive; False makes it background.
        iou_calculator: config or object that compares two sets of boxes.
    """

    def __init__(
        self,
        pos_scale: float,
        neg_scale: float,
        min_pos_iof: float = 1e-2,
        ignore_gt_scale: float = 0.5,
        foreground_dominate: bool = False,
        iou_calculator: Mapping[str, Any] | Callable[..., Tensor] | None = None,
    ) -> None:
        self.pos_scale = pos_scale
        self.neg_scale = neg_scale
        self.min_pos_iof = min_pos_iof
        self.ignore_gt_scale = ignore_gt_scale
        self.foreground_dominate = foreground_dominate
        self.iou_calculator = IOU_CALCULATORS.build(iou_calculator or {"type": "BboxOverlaps2D"})

    def assign(
        self,
        bboxes: Tensor,
        gt_bboxes: Tensor,
        gt_bboxes_ignore: Tensor | None = None,
        gt_labels: Tensor | None = None,
    ) -> AssignResult:
        """Match priors with objects.

        The result's extra property ``shadowed_labels`` holds (s, 2) prior and class: there the
        class does not train. Without ``gt_labels`` it is None.

        Args:
            bboxes: (n, 4) priors, x1 y1 x2 y2.
            gt_bboxes: (G, 4) objects.
            gt_bboxes_ignore: (I, 4) crowds.
            gt_labels: (G,) classes of the objects.
        """
        centres = (bboxes[:, :2] + bboxes[:, 2:]) / 2
        core = self._inside(bboxes, gt_bboxes, self.pos_scale) & _contains(gt_bboxes, centres)
        shadow = self._inside(bboxes, gt_bboxes, self.neg_scale) & ~core
        gt_inds, shadowed = _smallest_first(core, shadow, gt_bboxes)
        if gt_bboxes_ignore is not None and gt_bboxes_ignore.numel() > 0:
            crowds = scale_boxes(gt_bboxes_ignore, self.ignore_gt_scale)
            gt_inds[_contains(crowds, centres).any(dim=1)] = -1
        labels = labels_of(gt_inds, gt_labels)
        if gt_labels is not None and labels is not None:
            shadowed = self._shadow_classes(shadowed, gt_inds, labels, gt_labels)
        result = AssignResult(len(gt_bboxes), gt_inds, None, labels)
        result.set_extra_property("shadowed_labels", None if gt_labels is None else shadowed)
        return result

    def _inside(self, bboxes: Tensor, gt_bboxes: Tensor, scale: float) -> Tensor:
        """(n, G) bool: priors that reach into the middle of an object."""
        part = self.iou_calculator(bboxes, scale_boxes(gt_bboxes, scale), mode="iof")
        return part > self.min_pos_iof

    def _shadow_classes(
        self, shadowed: Tensor, gt_inds: Tensor, labels: Tensor, gt_labels: Tensor
    ) -> Tensor:
        """(s, 2) prior and class of each shadow; settles priors that are also positive."""
        priors, objects = shadowed.unbind(-1)
        classes = gt_labels[objects].to(labels.dtype)
        shadowed = torch.stack([priors, classes], dim=-1)
        both = labels[priors] == classes
        if self.foreground_dominate:
            return shadowed[~both]
        labels[priors[both]] = -1
        gt_inds[priors[both]] = 0
        return shadowed


def _contains(boxes: Tensor, points: Tensor) -> Tensor:
    """(n, G) bool: which (n, 2) points lie strictly inside which (G, 4) boxes."""
    points = points[:, None]
    return ((points > boxes[:, :2]) & (points < boxes[:, 2:])).all(dim=-1)


def _smallest_first(core: Tensor, shadow: Tensor, gt_bboxes: Tensor) -> tuple[Tensor, Tensor]:
    """Give every prior to the smallest object whose core it is in.

    Returns:
        (n,) 1 + object, 0 for none; (s, 2) prior and object of all shadows, among them the cores
        that lost their prior to a smaller object.
    """
    num_boxes, num_gts = core.shape
    if num_gts == 0 or num_boxes == 0:
        empty = torch.zeros(num_boxes, dtype=torch.long, device=core.device)
        return empty, empty.new_zeros((0, 2))
    sizes = (gt_bboxes[:, 2:] - gt_bboxes[:, :2]).clamp(min=0).prod(dim=1)
    rank = sizes.argsort(descending=True).argsort()  # the smallest object ranks highest
    priority, objects = torch.where(core, rank, -1).max(dim=1)
    won = priority >= 0
    lost = core.clone()
    lost[won, objects[won]] = False
    shadowed = torch.cat([shadow.nonzero(), lost.nonzero()])
    return torch.where(won, objects + 1, 0), shadowed
