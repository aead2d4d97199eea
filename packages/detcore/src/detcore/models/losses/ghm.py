"""Losses that weigh samples by how rare their gradient is.

Li et al., "Gradient Harmonized Single-stage Detector", 2019.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from detcore.errors import OptionError
from detcore.models.losses.reduce import Loss, weight_reduce_loss
from detcore.registries import LOSSES


class GradientHistogram(Loss):
    """Counts of gradient norms in equal bins, remembered from batch to batch.

    Args:
        bins: how many.
        momentum: share of the past in the counts; 0 forgets.
        last_edge: where the last bin ends.
        reduction: ``none``, ``mean`` or ``sum``.
        loss_weight: what the reduced loss is multiplied by.
    """

    edges: Tensor
    acc_sum: Tensor

    def __init__(
        self, bins: int, momentum: float, last_edge: float, reduction: str, loss_weight: float
    ) -> None:
        super().__init__(reduction, loss_weight)
        self.bins = bins
        self.momentum = momentum
        edges = torch.arange(bins + 1).float() / bins
        edges[-1] = last_edge
        self.register_buffer("edges", edges)
        if momentum > 0:
            self.register_buffer("acc_sum", torch.zeros(bins))

    def harmonise(self, gradient: Tensor, valid: Tensor, total: Tensor) -> Tensor:
        """Weights in the shape of ``gradient``: ``total`` over the count of the bin.

        Args:
            gradient: norms, 0 and more.
            valid: bool, which of them count.
            total: how many count.
        """
        # A bin is [edge, next edge); between neighbouring edges of all bins lies a cell. Edges come
        # with a checkpoint and need not rise: where bins overlap, the last one has the sample.
        edges = self.edges.sort().values
        cell = torch.bucketize(gradient, edges, right=True)
        in_cell = torch.bincount(cell[valid], minlength=self.bins + 2)
        ends = torch.bucketize(self.edges, edges, right=True)
        cells = torch.arange(self.bins + 2, device=ends.device)
        covers = (cells >= ends[:-1, None]) & (cells < ends[1:, None])  # (bins, cells)
        counts = (covers * in_cell).sum(dim=1).to(gradient.dtype)
        filled = counts > 0
        if self.momentum > 0:
            remembered = self.momentum * self.acc_sum + (1 - self.momentum) * counts
            self.acc_sum.copy_(torch.where(filled, remembered, self.acc_sum))
            counts = self.acc_sum
        of_bin = torch.where(filled, total / counts, torch.zeros_like(counts))
        last = (covers * torch.arange(1, self.bins + 1, device=ends.device)[:, None]).amax(dim=0)
        of_cell = torch.cat([of_bin.new_zeros(1), of_bin])[last]
        return of_cell[cell] * valid / filled.sum().clamp(min=1)


@LOSSES.register_module()
class GHMC(GradientHistogram):
    """Sigmoid cross entropy with harmonised weights.

    Args:
        bins: of gradient norms.
        momentum: share of the past in the counts; 0 forgets.
        use_sigmoid: only True is known.
        loss_weight: what the reduced loss is multiplied by.
        reduction: ``none``, ``mean`` or ``sum``.
    """

    def __init__(
        self,
        bins: int = 10,
        momentum: float = 0,
        use_sigmoid: bool = True,
        loss_weight: float = 1.0,
        reduction: str = "mean",
    ) -> None:
        # A gradient of exactly 1 belongs to the last bin.
        super().__init__(bins, momentum, 1 + 1e-6, reduction, loss_weight)
        if not use_sigmoid:
            raise OptionError("GHMC: use_sigmoid=False is not known; leave it True")
        self.use_sigmoid = use_sigmoid

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        label_weight: Tensor,
        avg_factor: Tensor | float | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """The loss of (n, C) logits.

        Args:
            pred: (n, C) logits.
            target: (n,) classes, background beyond C - 1, or (n, C) targets, 0 or 1.
            label_weight: (n,) or (n, C); what is 0 does not count.
            avg_factor: not looked at: the number of elements that count takes its place.
            reduction_override: ``none``, ``mean`` or ``sum``.
        """
        if pred.dim() != target.dim():
            target = target[:, None] == torch.arange(pred.size(-1), device=target.device)
            label_weight = label_weight[:, None].expand(-1, pred.size(-1))
        target = target.to(pred.dtype)
        gradient = (pred.sigmoid().detach() - target).abs()
        valid = label_weight > 0
        total = valid.sum().clamp(min=1).to(pred.dtype)
        weights = self.harmonise(gradient, valid, total)
        loss = F.binary_cross_entropy_with_logits(pred, target, reduction="none")
        reduction = self.choose_reduction(reduction_override)
        return self.loss_weight * weight_reduce_loss(loss, weights, reduction, total)


@LOSSES.register_module()
class GHMR(GradientHistogram):
    """Smooth distance with harmonised weights.

    Args:
        mu: where the distance turns from quadratic to linear.
        bins: of gradient norms.
        momentum: share of the past in the counts; 0 forgets.
        loss_weight: what the reduced loss is multiplied by.
        reduction: ``none``, ``mean`` or ``sum``.
    """

    def __init__(
        self,
        mu: float = 0.02,
        bins: int = 10,
        momentum: float = 0,
        loss_weight: float = 1.0,
        reduction: str = "mean",
    ) -> None:
        super().__init__(bins, momentum, 1e3, reduction, loss_weight)
        self.mu = mu

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        label_weight: Tensor,
        avg_factor: Tensor | float | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """The loss of (n, 4) ``pred`` against (n, 4) ``target``.

        ``label_weight`` is (n, 4), where 0 does not count; ``avg_factor`` is not looked at.
        """
        gap = pred - target
        length = torch.sqrt(gap * gap + self.mu * self.mu)
        gradient = (gap / length).abs().detach()
        valid = label_weight > 0
        total = label_weight.float().sum().clamp(min=1.0)
        weights = self.harmonise(gradient, valid, total)
        reduction = self.choose_reduction(reduction_override)
        return self.loss_weight * weight_reduce_loss(length - self.mu, weights, reduction, total)
