"""The sum of focal losses and its gradient, in one walk over the predictions."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

# Predictions looked at together, with some six numbers each in between: what a processor's cache
# holds. A graphics card takes all at once.
_AT_ONCE_ON_CPU = 1 << 17


def focal_sum(
    pred: Tensor, target: Tensor, weight: Tensor | None, gamma: float, alpha: float
) -> Tensor:
    """Sum of the focal loss of (n, C) logits with (n,) int64 classes and (n,) weights.

    Nothing as large as the predictions is kept but their gradient, which is computed on the way. It
    cannot be differentiated once more.
    """
    total: Tensor = _FocalSum.apply(pred, target, weight, gamma, alpha)
    return total


class _FocalSum(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, pred: Tensor, target: Tensor, weight: Tensor | None, gamma: float, alpha: float
    ) -> Tensor:
        gradient = torch.empty_like(pred) if ctx.needs_input_grad[0] else None
        total = pred.new_zeros((), dtype=torch.float64 if pred.is_cpu else pred.dtype)
        # Nearly every answer is negative: all are taken as such, then the few others put right.
        for rows in _runs(pred):
            value, slope = _focal(pred[rows], gamma)
            if weight is not None:
                slope = slope * weight[rows, None]
                value = value.sum(dim=1) * weight[rows]
            total += (1 - alpha) * value.sum()
            if gradient is not None:
                torch.mul(slope, 1 - alpha, out=gradient[rows])
        rows, columns = positives(target, pred.size(1))
        logits = pred[rows, columns]
        ones = torch.ones_like(logits) if weight is None else weight[rows].to(logits.dtype)
        value, slope = _focal(-logits, gamma)
        total += (ones * (alpha * value - (1 - alpha) * _focal(logits, gamma)[0])).sum()
        if gradient is not None:
            gradient[rows, columns] = -alpha * slope * ones
            ctx.save_for_backward(gradient)
        return total.to(pred.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None, None, None, None]:
        gradient = ctx.saved_tensors[0] * grad if ctx.needs_input_grad[0] else None
        return gradient, None, None, None, None


def _runs(pred: Tensor) -> list[slice]:
    rows = max(1, _AT_ONCE_ON_CPU // pred.size(1)) if pred.is_cpu else max(1, len(pred))
    return [slice(first, first + rows) for first in range(0, len(pred), rows)]


def _focal(logits: Tensor, gamma: float) -> tuple[Tensor, Tensor]:
    """Loss of negative answers, not yet balanced, and its derivative by the logits."""
    probability = logits.sigmoid()
    entropy = _softplus(logits)
    focus = probability.pow(gamma)
    slope = torch.addcmul(probability, 1 - probability, entropy, value=gamma).mul_(focus)
    return entropy.mul_(focus), slope


def _softplus(logits: Tensor) -> Tensor:
    """``log(1 + exp(x))``, to rounding for any x.

    On a processor torch's own can take three times as long, nearly all of it in ``log1p``. With
    ``e = exp(-|x|)`` that is ``2 atanh(e / (2 + e))``, which cancels nothing.
    """
    if not logits.is_cpu:
        return F.softplus(logits)
    small = logits.abs().neg_().exp_()
    return small.div_(small + 2).atanh_().mul_(2).add_(logits.clamp(min=0))


def positives(target: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """Rows and classes of the samples that are no background; (n,) int64 classes."""
    rows = ((target >= 0) & (target < num_classes)).nonzero().squeeze(1)
    return rows, target[rows]
