"""Focal losses (Lin et al., "Focal Loss for Dense Object Detection", arXiv 1708.02002)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cvcore.errors import ConfigError


def sigmoid_focal_loss(
    input: Tensor,
    target: Tensor,
    gamma: float = 2.0,
    alpha: float = 0.25,
    weight: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Binary focal loss of each class.

    Args:
        input: (n, C) logits.
        target: (n,) int64; C, or any number that is no class, is background.
        gamma: How much easy examples count less.
        alpha: Weight of positives; negatives have ``1 - alpha``.
        weight: (C,), weight of the samples of each class; background has 1.
        reduction: ``'none'``, ``'sum'``, or ``'mean'``, which is the sum over n.

    Returns:
        (n, C) for ``'none'``, else a scalar.
    """
    positive = target[:, None] == torch.arange(input.shape[1], device=input.device)
    towards = torch.where(positive, input, -input)
    balance = torch.where(positive, input.new_tensor(alpha), input.new_tensor(1 - alpha))
    loss = -balance * (-towards).sigmoid() ** gamma * F.logsigmoid(towards)
    if weight is not None:
        loss = loss * _weight_of(target, weight)[:, None]
    return _reduce(loss, reduction)


def softmax_focal_loss(
    input: Tensor,
    target: Tensor,
    gamma: float = 2.0,
    alpha: float = 0.25,
    weight: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Focal loss of exclusive classes.

    Args:
        input: (n, C) logits.
        target: (n,) int64; a negative one is ignored.
        gamma: How much easy examples count less.
        alpha: Weight of all.
        weight: (C,), weight of the samples of each class.
        reduction: ``'none'``, ``'sum'``, or ``'mean'``, which is the sum over n.

    Returns:
        (n,) for ``'none'``, else a scalar.
    """
    valid = target >= 0
    log_probability = input.log_softmax(dim=1)
    log_probability = log_probability.gather(1, target.clamp(min=0)[:, None]).squeeze(1)
    loss = -alpha * (1 - log_probability.exp()) ** gamma * log_probability
    loss = torch.where(valid, loss, torch.zeros_like(loss))
    if weight is not None:
        loss = loss * _weight_of(target, weight)
    return _reduce(loss, reduction)


def _weight_of(target: Tensor, weight: Tensor) -> Tensor:
    known = (target >= 0) & (target < len(weight))
    return torch.where(known, weight[target.clamp(0, len(weight) - 1)], weight.new_ones(()))


def _reduce(loss: Tensor, reduction: str) -> Tensor:
    if reduction == "none":
        return loss
    if reduction == "sum":
        return loss.sum()
    if reduction == "mean":
        return loss.sum() / max(len(loss), 1)
    raise ConfigError(f"reduction is 'none', 'mean' or 'sum', not {reduction!r}")


class _FocalLoss(nn.Module):
    """Options that the two losses share; ``weight`` is a buffer, to move with the module."""

    weight: Tensor | None

    def __init__(
        self, gamma: float, alpha: float, weight: Tensor | None = None, reduction: str = "mean"
    ) -> None:
        super().__init__()
        self.gamma = gamma
        self.alpha = alpha
        self.register_buffer("weight", weight)
        self.reduction = reduction

    def extra_repr(self) -> str:
        """The options, for printing the model."""
        return f"gamma={self.gamma}, alpha={self.alpha}, reduction={self.reduction!r}"


class SigmoidFocalLoss(_FocalLoss):
    """:func:`sigmoid_focal_loss` as a module, with its arguments."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of (n, C) logits and (n,) classes."""
        return sigmoid_focal_loss(
            input, target, self.gamma, self.alpha, self.weight, self.reduction
        )


class SoftmaxFocalLoss(_FocalLoss):
    """:func:`softmax_focal_loss` as a module, with its arguments."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of (n, C) logits and (n,) classes."""
        return softmax_focal_loss(
            input, target, self.gamma, self.alpha, self.weight, self.reduction
        )
