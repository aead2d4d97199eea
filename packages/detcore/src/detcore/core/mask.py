"""Masks under their names in ``mmdet.core.mask``; the definitions live in structures/."""

from __future__ import annotations

from detcore.structures import (
    BaseInstanceMasks,
    BitmapMasks,
    PolygonMasks,
    encode_mask_results,
    mask_target,
)

__all__ = [
    "BaseInstanceMasks",
    "BitmapMasks",
    "PolygonMasks",
    "encode_mask_results",
    "mask_target",
]
