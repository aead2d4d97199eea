"""Priors under their names in ``mmdet.core.anchor``; the definitions live in boxes/priors."""

from __future__ import annotations

from detcore.boxes import (
    AnchorGenerator,
    LegacyAnchorGenerator,
    LegacySSDAnchorGenerator,
    MlvlPointGenerator,
    PointGenerator,
    SSDAnchorGenerator,
    YOLOAnchorGenerator,
    build_prior_generator,
)
from detcore.boxes import build_prior_generator as build_anchor_generator
from detcore.registries import ANCHOR_GENERATORS, PRIOR_GENERATORS
from detcore.structures import images_to_levels

__all__ = [
    "ANCHOR_GENERATORS",
    "PRIOR_GENERATORS",
    "AnchorGenerator",
    "LegacyAnchorGenerator",
    "LegacySSDAnchorGenerator",
    "MlvlPointGenerator",
    "PointGenerator",
    "SSDAnchorGenerator",
    "YOLOAnchorGenerator",
    "build_anchor_generator",
    "build_prior_generator",
    "images_to_levels",
]
