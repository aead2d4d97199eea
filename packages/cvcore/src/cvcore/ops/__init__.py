"""Operators of detection and segmentation, on torch and torchvision alone."""

from __future__ import annotations

from cvcore.ops.nms import batched_nms, nms, nms_match, soft_nms
from cvcore.ops.roi import RoIAlign, roi_align

__all__ = ["RoIAlign", "batched_nms", "nms", "nms_match", "roi_align", "soft_nms"]
