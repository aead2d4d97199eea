"""Losses, each with a weight, a reduction and an averaging factor."""

from __future__ import annotations

from detcore.models.losses.accuracy import Accuracy, accuracy
from detcore.models.losses.cross_entropy import (
    CrossEntropyLoss,
    binary_cross_entropy,
    cross_entropy,
    mask_cross_entropy,
)
from detcore.models.losses.dice import DiceLoss, dice_loss
from detcore.models.losses.focal import FocalLoss, sigmoid_focal_loss
from detcore.models.losses.gaussian_focal import GaussianFocalLoss, gaussian_focal_loss
from detcore.models.losses.ghm import GHMC, GHMR
from detcore.models.losses.iou import (
    BoundedIoULoss,
    CIoULoss,
    DIoULoss,
    GIoULoss,
    IoULoss,
    bounded_iou_loss,
    ciou_loss,
    diou_loss,
    giou_loss,
    iou_loss,
)
from detcore.models.losses.l1 import (
    BalancedL1Loss,
    L1Loss,
    SmoothL1Loss,
    balanced_l1_loss,
    l1_loss,
    smooth_l1_loss,
)
from detcore.models.losses.mse import MSELoss, mse_loss
from detcore.models.losses.quality_focal import (
    DistributionFocalLoss,
    QualityFocalLoss,
    distribution_focal_loss,
    quality_focal_loss,
)
from detcore.models.losses.reduce import reduce_loss, weight_reduce_loss, weighted_loss
from detcore.models.losses.seesaw import SeesawLoss, seesaw_ce_loss
from detcore.models.losses.varifocal import VarifocalLoss, varifocal_loss

__all__ = [
    "GHMC",
    "GHMR",
    "Accuracy",
    "BalancedL1Loss",
    "BoundedIoULoss",
    "CIoULoss",
    "CrossEntropyLoss",
    "DIoULoss",
    "DiceLoss",
    "DistributionFocalLoss",
    "FocalLoss",
    "GIoULoss",
    "GaussianFocalLoss",
    "IoULoss",
    "L1Loss",
    "MSELoss",
    "QualityFocalLoss",
    "SeesawLoss",
    "SmoothL1Loss",
    "VarifocalLoss",
    "accuracy",
    "balanced_l1_loss",
    "binary_cross_entropy",
    "bounded_iou_loss",
    "ciou_loss",
    "cross_entropy",
    "dice_loss",
    "diou_loss",
    "distribution_focal_loss",
    "gaussian_focal_loss",
    "giou_loss",
    "iou_loss",
    "l1_loss",
    "mask_cross_entropy",
    "mse_loss",
    "quality_focal_loss",
    "reduce_loss",
    "seesaw_ce_loss",
    "sigmoid_focal_loss",
    "smooth_l1_loss",
    "varifocal_loss",
    "weight_reduce_loss",
    "weighted_loss",
]
