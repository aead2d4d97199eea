"""Operators of detection and segmentation, on torch and torchvision alone."""

from __future__ import annotations

from cvcore.ops.nms import batched_nms, nms, nms_match, soft_nms
from cvcore.ops.roi import RoIAlign, RoIPool, multi_level_roi_align, roi_align, roi_pool

__all__ = [
    "RoIAlign",
    "RoIPool",
    "batched_nms",
    "multi_level_roi_align",
    "nms",
    "nms_match",
    "roi_align",
    "roi_pool",
    "soft_nms",
]
