"""Which prior belongs to which object, and which of them train."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class AssignResult:
    """Which object every prior belongs to.

    Args:
        num_gts: number of objects.
        gt_inds: (n,) int64: -1 do not care, 0 background, i + 1 object i.
        max_overlaps: (n,) overlap with the object that overlaps most.
        labels: (n,) class of the object, -1 where there is none; None for agnostic matching.
    """

    def __init__(
        self,
        num_gts: int,
        gt_inds: Tensor,
        max_overlaps: Tensor | None,
        labels: Tensor | None = None,
    ) -> None:
        self.num_gts = num_gts
        self.gt_inds = gt_inds
        self.max_overlaps = max_overlaps
        self.labels = labels
        self._extra_properties: dict[str, Any] = {}

    @property
    def num_preds(self) -> int:
        """Number of priors."""
        return len(self.gt_inds)

    @property
    def info(self) -> dict[str, Any]:
        """All fields and extra properties by name."""
        return {
            "num_gts": self.num_gts,
            "num_preds": self.num_preds,
            "gt_inds": self.gt_inds,
            "max_overlaps": self.max_overlaps,
            "labels": self.labels,
            **self._extra_properties,
        }

    def set_extra_property(self, key: str, value: Any) -> None:
        """Keep what one assigner says beyond the common fields."""
        self._extra_properties[key] = value

    def get_extra_property(self, key: str) -> Any:
        """What ``set_extra_property`` kept, or None."""
        return self._extra_properties.get(key)

    def to(self, device: torch.device | str) -> AssignResult:
        """Move every tensor to ``device``, in place."""
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(self, name, value.to(device))
        return self

    def add_gt_(self, gt_labels: Tensor) -> None:
        """Put the objects themselves in front of the priors, each matched with itself.

        Args:
            gt_labels: (num_gts,) class of each object.
        """
        itself = torch.arange(1, len(gt_labels) + 1, dtype=torch.long, device=gt_labels.device)
        self.gt_inds = torch.cat([itself, self.gt_inds])
        if self.max_overlaps is not None:
            ones = self.max_overlaps.new_ones(len(gt_labels))
            self.max_overlaps = torch.cat([ones, self.max_overlaps])
        if self.labels is not None:
            self.labels = torch.cat([gt_labels, self.labels])

    def __repr__(self) -> str:
        positive = int((self.gt_inds > 0).sum())
        return (
            f"{type(self).__name__}(num_gts={self.num_gts}, num_preds={self.num_preds}, "
            f"positive={positive})"
        )


class SamplingResult:
    """The priors that train, and the objects that the positive ones belong to.

    Args:
        pos_inds: (p,) int64 indices of priors that belong to an object.
        neg_inds: (q,) int64 indices of priors that are background.
        bboxes: (n, 4) priors, x1 y1 x2 y2.
        gt_bboxes: (G, 4) objects.
        assign_result: what the assigner said of the priors.
        gt_flags: (n,) uint8, 1 where a prior is an object put in front by the sampler.
    """

    def __init__(
        self,
        pos_inds: Tensor,
        neg_inds: Tensor,
        bboxes: Tensor,
        gt_bboxes: Tensor,
        assign_result: AssignResult,
        gt_flags: Tensor,
    ) -> None:
        self.pos_inds = pos_inds
        self.neg_inds = neg_inds
        self.pos_bboxes = bboxes[pos_inds]
        self.neg_bboxes = bboxes[neg_inds]
        self.pos_is_gt = gt_flags[pos_inds]
        self.num_gts = gt_bboxes.shape[0]
        self.pos_assigned_gt_inds = assign_result.gt_inds[pos_inds] - 1
        # An image without objects may come with boxes of shape (0,).
        self.pos_gt_bboxes = gt_bboxes.reshape(-1, 4)[self.pos_assigned_gt_inds]
        labels = assign_result.labels
        self.pos_gt_labels = None if labels is None else labels[pos_inds]

    @property
    def bboxes(self) -> Tensor:
        """(p + q, 4): the positive priors, then the negative ones."""
        return torch.cat([self.pos_bboxes, self.neg_bboxes])

    @property
    def info(self) -> dict[str, Any]:
        """The fields by name."""
        return {
            "pos_inds": self.pos_inds,
            "neg_inds": self.neg_inds,
            "pos_bboxes": self.pos_bboxes,
            "neg_bboxes": self.neg_bboxes,
            "pos_is_gt": self.pos_is_gt,
            "num_gts": self.num_gts,
            "pos_assigned_gt_inds": self.pos_assigned_gt_inds,
        }

    def to(self, device: torch.device | str) -> SamplingResult:
        """Move every tensor to ``device``, in place."""
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(self, name, value.to(device))
        return self

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(num_gts={self.num_gts}, positive={len(self.pos_inds)}, "
            f"negative={len(self.neg_inds)})"
        )
