"""What travels between parts: masks, and the records of an image, its truth and its detections."""

from __future__ import annotations

from detcore.structures.bitmap_masks import BitmapMasks
from detcore.structures.detections import Detections, Proposals
from detcore.structures.encode import encode_mask_results
from detcore.structures.image_info import ImageInfo
from detcore.structures.lists import images_to_levels, multi_apply, unmap
from detcore.structures.mask_target import mask_target
from detcore.structures.masks import BaseInstanceMasks
from detcore.structures.polygon_masks import PolygonMasks, polygon_to_bitmap
from detcore.structures.truth import Truth

__all__ = [
    "BaseInstanceMasks",
    "BitmapMasks",
    "Detections",
    "ImageInfo",
    "PolygonMasks",
    "Proposals",
    "Truth",
    "encode_mask_results",
    "images_to_levels",
    "mask_target",
    "multi_apply",
    "polygon_to_bitmap",
    "unmap",
]
