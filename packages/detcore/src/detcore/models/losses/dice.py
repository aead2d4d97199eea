"""Dice loss: how little two masks share.

Milletari et al., "V-Net", 2016; the naive form is that of MaskFormer.
"""

from __future__ import annotations

from torch import Tensor

from detcore.errors import OptionError
from detcore.models.losses.reduce import Loss, weight_reduce_loss
from detcore.registries import LOSSES


def dice_loss(
    pred: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    eps: float = 1e-3,
    reduction: str = "mean",
    naive_dice: bool = False,
    avg_factor: Tensor | float | None = None,
) -> Tensor:
    """One minus the dice coefficient of each sample.

    Args:
        pred: (n, ...) probabilities.
        target: (n, ...), 0 to 1.
        weight: (n,).
        eps: keeps the ratio finite.
        reduction: ``none``, ``mean`` or ``sum``.
        naive_dice: sizes are sums of probabilities, not of their squares.
        avg_factor: what the sum is divided by for the mean.
    """
    pred, target = pred.flatten(1), target.flatten(1).float()
    shared = (pred * target).sum(dim=1)
    if naive_dice:
        dice = (2 * shared + eps) / (pred.sum(dim=1) + target.sum(dim=1) + eps)
    else:
        sizes = ((pred * pred).sum(dim=1) + eps) + ((target * target).sum(dim=1) + eps)
        dice = 2 * shared / sizes
    return weight_reduce_loss(1 - dice, weight, reduction, avg_factor)


@LOSSES.register_module()
class DiceLoss(Loss):
    """One minus the dice coefficient.

    Args:
        use_sigmoid: how predictions become probabilities; only True is known.
        activate: predictions are logits; False where they are probabilities.
        reduction: ``none``, ``mean`` or ``sum``.
        naive_dice: sizes are sums of probabilities, not of their squares.
        loss_weight: what the reduced loss is multiplied by.
        eps: keeps the ratio finite.
    """

    def __init__(
        self,
        use_sigmoid: bool = True,
        activate: bool = True,
        reduction: str = "mean",
        naive_dice: bool = False,
        loss_weight: float = 1.0,
        eps: float = 1e-3,
    ) -> None:
        super().__init__(reduction, loss_weight)
        if activate and not use_sigmoid:
            raise OptionError("DiceLoss: only the sigmoid is known; set use_sigmoid=True")
        self.use_sigmoid = use_sigmoid
        self.activate = activate
        self.naive_dice = naive_dice
        self.eps = eps

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        reduction_override: str | None = None,
        avg_factor: Tensor | float | None = None,
    ) -> Tensor:
        """The loss of (n, ...) ``pred`` against (n, ...) ``target``."""
        return self.loss_weight * dice_loss(
            pred.sigmoid() if self.activate else pred,
            target,
            weight,
            self.eps,
            self.choose_reduction(reduction_override),
            self.naive_dice,
            avg_factor,
        )
