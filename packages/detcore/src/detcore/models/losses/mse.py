"""Squared difference."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from detcore.models.losses.reduce import Loss, weighted_loss
from detcore.registries import LOSSES


@weighted_loss
def mse_loss(pred: Tensor, target: Tensor) -> Tensor:
    """Element-wise squared difference."""
    return F.mse_loss(pred, target, reduction="none")


@LOSSES.register_module()
class MSELoss(Loss):
    """Squared difference."""

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
        return self.loss_weight * mse_loss(pred, target, weight, reduction, avg_factor)
