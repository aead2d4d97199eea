"""What an assigner is: priors to objects."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

from detcore.matching.results import AssignResult


class BaseAssigner(ABC):
    """Says which object every prior belongs to."""

    @abstractmethod
    def assign(self, *args: Any, **kwargs: Any) -> AssignResult:
        """Match priors with objects; what else it looks at is each assigner's own."""


def labels_of(gt_inds: Tensor, gt_labels: Tensor | None) -> Tensor | None:
    """(n,) class of the object that each prior belongs to, -1 where there is none.

    Args:
        gt_inds: (n,) int64, i + 1 for object i.
        gt_labels: (G,) classes of the objects; None gives None.
    """
    if gt_labels is None:
        return None
    labels = gt_inds.new_full(gt_inds.shape, -1)
    positive = gt_inds > 0
    labels[positive] = gt_labels[gt_inds[positive] - 1].to(labels.dtype)
    return labels


def without_objects(num_gts: int, num_boxes: int, like: Tensor, labelled: bool) -> AssignResult:
    """The result where there is no prior or no object: all background."""
    gt_inds = like.new_zeros(num_boxes, dtype=torch.long)
    labels = gt_inds.new_full((num_boxes,), -1) if labelled else None
    return AssignResult(num_gts, gt_inds, like.new_zeros(num_boxes), labels)
