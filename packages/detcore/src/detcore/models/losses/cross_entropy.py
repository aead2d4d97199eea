"""Cross entropy over classes, over independent questions, and over the mask of one class."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from detcore.errors import OptionError
from detcore.models.losses.reduce import Loss, weight_reduce_loss
from detcore.registries import LOSSES

_NO_LABEL = -100  # ignore_index where none is set, as torch has it


def cross_entropy(
    pred: Tensor,
    label: Tensor,
    weight: Tensor | None = None,
    reduction: str = "mean",
    avg_factor: Tensor | float | None = None,
    class_weight: Tensor | None = None,
    ignore_index: int | None = None,
    avg_non_ignore: bool = False,
) -> Tensor:
    """Softmax cross entropy.

    Args:
        pred: (n, C, ...) logits.
        label: (n, ...) int64 classes.
        weight: (n, ...) of each sample.
        reduction: ``none``, ``mean`` or ``sum``.
        avg_factor: what the sum is divided by for the mean.
        class_weight: (C,).
        ignore_index: label whose samples count nothing.
        avg_non_ignore: take the mean over the samples that are not ignored.
    """
    ignored = _NO_LABEL if ignore_index is None else ignore_index
    loss = F.cross_entropy(pred, label, weight=class_weight, reduction="none", ignore_index=ignored)
    if avg_factor is None and avg_non_ignore and reduction == "mean":
        avg_factor = (label != ignored).sum()
    weight = None if weight is None else weight.float()
    return weight_reduce_loss(loss, weight, reduction, avg_factor)


def binary_cross_entropy(
    pred: Tensor,
    label: Tensor,
    weight: Tensor | None = None,
    reduction: str = "mean",
    avg_factor: Tensor | float | None = None,
    class_weight: Tensor | None = None,
    ignore_index: int | None = None,
    avg_non_ignore: bool = False,
) -> Tensor:
    """Sigmoid cross entropy.

    Args:
        pred: (n, C) or (n,) logits.
        label: (n,) int64 classes, where any class beyond C - 1 is background; or targets in the
            shape of ``pred``.
        weight: (n,) of each sample, or in the shape of ``pred``.
        reduction: ``none``, ``mean`` or ``sum``.
        avg_factor: what the sum is divided by for the mean.
        class_weight: (C,) weight of the positive answers.
        ignore_index: label that counts nothing; negative labels never count.
        avg_non_ignore: take the mean over the elements that are not ignored.
    """
    ignored = _NO_LABEL if ignore_index is None else ignore_index
    valid = (label >= 0) & (label != ignored)
    if pred.dim() != label.dim():
        classes = torch.arange(pred.size(-1), device=label.device)
        label = (label.reshape(-1, 1) == classes) & valid.reshape(-1, 1)
        valid = valid.reshape(-1, 1).expand(-1, pred.size(-1))
        weight = None if weight is None else weight.reshape(-1, 1)
    counts = valid.float()
    if avg_factor is None and avg_non_ignore and reduction == "mean":
        avg_factor = counts.sum()
    weight = counts if weight is None else weight.float() * counts
    loss = F.binary_cross_entropy_with_logits(
        pred, label.to(pred.dtype), pos_weight=class_weight, reduction="none"
    )
    return weight_reduce_loss(loss, weight, reduction, avg_factor)


def mask_cross_entropy(
    pred: Tensor,
    target: Tensor,
    label: Tensor,
    reduction: str = "mean",
    avg_factor: Tensor | float | None = None,
    class_weight: Tensor | None = None,
    ignore_index: int | None = None,
) -> Tensor:
    """Sigmoid cross entropy of the mask of each region's own class.

    Args:
        pred: (n, C, h, w) logits.
        target: (n, h, w), 0 to 1.
        label: (n,) int64 class of each region.
        reduction: only ``mean`` is known.
        avg_factor: only None is known.
        class_weight: broadcasts against ``target``.
        ignore_index: only None is known.

    Returns:
        (1,) the mean over all regions and pixels; 0 without regions.
    """
    if reduction != "mean" or avg_factor is not None or ignore_index is not None:
        raise OptionError(
            "mask_cross_entropy: only the plain mean is known; leave out avg_factor and "
            "ignore_index, and use reduction='mean'"
        )
    own = pred[torch.arange(len(pred), device=pred.device), label]
    if len(pred) == 0:
        return own.sum()[None]
    return F.binary_cross_entropy_with_logits(own, target, weight=class_weight, reduction="mean")[
        None
    ]


@LOSSES.register_module()
class CrossEntropyLoss(Loss):
    """Cross entropy.

    Args:
        use_sigmoid: classes are independent questions.
        use_mask: predictions are masks, one a class.
        reduction: ``none``, ``mean`` or ``sum``.
        class_weight: of each class.
        ignore_index: label that counts nothing; a call may override it.
        loss_weight: what the reduced loss is multiplied by.
        avg_non_ignore: take the mean over what is not ignored.
    """

    def __init__(
        self,
        use_sigmoid: bool = False,
        use_mask: bool = False,
        reduction: str = "mean",
        class_weight: Sequence[float] | None = None,
        ignore_index: int | None = None,
        loss_weight: float = 1.0,
        avg_non_ignore: bool = False,
    ) -> None:
        super().__init__(reduction, loss_weight)
        if use_sigmoid and use_mask:
            raise OptionError("CrossEntropyLoss: use_sigmoid and use_mask exclude each other")
        if ignore_index is not None and not avg_non_ignore and reduction == "mean":
            warnings.warn(
                "CrossEntropyLoss: ignored labels still count in the mean; set "
                "avg_non_ignore=True to average over the others",
                UserWarning,
                stacklevel=2,
            )
        self.use_sigmoid = use_sigmoid
        self.use_mask = use_mask
        self.class_weight = class_weight
        self.ignore_index = ignore_index
        self.avg_non_ignore = avg_non_ignore

    def forward(
        self,
        cls_score: Tensor,
        label: Tensor,
        weight: Tensor | None = None,
        avg_factor: Tensor | float | None = None,
        reduction_override: str | None = None,
        ignore_index: int | None = None,
    ) -> Tensor:
        """The loss; for masks, ``label`` is the target and ``weight`` the class of each region."""
        reduction = self.choose_reduction(reduction_override)
        ignored = self.ignore_index if ignore_index is None else ignore_index
        class_weight = (
            None if self.class_weight is None else cls_score.new_tensor(self.class_weight)
        )
        if self.use_mask:
            assert weight is not None
            loss = mask_cross_entropy(
                cls_score, label, weight, reduction, avg_factor, class_weight, ignored
            )
        else:
            criterion = binary_cross_entropy if self.use_sigmoid else cross_entropy
            loss = criterion(
                cls_score,
                label,
                weight,
                reduction,
                avg_factor,
                class_weight,
                ignored,
                self.avg_non_ignore,
            )
        return self.loss_weight * loss
