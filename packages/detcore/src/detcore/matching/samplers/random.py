"""Random subsets, and those balanced over objects or over overlap.

Balanced: Pang et al., "Libra R-CNN: Towards Balanced Learning for Object Detection", 2019.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from detcore.errors import OptionError
from detcore.matching.results import AssignResult
from detcore.matching.samplers.base import BaseSampler, draw, indices
from detcore.registries import BBOX_SAMPLERS


@BBOX_SAMPLERS.register_module()
class RandomSampler(BaseSampler):
    """Draws positive and negative priors with equal chances.

    The arguments are those of ``BaseSampler``.
    """

    def random_choice(self, gallery: Tensor, num: int) -> Tensor:
        """``num`` different elements of ``gallery``."""
        return draw(gallery, num)

    def _sample_pos(self, assign_result: AssignResult, num_expected: int, **kwargs: Any) -> Tensor:
        return draw(indices(assign_result.gt_inds > 0), num_expected)

    def _sample_neg(self, assign_result: AssignResult, num_expected: int, **kwargs: Any) -> Tensor:
        return draw(indices(assign_result.gt_inds == 0), num_expected)


@BBOX_SAMPLERS.register_module()
class InstanceBalancedPosSampler(RandomSampler):
    """Draws about as many positive priors of every object.

    The arguments are those of ``BaseSampler``.
    """

    def _sample_pos(self, assign_result: AssignResult, num_expected: int, **kwargs: Any) -> Tensor:
        positive = indices(assign_result.gt_inds > 0)
        if len(positive) <= num_expected:
            return positive
        objects = assign_result.gt_inds[positive].unique()
        each = round(num_expected / len(objects)) + 1
        drawn = [draw(indices(assign_result.gt_inds == item), each) for item in objects]
        sampled = torch.cat(drawn)
        if len(sampled) > num_expected:
            return draw(sampled, num_expected)
        rest = positive[~torch.isin(positive, sampled)]
        return torch.cat([sampled, draw(rest, num_expected - len(sampled))])


@BBOX_SAMPLERS.register_module()
class IoUBalancedNegSampler(RandomSampler):
    """Draws negative priors evenly over bins of their overlap with objects.

    Args:
        num: how many in all.
        pos_fraction: share of the positive ones, at most.
        floor_thr: priors of less overlap are drawn apart; 0 sets apart those of no overlap, and
            -1 none.
        floor_fraction: share of those set apart.
        num_bins: of overlap.
        neg_pos_ub: how many negative ones to a positive one, at most; negative for no bound.
        add_gt_as_proposals: put the objects themselves among the priors.
        context: the head that samples; not asked.
    """

    def __init__(
        self,
        num: int,
        pos_fraction: float,
        floor_thr: float = -1,
        floor_fraction: float = 0,
        num_bins: int = 3,
        neg_pos_ub: float = -1,
        add_gt_as_proposals: bool = True,
        context: Any = None,
    ) -> None:
        super().__init__(num, pos_fraction, neg_pos_ub, add_gt_as_proposals, context)
        if not (floor_thr >= 0 or floor_thr == -1) or not 0 <= floor_fraction <= 1 or num_bins < 1:
            raise OptionError(
                f"{type(self).__name__}: floor_thr={floor_thr}, floor_fraction={floor_fraction}, "
                f"num_bins={num_bins}; give floor_thr 0 or more, or -1, a floor_fraction of 0 to 1 "
                "and at least one bin"
            )
        self.floor_thr = floor_thr
        self.floor_fraction = floor_fraction
        self.num_bins = num_bins

    def sample_via_interval(
        self, max_overlaps: Tensor, candidates: Tensor, num_expected: int
    ) -> Tensor:
        """``num_expected`` of the ``candidates``, as many as can be from every bin of overlap."""
        floor = max(self.floor_thr, 0.0)
        width = (float(max_overlaps.max()) - floor) / self.num_bins
        overlaps = max_overlaps[candidates]
        each = num_expected // self.num_bins
        drawn = []
        for index in range(self.num_bins):
            low, high = floor + index * width, floor + (index + 1) * width
            drawn.append(draw(candidates[(overlaps >= low) & (overlaps < high)], each))
        return _fill(torch.cat(drawn), candidates, num_expected)

    def _sample_neg(self, assign_result: AssignResult, num_expected: int, **kwargs: Any) -> Tensor:
        negative = indices(assign_result.gt_inds == 0)
        if len(negative) <= num_expected:
            return negative
        assert assign_result.max_overlaps is not None
        overlaps = assign_result.max_overlaps[negative]
        if self.floor_thr > 0:
            on_floor, above = (
                (overlaps >= 0) & (overlaps < self.floor_thr),
                (overlaps >= self.floor_thr),
            )
        elif self.floor_thr == 0:
            on_floor, above = overlaps == 0, overlaps > 0
        else:
            on_floor, above = torch.zeros_like(overlaps, dtype=torch.bool), overlaps > -1
        wanted = int(num_expected * (1 - self.floor_fraction))
        sampled = negative[above]
        if len(sampled) > wanted:
            if self.num_bins >= 2:
                sampled = self.sample_via_interval(assign_result.max_overlaps, sampled, wanted)
            else:
                sampled = draw(sampled, wanted)
        from_floor = draw(negative[on_floor], num_expected - len(sampled))
        return _fill(torch.cat([from_floor, sampled]), negative, num_expected)


def _fill(sampled: Tensor, candidates: Tensor, num_expected: int) -> Tensor:
    """``sampled`` and as many of the other candidates as are missing."""
    missing = num_expected - len(sampled)
    if missing <= 0:
        return sampled
    return torch.cat([sampled, draw(candidates[~torch.isin(candidates, sampled)], missing)])


@BBOX_SAMPLERS.register_module()
class CombinedSampler(BaseSampler):
    """Draws positive priors with one sampler and negative ones with another.

    Args:
        pos_sampler: config or object; a config takes the other arguments.
        neg_sampler: config or object; a config takes the other arguments.
        num: how many in all.
        pos_fraction: share of the positive ones, at most.
        neg_pos_ub: how many negative ones to a positive one, at most; negative for no bound.
        add_gt_as_proposals: put the objects themselves among the priors.
        context: the head that samples.
    """

    def __init__(
        self,
        pos_sampler: Mapping[str, Any] | BaseSampler,
        neg_sampler: Mapping[str, Any] | BaseSampler,
        num: int,
        pos_fraction: float,
        neg_pos_ub: float = -1,
        add_gt_as_proposals: bool = True,
        context: Any = None,
    ) -> None:
        super().__init__(num, pos_fraction, neg_pos_ub, add_gt_as_proposals, context)
        shared = {
            "num": num,
            "pos_fraction": pos_fraction,
            "neg_pos_ub": neg_pos_ub,
            "add_gt_as_proposals": add_gt_as_proposals,
            "context": context,
        }
        self.pos_sampler = BBOX_SAMPLERS.build(pos_sampler, default_args=shared)
        self.neg_sampler = BBOX_SAMPLERS.build(neg_sampler, default_args=shared)

    def _sample_pos(self, assign_result: AssignResult, num_expected: int, **kwargs: Any) -> Tensor:
        return self.pos_sampler._sample_pos(assign_result, num_expected, **kwargs)

    def _sample_neg(self, assign_result: AssignResult, num_expected: int, **kwargs: Any) -> Any:
        return self.neg_sampler._sample_neg(assign_result, num_expected, **kwargs)
