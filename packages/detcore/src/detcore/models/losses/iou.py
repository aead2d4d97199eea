"""Losses of the overlap of boxes.

IoU: Yu et al., "UnitBox", 2016; bounded: Tychsen-Smith and Petersson, "Improving Object
Localization with Fitness NMS and Bounded IoU Loss", 2018; GIoU: Rezatofighi et al., 2019; DIoU and
CIoU: Zheng et al., "Distance-IoU Loss", 2020.
"""

from __future__ import annotations

import math
import warnings
from abc import abstractmethod

import torch
from torch import Tensor

from detcore.boxes.overlap import bbox_overlaps
from detcore.errors import check_option
from detcore.models.losses.reduce import Loss, weighted_loss
from detcore.registries import LOSSES


@weighted_loss
def iou_loss(pred: Tensor, target: Tensor, mode: str = "log", eps: float = 1e-6) -> Tensor:
    """(n,) minus logarithm of the IoU, or one minus the IoU or its square.

    Args:
        pred: (n, 4) x1 y1 x2 y2.
        target: (n, 4).
        mode: ``log``, ``linear`` or ``square``.
        eps: least IoU.
    """
    check_option("iou_loss", "mode", mode, ("linear", "square", "log"))
    ious = bbox_overlaps(pred, target, is_aligned=True).clamp(min=eps)
    if mode == "log":
        return -ious.log()
    return 1 - ious if mode == "linear" else 1 - ious**2


@weighted_loss
def bounded_iou_loss(pred: Tensor, target: Tensor, beta: float = 0.2, eps: float = 1e-3) -> Tensor:
    """(n, 4) smooth bounds of the IoU that an error in x, y, width and height alone would leave.

    Args:
        pred: (n, 4) x1 y1 x2 y2.
        target: (n, 4).
        beta: where the quadratic part ends.
        eps: keeps the ratios finite.
    """
    target = target.detach()
    centre = (pred[:, :2] + pred[:, 2:]) * 0.5
    size = pred[:, 2:] - pred[:, :2]
    target_size = target[:, 2:] - target[:, :2]
    gap = 2 * ((target[:, :2] + target[:, 2:]) * 0.5 - centre).abs()
    of_centre = 1 - ((target_size - gap) / (target_size + gap + eps)).clamp(min=0)
    of_size = 1 - torch.minimum(target_size / (size + eps), size / (target_size + eps))
    loss = torch.cat([of_centre, of_size], dim=-1)
    return torch.where(loss < beta, 0.5 * loss * loss / beta, loss - 0.5 * beta)


@weighted_loss
def giou_loss(pred: Tensor, target: Tensor, eps: float = 1e-6) -> Tensor:
    """(n,) one minus the generalised IoU of (n, 4) boxes."""
    return 1 - bbox_overlaps(pred, target, mode="giou", is_aligned=True, eps=eps)


@weighted_loss
def diou_loss(pred: Tensor, target: Tensor, eps: float = 1e-6) -> Tensor:
    """(n,) one minus the IoU, plus the distance of the centres of (n, 4) boxes."""
    ious, distance = _iou_and_distance(pred, target, eps)
    return 1 - (ious - distance)


@weighted_loss
def ciou_loss(pred: Tensor, target: Tensor, eps: float = 1e-6) -> Tensor:
    """(n,) the DIoU loss plus how far the aspect ratios of (n, 4) boxes differ."""
    ious, distance = _iou_and_distance(pred, target, eps)
    width, height = (pred[:, 2:] - pred[:, :2]).unbind(-1)
    target_width, target_height = (target[:, 2:] - target[:, :2]).unbind(-1)
    turn = torch.atan(target_width / (target_height + eps)) - torch.atan(width / (height + eps))
    aspect = 4 / math.pi**2 * turn**2
    with torch.no_grad():
        # Of equal boxes both parts of the denominator may be exactly 0.
        alpha = (ious > 0.5).float() * aspect / (1 - ious + aspect).clamp(min=eps)
    return 1 - (ious - (distance + alpha * aspect)).clamp(min=-1.0, max=1.0)


