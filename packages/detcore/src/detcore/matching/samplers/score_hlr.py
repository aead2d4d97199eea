"""Prime sample attention: negative priors ranked by score within their neighbourhood.

Cao et al., "Prime Sample Attention in Object Detection", 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from cvcore.ops import nms_match
from detcore.boxes.convert import boxes_to_rois
from detcore.matching.results import AssignResult, SamplingResult
from detcore.matching.samplers.base import BaseSampler, draw, indices
from detcore.matching.samplers.ohem import ask_box_head, box_head_of
from detcore.registries import BBOX_SAMPLERS


@BBOX_SAMPLERS.register_module()
class ScoreHLRSampler(BaseSampler):
    """Draws positive priors at random, and the negative ones that matter most, with weights.

    Args:
        num: how many in all.
        pos_fraction: share of the positive ones, at most.
        context: the RoI head whose box head is asked; of a cascade, the stage at work.
        neg_pos_ub: how many negative ones to a positive one, at most; negative for no bound.
        add_gt_as_proposals: put the objects themselves among the priors.
        k: power of the weights.
        bias: least weight before the power.
        score_thr: priors whose best score is not above it are drawn at random.
        iou_thr: overlap that makes two decoded boxes neighbours.
    """

    def __init__(
        self,
        num: int,
        pos_fraction: float,
        context: Any,
        neg_pos_ub: float = -1,
        add_gt_as_proposals: bool = True,
        k: float = 0.5,
        bias: float = 0,
        score_thr: float = 0.05,
        iou_thr: float = 0.5,
    ) -> None:
        super().__init__(num, pos_fraction, neg_pos_ub, add_gt_as_proposals, context)
        self.k = k
        self.bias = bias
        self.score_thr = score_thr
        self.iou_thr = iou_thr
        self.bbox_head = box_head_of(context)

    def sample(  # type: ignore[override]
        self,
        assign_result: AssignResult,
        bboxes: Tensor,
        gt_bboxes: Tensor,
        gt_labels: Tensor | None = None,
        **kwargs: Any,
    ) -> tuple[SamplingResult, Tensor | None]:
        """Draw from the priors of one image; the second part is (q,) weights of the negatives."""
        bboxes, flags = self.with_objects(assign_result, bboxes, gt_bboxes, gt_labels)
        pos_inds = self._sample_pos(assign_result, int(self.num * self.pos_fraction))
        neg_inds, weights = self._sample_neg(
            assign_result, self.num_negative(len(pos_inds)), bboxes=bboxes, **kwargs
        )
        result = SamplingResult(pos_inds, neg_inds, bboxes, gt_bboxes, assign_result, flags)
        return result, weights

    def _sample_pos(self, assign_result: AssignResult, num_expected: int, **kwargs: Any) -> Tensor:
        return draw(indices(assign_result.gt_inds > 0), num_expected)

    def _sample_neg(
        self,
        assign_result: AssignResult,
        num_expected: int,
        *,
        bboxes: Tensor,
        feats: Sequence[Tensor],
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor | None]:
        negative = indices(assign_result.gt_inds == 0)
        if len(negative) == 0:
            return negative, None
        num_expected = min(len(negative), num_expected)
        with torch.no_grad():
            rois = boxes_to_rois([bboxes[negative]])
            said = ask_box_head(self.context, feats, rois)
            cls_score, bbox_pred = said["cls_score"], said["bbox_pred"]
            loss = self._loss_as_background(cls_score, rois)
            scores, classes = cls_score.softmax(-1)[:, :-1].max(dim=-1)
            promising = indices(scores > self.score_thr)
            if len(promising) == 0:
                chosen = draw(torch.arange(len(negative), device=negative.device), num_expected)
                return negative[chosen], cls_score.new_ones(num_expected)
            boxes = self._decode(rois[promising], bbox_pred[promising], classes[promising])
            order = self._rank(boxes, scores[promising])[:num_expected]
            others = draw(indices(scores <= self.score_thr), num_expected - len(order))
            chosen = torch.cat([promising[order], others])
            weights = self._weights(loss[chosen], len(order), len(promising))
        return negative[chosen], weights

    def _loss_as_background(self, cls_score: Tensor, rois: Tensor) -> Tensor:
        return self.bbox_head.loss(
            cls_score=cls_score,
            bbox_pred=None,
            rois=rois,
            labels=cls_score.new_full(
                (len(cls_score),), self.bbox_head.num_classes, dtype=torch.long
            ),
            label_weights=cls_score.new_ones(len(cls_score)),
            bbox_targets=None,
            bbox_weights=None,
            reduction_override="none",
        )["loss_cls"]

    def _decode(self, rois: Tensor, bbox_pred: Tensor, classes: Tensor) -> Tensor:
        """(n, 4) boxes of the best class."""
        deltas = bbox_pred.reshape(len(rois), -1, 4)
        if deltas.size(1) > 1:
            deltas = deltas[torch.arange(len(rois), device=rois.device), classes]
        return self.bbox_head.bbox_coder.decode(rois[:, 1:], deltas.reshape(-1, 4))

    def _rank(self, boxes: Tensor, scores: Tensor) -> Tensor:
        """(n,) indices: the best of every neighbourhood first, then the second best, and so on."""
        groups = nms_match(torch.cat([boxes, scores[:, None]], dim=-1), self.iou_thr)
        importance = torch.zeros_like(scores)
        for group in groups:
            members = torch.as_tensor(group, dtype=torch.long, device=scores.device)
            place = torch.arange(len(members), device=scores.device)
            importance[members] = len(scores) - place + scores[members]
        return importance.sort(descending=True).indices

    def _weights(self, loss: Tensor, num_ranked: int, num_promising: int) -> Tensor:
        """(q,) weights that fall with the rank and leave the sum of the loss as it is."""
        bound = max(len(loss), num_promising)
        ranked = (bound - torch.arange(num_ranked, device=loss.device).to(loss.dtype)) / bound
        weights = torch.cat([ranked, ranked[-1:].expand(len(loss) - num_ranked)])
        weights = (self.bias + (1 - self.bias) * weights).pow(self.k)
        return weights * (loss.sum() / (loss * weights).sum())
