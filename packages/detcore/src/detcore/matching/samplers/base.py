"""What a sampler is: the priors of an assignment that train."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

from detcore.errors import OptionError
from detcore.matching.results import AssignResult, SamplingResult


class BaseSampler(ABC):
    """Draws a number of positive and negative priors.

    Args:
        num: how many in all.
        pos_fraction: share of the positive ones, at most.
        neg_pos_ub: how many negative ones to a positive one, at most; negative for no bound.
        add_gt_as_proposals: put the objects themselves among the priors.
        context: the head that samples, for those who ask it.
    """

    def __init__(
        self,
        num: int,
        pos_fraction: float,
        neg_pos_ub: float = -1,
        add_gt_as_proposals: bool = True,
        context: Any = None,
    ) -> None:
        self.num = num
        self.pos_fraction = pos_fraction
        self.neg_pos_ub = neg_pos_ub
        self.add_gt_as_proposals = add_gt_as_proposals
        self.context = context
        # A part that draws one kind only stands in for these.
        self.pos_sampler: BaseSampler = self
        self.neg_sampler: BaseSampler = self

    @abstractmethod
    def _sample_pos(
        self, assign_result: AssignResult, num_expected: int, *args: Any, **kwargs: Any
    ) -> Tensor:
        """Indices of at most ``num_expected`` positive priors."""

    @abstractmethod
    def _sample_neg(
        self, assign_result: AssignResult, num_expected: int, *args: Any, **kwargs: Any
    ) -> Any:
        """Indices of at most ``num_expected`` negative priors."""

    def sample(
        self,
        assign_result: AssignResult,
        bboxes: Tensor,
        gt_bboxes: Tensor,
        gt_labels: Tensor | None = None,
        **kwargs: Any,
    ) -> SamplingResult:
        """Draw from the priors of one image.

        Args:
            assign_result: which object every prior belongs to; objects put among the priors are
                put in front of it too.
            bboxes: (n, 4+) priors.
            gt_bboxes: (G, 4) objects.
            gt_labels: (G,) classes of the objects.
            kwargs: what samplers that ask the head need, as ``feats``.
        """
        bboxes, flags = self.with_objects(assign_result, bboxes, gt_bboxes, gt_labels)
        pos_inds = self.pos_sampler._sample_pos(
            assign_result, int(self.num * self.pos_fraction), bboxes=bboxes, **kwargs
        ).unique()
        neg_inds = self.neg_sampler._sample_neg(
            assign_result, self.num_negative(len(pos_inds)), bboxes=bboxes, **kwargs
        ).unique()
        return SamplingResult(pos_inds, neg_inds, bboxes, gt_bboxes, assign_result, flags)

    def with_objects(
        self,
        assign_result: AssignResult,
        bboxes: Tensor,
        gt_bboxes: Tensor,
        gt_labels: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """(n', 4) priors with the objects in front where they are wanted, and (n',) uint8 flags."""
        bboxes = bboxes.reshape(-1, bboxes.size(-1))[:, :4]
        flags = bboxes.new_zeros(len(bboxes), dtype=torch.uint8)
        if not self.add_gt_as_proposals or len(gt_bboxes) == 0:
            return bboxes, flags
        if gt_labels is None:
            raise OptionError(
                f"{type(self).__name__}: add_gt_as_proposals needs gt_labels; give them, or set "
                "add_gt_as_proposals=False"
            )
        assign_result.add_gt_(gt_labels)
        bboxes = torch.cat([gt_bboxes.to(bboxes.dtype), bboxes])
        return bboxes, torch.cat([flags.new_ones(len(gt_bboxes)), flags])

    def num_negative(self, num_positive: int) -> int:
        """How many negative priors to draw beside the positive ones."""
        expected = self.num - num_positive
        if self.neg_pos_ub >= 0:
            expected = min(expected, int(self.neg_pos_ub * max(1, num_positive)))
        return expected


def draw(gallery: Tensor, num: int) -> Tensor:
    """``num`` different elements of a (n,) tensor, or all of them where there are no more.

    The draw is torch's on the CPU, so that one seed gives the same samples on any device.
    """
    if len(gallery) <= num:
        return gallery
    return gallery[torch.randperm(len(gallery))[:num].to(gallery.device)]


def indices(mask: Tensor) -> Tensor:
    """(k,) int64: where a (n,) bool is True."""
    return mask.nonzero().squeeze(1)