def _iou_and_distance(pred: Tensor, target: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """(n,) IoU, and (n,) squared distance of the centres over the enclosing diagonal's."""
    top_left, bottom_right = pred[:, :2], pred[:, 2:]
    target_top_left, target_bottom_right = target[:, :2], target[:, 2:]
    shared = torch.minimum(bottom_right, target_bottom_right)
    shared = (shared - torch.maximum(top_left, target_top_left)).clamp(min=0)
    overlap = shared[:, 0] * shared[:, 1]
    area = (bottom_right - top_left).prod(dim=1)
    target_area = (target_bottom_right - target_top_left).prod(dim=1)
    ious = overlap / (area + target_area - overlap + eps)
    enclosing = torch.maximum(bottom_right, target_bottom_right)
    enclosing = (enclosing - torch.minimum(top_left, target_top_left)).clamp(min=0)
    diagonal = (enclosing**2).sum(dim=1) + eps
    gap = (target_top_left + target_bottom_right) - (top_left + bottom_right)
    return ious, (gap**2 / 4).sum(dim=1) / diagonal


class BoxLoss(Loss):
    """A loss of boxes as wholes."""

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: Tensor | float | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """The loss of (n, 4) boxes, x1 y1 x2 y2.

        Args:
            pred: (n, 4).
            target: (n, 4).
            weight: (n,) of each box, or (n, 4), of which the mean is taken.
            avg_factor: what the sum is divided by for the mean.
            reduction_override: ``none``, ``mean`` or ``sum``.
        """
        reduction = self.choose_reduction(reduction_override)
        if weight is not None and reduction != "none" and not torch.any(weight > 0):
            # Boxes that do not count may be degenerate: 0 times an infinite loss is not a number.
            return (pred * (weight[:, None] if weight.dim() == pred.dim() - 1 else weight)).sum()
        return self.loss_weight * self.compare(
            pred, target, self.box_weight(weight), reduction, avg_factor
        )

    def box_weight(self, weight: Tensor | None) -> Tensor | None:
        """One weight a box."""
        return weight.mean(-1) if weight is not None and weight.dim() > 1 else weight

    @abstractmethod
    def compare(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None,
        reduction: str,
        avg_factor: Tensor | float | None,
    ) -> Tensor:
        """The weighted and reduced loss."""


@LOSSES.register_module()
class IoULoss(BoxLoss):
    """Minus logarithm of the IoU, or one minus the IoU or its square.

    Args:
        linear: older spelling of ``mode="linear"``.
        eps: least IoU.
        reduction: ``none``, ``mean`` or ``sum``.
        loss_weight: what the reduced loss is multiplied by.
        mode: ``log``, ``linear`` or ``square``.
    """

    def __init__(
        self,
        linear: bool = False,
        eps: float = 1e-6,
        reduction: str = "mean",
        loss_weight: float = 1.0,
        mode: str = "log",
    ) -> None:
        super().__init__(reduction, loss_weight)
        check_option("IoULoss", "mode", mode, ("linear", "square", "log"))
        if linear:
            warnings.warn("IoULoss: write mode='linear' for linear=True", stacklevel=2)
        self.mode = "linear" if linear else mode
        self.linear = linear
        self.eps = eps

    def compare(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None,
        reduction: str,
        avg_factor: Tensor | float | None,
    ) -> Tensor:
        """The weighted and reduced loss."""
        return iou_loss(pred, target, weight, reduction, avg_factor, mode=self.mode, eps=self.eps)


@LOSSES.register_module()
class BoundedIoULoss(BoxLoss):
    """Bounds of the IoU that an error in x, y, width and height alone would leave.

    Args:
        beta: where the quadratic part ends.
        eps: keeps the ratios finite.
        reduction: ``none``, ``mean`` or ``sum``.
        loss_weight: what the reduced loss is multiplied by.
    """

    def __init__(
        self,
        beta: float = 0.2,
        eps: float = 1e-3,
        reduction: str = "mean",
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__(reduction, loss_weight)
        self.beta = beta
        self.eps = eps

    def box_weight(self, weight: Tensor | None) -> Tensor | None:
        """One weight a coordinate: the loss has four parts a box."""
        return weight[:, None] if weight is not None and weight.dim() == 1 else weight

    def compare(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None,
        reduction: str,
        avg_factor: Tensor | float | None,
    ) -> Tensor:
        """The weighted and reduced loss."""
        return bounded_iou_loss(
            pred, target, weight, reduction, avg_factor, beta=self.beta, eps=self.eps
        )


class _EnclosedLoss(BoxLoss):
    """A loss with no setting but ``eps``, which keeps its ratios finite."""

    criterion = staticmethod(giou_loss)

    def __init__(
        self, eps: float = 1e-6, reduction: str = "mean", loss_weight: float = 1.0
    ) -> None:
        super().__init__(reduction, loss_weight)
        self.eps = eps

    def compare(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None,
        reduction: str,
        avg_factor: Tensor | float | None,
    ) -> Tensor:
        """The weighted and reduced loss."""
        return self.criterion(pred, target, weight, reduction, avg_factor, eps=self.eps)


@LOSSES.register_module()
class GIoULoss(_EnclosedLoss):
    """One minus the generalised IoU."""


@LOSSES.register_module()
class DIoULoss(_EnclosedLoss):
    """One minus the IoU, plus the distance of the centres."""

    criterion = staticmethod(diou_loss)


@LOSSES.register_module()
class CIoULoss(_EnclosedLoss):
    """The DIoU loss plus how far the aspect ratios differ."""

    criterion = staticmethod(ciou_loss)
