"""Focal loss: cross entropy that looks away from what is already easy.

Lin et al., "Focal Loss for Dense Object Detection", 2017.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from detcore.errors import OptionError, ShapeError
from detcore.models.losses.focal_sum import focal_sum, positives
from detcore.models.losses.reduce import Loss, weight_reduce_loss
from detcore.registries import LOSSES


def sigmoid_focal_loss(
    pred: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    gamma: float = 2.0,
    alpha: float = 0.25,
    reduction: str = "mean",
    avg_factor: Tensor | float | None = None,
) -> Tensor:
    """Focal loss of logits.

    Args:
        pred: (n, C) logits.
        target: (n,) int64 classes, where any class beyond C - 1 is background; or (n, C) targets,
            0 or 1.
        weight: (n,) of each sample, or (n, C).
        gamma: how fast the loss of easy samples fades.
        alpha: weight of the positive answers; the negative ones have 1 - alpha.
        reduction: ``none``, ``mean`` or ``sum``.
        avg_factor: what the sum is divided by for the mean.
    """
    if target.dim() == pred.dim():
        loss = _dense(pred, target.to(pred.dtype), gamma, alpha)
    elif _only_sum_matters(pred, weight, reduction):
        loss = focal_sum(pred, target, weight, gamma, alpha)
        if avg_factor is None and reduction == "mean":
            loss = loss / max(pred.numel(), 1)
        return weight_reduce_loss(loss, None, reduction, avg_factor)
    else:
        loss = _by_class(pred, target, gamma, alpha)
    return weight_reduce_loss(loss, _fit(weight, loss), reduction, avg_factor)


def focal_loss_of_probabilities(
    pred: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    gamma: float = 2.0,
    alpha: float = 0.25,
    reduction: str = "mean",
    avg_factor: Tensor | float | None = None,
) -> Tensor:
    """``sigmoid_focal_loss`` where ``pred`` has been through the sigmoid."""
    if target.dim() != pred.dim():
        target = target[:, None] == torch.arange(pred.size(1), device=target.device)
    target = target.to(pred.dtype)
    missed = (1 - pred) * target + pred * (1 - target)
    balance = alpha * target + (1 - alpha) * (1 - target)
    entropy = F.binary_cross_entropy(pred, target, reduction="none")
    loss = entropy * balance * missed.pow(gamma)
    return weight_reduce_loss(loss, _fit(weight, loss), reduction, avg_factor)


def _dense(pred: Tensor, target: Tensor, gamma: float, alpha: float) -> Tensor:
    probability = pred.sigmoid()
    missed = (1 - probability) * target + probability * (1 - target)
    balance = alpha * target + (1 - alpha) * (1 - target)
    entropy = F.binary_cross_entropy_with_logits(pred, target, reduction="none")
    return entropy * balance * missed.pow(gamma)


def _by_class(pred: Tensor, target: Tensor, gamma: float, alpha: float) -> Tensor:
    # Nearly every answer is negative: all are computed as such, and the few positive ones replaced,
    # which needs no one-hot target as large as the predictions.
    loss = (1 - alpha) * pred.sigmoid().pow(gamma) * F.softplus(pred)
    rows, columns = positives(target, pred.size(1))
    positive = -pred[rows, columns]
    return loss.index_put(
        (rows, columns), alpha * positive.sigmoid().pow(gamma) * F.softplus(positive)
    )


def _only_sum_matters(pred: Tensor, weight: Tensor | None, reduction: str) -> bool:
    """Whether nobody asks for single losses, and weights are of samples and given."""
    if reduction == "none" or torch.compiler.is_compiling():
        return False
    return weight is None or (weight.shape == pred.shape[:1] and not weight.requires_grad)


def _fit(weight: Tensor | None, loss: Tensor) -> Tensor | None:
    """Bring the weight of samples, or of flattened elements, to the shape of the loss."""
    if weight is None or weight.shape == loss.shape:
        return weight
    if weight.numel() == loss.numel():
        return weight.reshape(loss.shape)
    if weight.dim() == 1 and len(weight) == len(loss):
        return weight.reshape(-1, *[1] * (loss.dim() - 1))
    if weight.dim() == loss.dim():
        return weight
    raise ShapeError(
        f"focal loss: weights {tuple(weight.shape)} do not fit predictions {tuple(loss.shape)}; "
        "give one a sample or one an element"
    )


@LOSSES.register_module()
class FocalLoss(Loss):
    """Focal loss over independent classes.

    Args:
        use_sigmoid: only True is known.
        gamma: how fast the loss of easy samples fades.
        alpha: weight of the positive answers.
        reduction: ``none``, ``mean`` or ``sum``.
        loss_weight: what the reduced loss is multiplied by.
        activated: predictions have been through the sigmoid.
    """

    def __init__(
        self,
        use_sigmoid: bool = True,
        gamma: float = 2.0,
        alpha: float = 0.25,
        reduction: str = "mean",
        loss_weight: float = 1.0,
        activated: bool = False,
    ) -> None:
        super().__init__(reduction, loss_weight)
        if not use_sigmoid:
            raise OptionError("FocalLoss: use_sigmoid=False is not known; leave it True")
        self.use_sigmoid = use_sigmoid
        self.gamma = gamma
        self.alpha = alpha
        self.activated = activated

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: Tensor | float | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """The loss of (n, C) ``pred`` against (n,) classes or (n, C) targets."""
        criterion = focal_loss_of_probabilities if self.activated else sigmoid_focal_loss
        reduction = self.choose_reduction(reduction_override)
        return self.loss_weight * criterion(
            pred, target, weight, self.gamma, self.alpha, reduction, avg_factor
        )
