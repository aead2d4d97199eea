"""Coders, priors and overlap calculators from config dicts, under the names that users know."""

from __future__ import annotations

from typing import Any

from detcore.registries import BBOX_CODERS, IOU_CALCULATORS, PRIOR_GENERATORS


def build_bbox_coder(cfg: Any, **default_args: Any) -> Any:
    """Build a box coder; ``default_args`` are for what ``cfg`` leaves out."""
    return BBOX_CODERS.build(cfg, default_args=default_args)


def build_prior_generator(cfg: Any, default_args: dict[str, Any] | None = None) -> Any:
    """Build an anchor or point generator; ``default_args`` are for what ``cfg`` leaves out."""
    return PRIOR_GENERATORS.build(cfg, default_args=default_args)


def build_iou_calculator(cfg: Any, default_args: dict[str, Any] | None = None) -> Any:
    """Build an overlap calculator; ``default_args`` are for what ``cfg`` leaves out."""
    return IOU_CALCULATORS.build(cfg, default_args=default_args)
