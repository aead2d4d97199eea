"""Model parts from config dicts, under the names that MMDetection 2 users know."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from torch import nn

from detcore.errors import OptionError
from detcore.registries import (
    BACKBONES,
    DETECTORS,
    HEADS,
    LOSSES,
    MODELS,
    NECKS,
    ROI_EXTRACTORS,
    SHARED_HEADS,
)

__all__ = [
    "BACKBONES",
    "DETECTORS",
    "HEADS",
    "LOSSES",
    "MODELS",
    "NECKS",
    "ROI_EXTRACTORS",
    "SHARED_HEADS",
    "build_backbone",
    "build_detector",
    "build_head",
    "build_loss",
    "build_neck",
    "build_roi_extractor",
    "build_shared_head",
]


def build_backbone(cfg: Any) -> nn.Module:
    """Build a backbone."""
    return BACKBONES.build(cfg)


def build_neck(cfg: Any) -> nn.Module:
    """Build a neck, or a sequence of necks from a list of configs."""
    return NECKS.build(cfg)


def build_roi_extractor(cfg: Any) -> nn.Module:
    """Build a RoI feature extractor."""
    return ROI_EXTRACTORS.build(cfg)


def build_shared_head(cfg: Any) -> nn.Module:
    """Build the head that box and mask branches share."""
    return SHARED_HEADS.build(cfg)


def build_head(cfg: Any) -> nn.Module:
    """Build a dense, RoI, box, mask or panoptic head."""
    return HEADS.build(cfg)


def build_loss(cfg: Any) -> nn.Module:
    """Build a loss."""
    return LOSSES.build(cfg)


def build_detector(
    cfg: Any,
    train_cfg: Mapping[str, Any] | None = None,
    test_cfg: Mapping[str, Any] | None = None,
) -> nn.Module:
    """Build a detector.

    ``train_cfg`` and ``test_cfg`` belong inside ``cfg``; giving them beside it still works, with a
    warning.

    Raises:
        OptionError: one of the two is given both inside and beside ``cfg``.
    """
    beside = {"train_cfg": train_cfg, "test_cfg": test_cfg}
    for name, value in beside.items():
        if value is None:
            continue
        if cfg.get(name) is not None:
            raise OptionError(
                f"build_detector: {name} is given both inside the model config and beside it; "
                "keep the one inside"
            )
        warnings.warn(f"write {name} inside the model config", UserWarning, stacklevel=2)
    return DETECTORS.build(cfg, default_args=beside)
