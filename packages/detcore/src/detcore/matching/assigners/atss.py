"""Adaptive training sample selection: each object sets its own threshold.

Zhang et al., "Bridging the Gap Between Anchor-based and Anchor-free Detection via Adaptive Training
Sample Selection", 2020; with predictions: Chen et al., "Disentangle Your Dense Object Detector",
2021.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from detcore.errors import OptionError
from detcore.matching.assigners.base import BaseAssigner, labels_of, without_objects
from detcore.matching.results import AssignResult
from detcore.registries import BBOX_ASSIGNERS, IOU_CALCULATORS

_FAR = 1e8  # further than any distance or overlap


@BBOX_ASSIGNERS.register_module()
class ATSSAssigner(BaseAssigner):
    """A prior near an object's centre belongs to it, if it overlaps more than its like.

    Args:
        topk: how many of the nearest priors of each level are candidates.
        alpha: share of the overlap of predictions in the measure, beside that of the score; None
            measures by the priors alone.
        iou_calculator: config or object that compares two sets of boxes.
        ignore_iof_thr: priors with more than this part inside a crowd neither train as object nor
            as background; negative for none.
    """

    def __init__(
        self,
        topk: int,
        alpha: float | None = None,
        iou_calculator: Mapping[str, Any] | Callable[..., Tensor] | None = None,
        ignore_iof_thr: float = -1,
    ) -> None:
        self.topk = topk
        self.alpha = alpha
        self.iou_calculator = IOU_CALCULATORS.build(iou_calculator or {"type": "BboxOverlaps2D"})
        self.ignore_iof_thr = ignore_iof_thr

    def assign(
        self,
        bboxes: Tensor,
        num_level_bboxes: Sequence[int],
        gt_bboxes: Tensor,
        gt_bboxes_ignore: Tensor | None = None,
        gt_labels: Tensor | None = None,
        cls_scores: Tensor | None = None,
        bbox_preds: Tensor | None = None,
    ) -> AssignResult:
        """Match priors with objects.

        Args:
            bboxes: (n, 4) priors of all levels, x1 y1 x2 y2.
            num_level_bboxes: how many of them each level has.
            gt_bboxes: (G, 4) objects.
            gt_bboxes_ignore: (I, 4) crowds.
            gt_labels: (G,) classes of the objects.
            cls_scores: (n, C) logits, where ``alpha`` is set.
            bbox_preds: (n, 4) predicted boxes, where ``alpha`` is set.
        """
        bboxes = bboxes[:, :4]
        num_gts, num_boxes = len(gt_bboxes), len(bboxes)
        overlaps = self._measure(bboxes, gt_bboxes, gt_labels, cls_scores, bbox_preds)
        if num_gts == 0 or num_boxes == 0:
            return without_objects(num_gts, num_boxes, overlaps, gt_labels is not None)
        centres = (bboxes[:, :2] + bboxes[:, 2:]) / 2
        gt_centres = (gt_bboxes[:, :2] + gt_bboxes[:, 2:]) / 2
        distances = (centres[:, None] - gt_centres[None]).pow(2).sum(-1).sqrt()
        ignored = self._ignored(bboxes, gt_bboxes_ignore)
        distances[ignored] = _FAR

        candidates = self._nearest(distances, num_level_bboxes)  # (k, G)
        measured = overlaps.gather(0, candidates)
        threshold = measured.mean(0) + measured.std(0)
        sides = torch.cat(
            [centres[candidates] - gt_bboxes[:, :2], gt_bboxes[:, 2:] - centres[candidates]], dim=-1
        )
        positive = (measured >= threshold) & (sides.amin(dim=-1) > 0.01)

        won = torch.full_like(overlaps, -_FAR)
        won.scatter_(0, candidates, measured.masked_fill(~positive, -_FAR))
        max_overlaps, objects = won.max(dim=1)
        gt_inds = torch.where(ignored, -1, 0)
        gt_inds = torch.where(max_overlaps != -_FAR, objects + 1, gt_inds)
        return AssignResult(num_gts, gt_inds, max_overlaps, labels_of(gt_inds, gt_labels))

    def _measure(
        self,
        bboxes: Tensor,
        gt_bboxes: Tensor,
        gt_labels: Tensor | None,
        cls_scores: Tensor | None,
        bbox_preds: Tensor | None,
    ) -> Tensor:
        """(n, G) how well each prior fits each object."""
        if self.alpha is None:
            if cls_scores is not None or bbox_preds is not None:
                warnings.warn(
                    "ATSSAssigner: predictions are looked at only with alpha set, as in "
                    "dict(type='ATSSAssigner', topk=9, alpha=0.8)",
                    stacklevel=3,
                )
            return self.iou_calculator(bboxes, gt_bboxes)
        if cls_scores is None or bbox_preds is None or gt_labels is None:
            raise OptionError(
                "ATSSAssigner: alpha is set, so matching needs cls_scores, bbox_preds and "
                "gt_labels; give them, or leave out alpha"
            )
        score = cls_scores[:, gt_labels].sigmoid()
        overlaps = self.iou_calculator(bbox_preds, gt_bboxes)
        return score ** (1 - self.alpha) * overlaps**self.alpha

    def _ignored(self, bboxes: Tensor, gt_bboxes_ignore: Tensor | None) -> Tensor:
        """(n,) bool: priors inside a crowd."""
        if self.ignore_iof_thr <= 0 or gt_bboxes_ignore is None or gt_bboxes_ignore.numel() == 0:
            return torch.zeros(len(bboxes), dtype=torch.bool, device=bboxes.device)
        inside = self.iou_calculator(bboxes, gt_bboxes_ignore, mode="iof").amax(dim=1)
        return inside > self.ignore_iof_thr

    def _nearest(self, distances: Tensor, num_level_bboxes: Sequence[int]) -> Tensor:
        """(k, G) indices of the nearest priors of every level."""
        candidates = []
        bounds = [0, *itertools.accumulate(num_level_bboxes)]
        for start, stop in itertools.pairwise(bounds):
            count = min(self.topk, stop - start)
            nearest = distances[start:stop].topk(count, dim=0, largest=False).indices
            candidates.append(nearest + start)
        return torch.cat(candidates)
