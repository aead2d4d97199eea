"""Assigners: which object every prior belongs to."""

from __future__ import annotations

from detcore.matching.assigners.atss import ATSSAssigner
from detcore.matching.assigners.base import BaseAssigner
from detcore.matching.assigners.center_region import CenterRegionAssigner
from detcore.matching.assigners.max_iou import ApproxMaxIoUAssigner, MaxIoUAssigner

__all__ = [
    "ATSSAssigner",
    "ApproxMaxIoUAssigner",
    "BaseAssigner",
    "CenterRegionAssigner",
    "MaxIoUAssigner",
]
