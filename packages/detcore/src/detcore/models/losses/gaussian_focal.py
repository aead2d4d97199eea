"""Focal loss of heat maps whose peaks have soft sides.

Law and Deng, "CornerNet: Detecting Objects as Paired Keypoints", 2018.
"""

from __future__ import annotations

from torch import Tensor

from detcore.models.losses.reduce import Loss, weighted_loss
from detcore.registries import LOSSES


@weighted_loss
def gaussian_focal_loss(
    pred: Tensor, gaussian_target: Tensor, alpha: float = 2.0, gamma: float = 4.0
) -> Tensor:
    """Element-wise loss of probabilities against a map that is 1 at peaks and falls off around.

    Args:
        pred: probabilities, any shape.
        gaussian_target: same shape, 0 to 1.
        alpha: how fast the loss of easy samples fades.
        gamma: how much the surroundings of a peak are spared.
    """
    eps = 1e-12
    peak = gaussian_target.eq(1)
    spared = (1 - gaussian_target).pow(gamma)
    positive = -(pred + eps).log() * (1 - pred).pow(alpha) * peak
    negative = -(1 - pred + eps).log() * pred.pow(alpha) * spared
    return positive + negative


@LOSSES.register_module()
class GaussianFocalLoss(Loss):
    """Focal loss of heat maps.

    Args:
        alpha: how fast the loss of easy samples fades.
        gamma: how much the surroundings of a peak are spared.
        reduction: ``none``, ``mean`` or ``sum``.
        loss_weight: what the reduced loss is multiplied by.
    """

    def __init__(
        self,
        alpha: float = 2.0,
        gamma: float = 4.0,
        reduction: str = "mean",
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__(reduction, loss_weight)
        self.alpha = alpha
        self.gamma = gamma

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: Tensor | float | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """The loss of probabilities ``pred`` against the heat map ``target``."""
        loss = gaussian_focal_loss(
            pred,
            target,
            weight,
            self.choose_reduction(reduction_override),
            avg_factor,
            alpha=self.alpha,
            gamma=self.gamma,
        )
        return self.loss_weight * loss
