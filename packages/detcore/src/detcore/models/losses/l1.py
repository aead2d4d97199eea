"""Losses of the distance between two numbers.

Smooth L1: Girshick, "Fast R-CNN", 2015; balanced L1: Pang et al., "Libra R-CNN", 2019.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from detcore.errors import OptionError
from detcore.models.losses.reduce import Loss, check_same_shape, weighted_loss
from detcore.registries import LOSSES


def _distance(pred: Tensor, target: Tensor) -> Tensor:
    if target.numel() == 0:
        return pred.sum() * 0
    check_same_shape(pred, target)
    return (pred - target).abs()


@weighted_loss
def l1_loss(pred: Tensor, target: Tensor) -> Tensor:
    """Absolute difference."""
    return _distance(pred, target)


@weighted_loss
def smooth_l1_loss(pred: Tensor, target: Tensor, beta: float = 1.0) -> Tensor:
    """Absolute difference, quadratic below ``beta``."""
    distance = _distance(pred, target)
    return torch.where(distance < beta, 0.5 * distance * distance / beta, distance - 0.5 * beta)


@weighted_loss
def balanced_l1_loss(
    pred: Tensor, target: Tensor, beta: float = 1.0, alpha: float = 0.5, gamma: float = 1.5
) -> Tensor:
    """Absolute difference whose gradient is promoted below ``beta``."""
    distance = _distance(pred, target)
    b = math.exp(gamma / alpha) - 1
    near = alpha / b * (b * distance + 1) * torch.log(b * distance / beta + 1) - alpha * distance
    return torch.where(distance < beta, near, gamma * distance + gamma / b - alpha * beta)


@LOSSES.register_module()
class L1Loss(Loss):
    """Absolute difference."""

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: Tensor | float | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """The loss of ``pred`` against ``target``, weighted and reduced."""
        reduction = self.choose_reduction(reduction_override)
        return self.loss_weight * l1_loss(pred, target, weight, reduction, avg_factor)


@LOSSES.register_module()
class SmoothL1Loss(Loss):
    """Absolute difference, quadratic near 0.

    Args:
        beta: where the quadratic part ends.
        reduction: ``none``, ``mean`` or ``sum``.
        loss_weight: what the reduced loss is multiplied by.
    """

    def __init__(
        self, beta: float = 1.0, reduction: str = "mean", loss_weight: float = 1.0
    ) -> None:
        super().__init__(reduction, loss_weight)
        _check_beta(self, beta)
        self.beta = beta

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: Tensor | float | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """The loss of ``pred`` against ``target``, weighted and reduced."""
        reduction = self.choose_reduction(reduction_override)
        loss = smooth_l1_loss(pred, target, weight, reduction, avg_factor, beta=self.beta)
        return self.loss_weight * loss


@LOSSES.register_module()
class BalancedL1Loss(Loss):
    """Absolute difference that lets easy samples teach more.

    Args:
        alpha: how much the gradient of easy samples is promoted.
        gamma: upper bound of the gradient.
        beta: where easy samples end.
        reduction: ``none``, ``mean`` or ``sum``.
        loss_weight: what the reduced loss is multiplied by.
    """

    def __init__(
        self,
        alpha: float = 0.5,
        gamma: float = 1.5,
        beta: float = 1.0,
        reduction: str = "mean",
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__(reduction, loss_weight)
        _check_beta(self, beta)
        self.alpha = alpha
        self.gamma = gamma
        self.beta = beta

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: Tensor | float | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """The loss of ``pred`` against ``target``, weighted and reduced."""
        loss = balanced_l1_loss(
            pred,
            target,
            weight,
            self.choose_reduction(reduction_override),
            avg_factor,
            beta=self.beta,
            alpha=self.alpha,
            gamma=self.gamma,
        )
        return self.loss_weight * loss


def _check_beta(loss: Loss, beta: float) -> None:
    if beta <= 0:
        raise OptionError(f"{type(loss).__name__}: beta={beta}; give more than 0, or use L1Loss")
