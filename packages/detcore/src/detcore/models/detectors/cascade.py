"""Detectors whose second stage is a cascade."""

from __future__ import annotations

from detcore.models.detectors.two_stage import TwoStageDetector
from detcore.registries import DETECTORS


@DETECTORS.register_module()
class CascadeRCNN(TwoStageDetector):
    """Cai and Vasconcelos, "Cascade R-CNN: delving into high quality object detection", 2018."""
