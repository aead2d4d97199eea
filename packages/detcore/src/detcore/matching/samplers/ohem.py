"""Online hard example mining: the priors that the head gets most wrong.

Shrivastava et al., "Training Region-based Object Detectors with Online Hard Example Mining", 2016.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from detcore.boxes.convert import boxes_to_rois
from detcore.matching.results import AssignResult
from detcore.matching.samplers.base import BaseSampler, indices
from detcore.registries import BBOX_SAMPLERS


@BBOX_SAMPLERS.register_module()
class OHEMSampler(BaseSampler):
    """Takes the positive and the negative priors of the highest loss.

    Args:
        num: how many in all.
        pos_fraction: share of the positive ones, at most.
        context: the RoI head whose box head is asked; of a cascade, the stage at work.
        neg_pos_ub: how many negative ones to a positive one, at most; negative for no bound.
        add_gt_as_proposals: put the objects themselves among the priors.
        loss_key: name of the loss that ranks them.
    """

    def __init__(
        self,
        num: int,
        pos_fraction: float,
        context: Any,
        neg_pos_ub: float = -1,
        add_gt_as_proposals: bool = True,
        loss_key: str = "loss_cls",
    ) -> None:
        super().__init__(num, pos_fraction, neg_pos_ub, add_gt_as_proposals, context)
        self.loss_key = loss_key
        self.bbox_head = box_head_of(context)

    def hard_mining(
        self,
        inds: Tensor,
        num_expected: int,
        bboxes: Tensor,
        labels: Tensor,
        feats: Sequence[Tensor],
    ) -> Tensor:
        """The ``num_expected`` of ``inds`` whose priors, of the given labels, cost most."""
        with torch.no_grad():
            rois = boxes_to_rois([bboxes])
            cls_score = ask_box_head(self.context, feats, rois)["cls_score"]
            loss = self.bbox_head.loss(
                cls_score=cls_score,
                bbox_pred=None,
                rois=rois,
                labels=labels,
                label_weights=cls_score.new_ones(len(cls_score)),
                bbox_targets=None,
                bbox_weights=None,
                reduction_override="none",
            )[self.loss_key]
            return inds[loss.topk(num_expected).indices]

    def _sample_pos(
        self,
        assign_result: AssignResult,
        num_expected: int,
        *,
        bboxes: Tensor,
        feats: Sequence[Tensor],
        **kwargs: Any,
    ) -> Tensor:
        positive = indices(assign_result.gt_inds > 0)
        if len(positive) <= num_expected:
            return positive
        assert assign_result.labels is not None
        labels = assign_result.labels[positive]
        return self.hard_mining(positive, num_expected, bboxes[positive], labels, feats)

    def _sample_neg(
        self,
        assign_result: AssignResult,
        num_expected: int,
        *,
        bboxes: Tensor,
        feats: Sequence[Tensor],
        **kwargs: Any,
    ) -> Tensor:
        negative = indices(assign_result.gt_inds == 0)
        if len(negative) <= num_expected:
            return negative
        labels = negative.new_full(negative.shape, self.bbox_head.num_classes)
        return self.hard_mining(negative, num_expected, bboxes[negative], labels, feats)


def box_head_of(context: Any) -> Any:
    """The box head of a RoI head, of the current stage where it has several."""
    if hasattr(context, "num_stages"):
        return context.bbox_head[context.current_stage]
    return context.bbox_head


def ask_box_head(context: Any, feats: Sequence[Tensor], rois: Tensor) -> dict[str, Tensor]:
    """What a RoI head says of (n, 5) regions: ``cls_score``, ``bbox_pred``."""
    if hasattr(context, "num_stages"):
        return context._bbox_forward(context.current_stage, feats, rois)
    return context._bbox_forward(feats, rois)
