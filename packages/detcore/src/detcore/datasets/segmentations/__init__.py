"""Polygons and run lengths as annotation files hold them, kept flat."""

from __future__ import annotations

from detcore.datasets.segmentations.flat import (
    MIN_NUMBERS,
    Segmentation,
    Segmentations,
    flat_numbers,
    to_rle,
)

__all__ = ["MIN_NUMBERS", "Segmentation", "Segmentations", "flat_numbers", "to_rle"]
