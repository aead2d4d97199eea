"""Varifocal loss: positive answers weigh as much as their box is good.

Zhang et al., "VarifocalNet: An IoU-aware Dense Object Detector", 2021.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from detcore.errors import OptionError
from detcore.models.losses.reduce import Loss, check_same_shape, weight_reduce_loss
from detcore.registries import LOSSES


def varifocal_loss(
    pred: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    alpha: float = 0.75,
    gamma: float = 2.0,
    iou_weighted: bool = True,
    reduction: str = "mean",
    avg_factor: Tensor | float | None = None,
) -> Tensor:
    """Cross entropy against qualities.

    Args:
        pred: (n, C) logits.
        target: (n, C), the quality of a box at its class, 0 elsewhere.
        weight: (n, C).
        alpha: weight of the negative answers.
        gamma: how fast the loss of easy negative answers fades.
        iou_weighted: weigh positive answers by their quality, not by 1.
        reduction: ``none``, ``mean`` or ``sum``.
        avg_factor: what the sum is divided by for the mean.
    """
    check_same_shape(pred, target)
    target = target.to(pred.dtype)
    positive = (target > 0).to(pred.dtype)
    negative = (target <= 0).to(pred.dtype)
    focus = alpha * (pred.sigmoid() - target).abs().pow(gamma) * negative
    focus = focus + (target * positive if iou_weighted else positive)
    loss = F.binary_cross_entropy_with_logits(pred, target, reduction="none") * focus
    return weight_reduce_loss(loss, weight, reduction, avg_factor)


@LOSSES.register_module()
class VarifocalLoss(Loss):
    """Classification whose target is the quality of the box, easy background fading.

    Args:
        use_sigmoid: only True is known.
        alpha: weight of the negative answers.
        gamma: how fast the loss of easy negative answers fades.
        iou_weighted: weigh positive answers by their quality, not by 1.
        reduction: ``none``, ``mean`` or ``sum``.
        loss_weight: what the reduced loss is multiplied by.
    """

    def __init__(
        self,
        use_sigmoid: bool = True,
        alpha: float = 0.75,
        gamma: float = 2.0,
        iou_weighted: bool = True,
        reduction: str = "mean",
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__(reduction, loss_weight)
        if not use_sigmoid:
            raise OptionError("VarifocalLoss: use_sigmoid=False is not known; leave it True")
        if alpha < 0:
            raise OptionError(f"VarifocalLoss: alpha={alpha}; give 0 or more")
        self.use_sigmoid = use_sigmoid
        self.alpha = alpha
        self.gamma = gamma
        self.iou_weighted = iou_weighted

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: Tensor | float | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """The loss of (n, C) ``pred`` against (n, C) qualities."""
        return self.loss_weight * varifocal_loss(
            pred,
            target,
            weight,
            self.alpha,
            self.gamma,
            self.iou_weighted,
            self.choose_reduction(reduction_override),
            avg_factor,
        )
