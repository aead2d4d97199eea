"""Priors: the anchors and points that predictions are relative to."""

from __future__ import annotations

from detcore.boxes.priors.anchors import AnchorGenerator
from detcore.boxes.priors.legacy import LegacyAnchorGenerator, LegacySSDAnchorGenerator
from detcore.boxes.priors.points import MlvlPointGenerator, PointGenerator
from detcore.boxes.priors.sized import SizedAnchorGenerator
from detcore.boxes.priors.ssd import SSDAnchorGenerator
from detcore.boxes.priors.yolo import YOLOAnchorGenerator

__all__ = [
    "AnchorGenerator",
    "LegacyAnchorGenerator",
    "LegacySSDAnchorGenerator",
    "MlvlPointGenerator",
    "PointGenerator",
    "SSDAnchorGenerator",
    "SizedAnchorGenerator",
    "YOLOAnchorGenerator",
]
