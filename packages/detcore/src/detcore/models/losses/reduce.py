"""Weights and averages of element-wise losses, written once."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn

from detcore.errors import OptionError, ShapeError, check_option

REDUCTIONS = ("none", "mean", "sum")


def reduce_loss(loss: Tensor, reduction: str) -> Tensor:
    """A loss of any shape as it is, its mean, or its sum; nothing has the mean 0."""
    check_option("loss", "reduction", reduction, REDUCTIONS)
    if reduction == "none":
        return loss
    if reduction == "sum" or loss.numel() == 0:
        return loss.sum()
    return loss.mean()


def weight_reduce_loss(
    loss: Tensor,
    weight: Tensor | None = None,
    reduction: str = "mean",
    avg_factor: Tensor | float | None = None,
) -> Tensor:
    """Weight a loss element by element, then reduce it.

    Args:
        loss: any shape.
        weight: what it is multiplied by; broadcasts.
        reduction: ``none``, ``mean`` or ``sum``.
        avg_factor: what the sum is divided by for the mean, in place of the number of elements.

    Raises:
        OptionError: there is an ``avg_factor``, but the reduction is ``sum``.
    """
    if weight is not None:
        loss = loss * weight
    if avg_factor is None or reduction == "none":
        return reduce_loss(loss, reduction)
    if reduction != "mean":
        raise OptionError(
            f"loss: avg_factor with reduction={reduction!r} has no meaning; use reduction='mean'"
        )
    # One float above nothing keeps an average over no objects finite.
    return loss.sum() / (avg_factor + torch.finfo(torch.float32).eps)


def weighted_loss(elementwise: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Give a function ``(pred, target, ...)`` the arguments weight, reduction and avg_factor."""

    @wraps(elementwise)
    def reduced(
        pred: Tensor,
        target: Any,
        weight: Tensor | None = None,
        reduction: str = "mean",
        avg_factor: Tensor | float | None = None,
        **settings: Any,
    ) -> Tensor:
        loss = elementwise(pred, target, **settings)
        return weight_reduce_loss(loss, weight, reduction, avg_factor)

    return reduced


def check_same_shape(pred: Tensor, target: Tensor) -> None:
    """Raise ``ShapeError`` where two tensors would broadcast in silence."""
    if pred.shape != target.shape:
        raise ShapeError(
            f"loss: predictions {tuple(pred.shape)} and targets {tuple(target.shape)} differ in "
            "shape; bring them to one shape first"
        )


class Loss(nn.Module):
    """A loss with a reduction and a weight among the other losses.

    Args:
        reduction: ``none``, ``mean`` or ``sum``; a call may override it.
        loss_weight: what the reduced loss is multiplied by.
    """

    def __init__(self, reduction: str = "mean", loss_weight: float = 1.0) -> None:
        super().__init__()
        check_option(type(self).__name__, "reduction", reduction, REDUCTIONS)
        self.reduction = reduction
        self.loss_weight = loss_weight

    def choose_reduction(self, override: str | None) -> str:
        """The reduction of this call."""
        if override is None:
            return self.reduction
        check_option(type(self).__name__, "reduction_override", override, REDUCTIONS)
        return override

    def extra_repr(self) -> str:
        """Settings that ``print(model)`` shows."""
        return f"reduction={self.reduction!r}, loss_weight={self.loss_weight}"
