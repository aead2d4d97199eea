"""Assigners and samplers from config dicts, under the names that MMDetection 2 users know."""

from __future__ import annotations

from typing import Any

from detcore.registries import BBOX_ASSIGNERS, BBOX_SAMPLERS


def build_assigner(cfg: Any, **default_args: Any) -> Any:
    """Build an assigner; ``default_args`` are for what ``cfg`` leaves out."""
    return BBOX_ASSIGNERS.build(cfg, default_args=default_args)


def build_sampler(cfg: Any, **default_args: Any) -> Any:
    """Build a sampler; ``default_args`` are for what ``cfg`` leaves out, as ``context=head``."""
    return BBOX_SAMPLERS.build(cfg, default_args=default_args)
