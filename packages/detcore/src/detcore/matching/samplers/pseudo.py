"""Keep everything that was assigned."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from detcore.matching.results import AssignResult, SamplingResult
from detcore.matching.samplers.base import indices
from detcore.registries import BBOX_SAMPLERS


@BBOX_SAMPLERS.register_module()
class PseudoSampler:
    """Takes all positive and all negative priors.

    The arguments are those of other samplers, none of which is looked at: a config may replace no
    more than the ``type`` of a sampler it inherits.
    """

    def __init__(
        self,
        num: int | None = None,
        pos_fraction: float | None = None,
        neg_pos_ub: float = -1,
        add_gt_as_proposals: bool = False,
        context: Any = None,
    ) -> None:
        self.num = num
        self.pos_fraction = pos_fraction
        self.neg_pos_ub = neg_pos_ub
        self.add_gt_as_proposals = add_gt_as_proposals
        self.context = context

    def sample(
        self,
        assign_result: AssignResult,
        bboxes: Tensor,
        gt_bboxes: Tensor,
        *args: Any,
        **kwargs: Any,
    ) -> SamplingResult:
        """All priors of one image that are positive or negative; further arguments do nothing."""
        return SamplingResult(
            indices(assign_result.gt_inds > 0),
            indices(assign_result.gt_inds == 0),
            bboxes,
            gt_bboxes,
            assign_result,
            bboxes.new_zeros(len(bboxes), dtype=torch.uint8),
        )
