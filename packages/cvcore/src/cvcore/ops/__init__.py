"""Operators of detection and segmentation, on torch and torchvision alone."""

from __future__ import annotations

from torch.nn import SyncBatchNorm

from cvcore.ops.boxes import bbox_overlaps
from cvcore.ops.carafe import CARAFE, CARAFENaive, CARAFEPack, carafe, carafe_naive
from cvcore.ops.corner_pool import CornerPool, corner_pool
from cvcore.ops.deform_conv import (
    DeformConv2d,
    DeformConv2dPack,
    ModulatedDeformConv2d,
    ModulatedDeformConv2dPack,
)
from cvcore.ops.deform_conv_functions import deform_conv2d, modulated_deform_conv2d
from cvcore.ops.deform_roi_pool import (
    DeformRoIPool,
    DeformRoIPoolPack,
    ModulatedDeformRoIPoolPack,
    deform_roi_pool,
)
from cvcore.ops.focal import (
    SigmoidFocalLoss,
    SoftmaxFocalLoss,
    sigmoid_focal_loss,
    softmax_focal_loss,
)
from cvcore.ops.masked_conv import MaskedConv2d, masked_conv2d
from cvcore.ops.ms_deform_attn import multi_scale_deformable_attn
from cvcore.ops.nms import batched_nms, nms, nms_match, soft_nms
from cvcore.ops.point_sample import (
    SimpleRoIAlign,
    abs_img_point_to_rel_img_point,
    generate_grid,
    point_sample,
    rel_roi_point_to_abs_img_point,
    rel_roi_point_to_rel_img_point,
)
from cvcore.ops.roi import RoIAlign, RoIPool, multi_level_roi_align, roi_align, roi_pool
from cvcore.ops.winograd import winograd_conv2d

__all__ = [
    "CARAFE",
    "CARAFENaive",
    "CARAFEPack",
    "CornerPool",
    "DeformConv2d",
    "DeformConv2dPack",
    "DeformRoIPool",
    "DeformRoIPoolPack",
    "MaskedConv2d",
    "ModulatedDeformConv2d",
    "ModulatedDeformConv2dPack",
    "ModulatedDeformRoIPoolPack",
    "RoIAlign",
    "RoIPool",
    "SigmoidFocalLoss",
    "SimpleRoIAlign",
    "SoftmaxFocalLoss",
    "SyncBatchNorm",
    "abs_img_point_to_rel_img_point",
    "batched_nms",
    "bbox_overlaps",
    "carafe",
    "carafe_naive",
    "corner_pool",
    "deform_conv2d",
    "deform_roi_pool",
    "generate_grid",
    "masked_conv2d",
    "modulated_deform_conv2d",
    "multi_level_roi_align",
    "multi_scale_deformable_attn",
    "nms",
    "nms_match",
    "point_sample",
    "rel_roi_point_to_abs_img_point",
    "rel_roi_point_to_rel_img_point",
    "roi_align",
    "roi_pool",
    "sigmoid_focal_loss",
    "soft_nms",
    "softmax_focal_loss",
    "winograd_conv2d",
]
