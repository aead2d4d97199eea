"""Losses of classification that carries quality, and of sides as distributions.

Li et al., "Generalized Focal Loss", 2020.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from detcore.errors import OptionError
from detcore.models.losses.reduce import Loss, weighted_loss
from detcore.registries import LOSSES


@weighted_loss
def quality_focal_loss(
    pred: Tensor, target: Sequence[Tensor], beta: float = 2.0, activated: bool = False
) -> Tensor:
    """(n,) cross entropy with the quality of each box as the target of its class.

    Args:
        pred: (n, C) logits, or probabilities where ``activated``.
        target: (n,) int64 classes, background beyond C - 1, and (n,) qualities, 0 to 1.
        beta: how fast the loss fades as prediction and quality agree.
        activated: ``pred`` has been through the sigmoid.
    """
    if len(target) != 2:
        raise OptionError("quality_focal_loss: target is (labels, qualities)")
    labels, quality = target
    entropy = F.binary_cross_entropy if activated else F.binary_cross_entropy_with_logits
    probability = pred if activated else pred.sigmoid()
    nothing = torch.zeros_like(pred)
    loss = entropy(pred, nothing, reduction="none") * probability.pow(beta)
    rows = ((labels >= 0) & (labels < pred.size(1))).nonzero().squeeze(1)
    columns = labels[rows].long()
    quality = quality[rows].to(pred.dtype)
    gap = (quality - probability[rows, columns]).abs().pow(beta)
    positive = entropy(pred[rows, columns], quality, reduction="none") * gap
    return loss.index_put((rows, columns), positive).sum(dim=1)


@weighted_loss
def distribution_focal_loss(pred: Tensor, label: Tensor) -> Tensor:
    """(n,) cross entropy that gathers the distribution at the two bins around the target.

    Args:
        pred: (n, bins) logits.
        label: (n,) targets in bins, 0 to bins - 1, with a fraction.
    """
    lower = label.long()
    upper = lower + 1
    to_lower = F.cross_entropy(pred, lower, reduction="none") * (upper.float() - label)
    to_upper = F.cross_entropy(pred, upper, reduction="none") * (label - lower.float())
    return to_lower + to_upper


@LOSSES.register_module()
class QualityFocalLoss(Loss):
    """Classification whose target is the quality of the box.

    Args:
        use_sigmoid: only True is known.
        beta: how fast the loss fades as prediction and quality agree.
        reduction: ``none``, ``mean`` or ``sum``.
        loss_weight: what the reduced loss is multiplied by.
        activated: predictions have been through the sigmoid.
    """

    def __init__(
        self,
        use_sigmoid: bool = True,
        beta: float = 2.0,
        reduction: str = "mean",
        loss_weight: float = 1.0,
        activated: bool = False,
    ) -> None:
        super().__init__(reduction, loss_weight)
        if not use_sigmoid:
            raise OptionError("QualityFocalLoss: use_sigmoid=False is not known; leave it True")
        self.use_sigmoid = use_sigmoid
        self.beta = beta
        self.activated = activated

    def forward(
        self,
        pred: Tensor,
        target: Sequence[Tensor],
        weight: Tensor | None = None,
        avg_factor: Tensor | float | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """The loss of (n, C) ``pred`` against (labels, qualities)."""
        loss = quality_focal_loss(
            pred,
            target,
            weight,
            self.choose_reduction(reduction_override),
            avg_factor,
            beta=self.beta,
            activated=self.activated,
        )
        return self.loss_weight * loss


@LOSSES.register_module()
class DistributionFocalLoss(Loss):
    """Sides of a box as distributions over bins."""

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: Tensor | float | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """The loss of (n, bins) ``pred`` against (n,) targets."""
        reduction = self.choose_reduction(reduction_override)
        return self.loss_weight * distribution_focal_loss(
            pred, target, weight, reduction, avg_factor
        )
