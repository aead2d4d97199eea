"""Polygons and run lengths as annotation files hold them, kept flat."""

from __future__ import annotations

from detcore.datasets.segmentations.collect import Collector, as_array
from detcore.datasets.segmentations.flat import (
    MIN_NUMBERS,
    Segmentation,
    Segmentations,
    to_rle,
)

__all__ = [
    "MIN_NUMBERS",
    "Collector",
    "Segmentation",
    "Segmentations",
    "as_array",
    "to_rle",
]
