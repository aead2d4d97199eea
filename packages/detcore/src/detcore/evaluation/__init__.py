"""Figures of merit: COCO AP and AR, VOC mean AP, proposal recall."""

from __future__ import annotations

from detcore.evaluation.class_names import get_classes
from detcore.evaluation.coco import CocoFigures, CocoObjects, evaluate_coco
from detcore.evaluation.recall import eval_recalls
from detcore.evaluation.voc import average_precision, eval_map, tpfp_default

__all__ = [
    "CocoFigures",
    "CocoObjects",
    "average_precision",
    "eval_map",
    "eval_recalls",
    "evaluate_coco",
    "get_classes",
    "tpfp_default",
]
