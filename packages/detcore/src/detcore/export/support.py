"""What can be exported: the parts whose every step a graph of fixed shapes can hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from cvcore.ops import RoIAlign
from detcore.errors import ExportError
from detcore.models.detectors.single_stage import SingleStageDetector
from detcore.models.detectors.two_stage import TwoStageDetector
from detcore.models.heads.dense.interface import DenseHead
from detcore.models.heads.roi.box.base import BBoxHead
from detcore.models.heads.roi.cascade import CascadeRoIHead
from detcore.models.heads.roi.extractors import SingleRoIExtractor
from detcore.models.heads.roi.interface import RoIHead
from detcore.models.heads.roi.mask.fcn import FCNMaskHead
from detcore.models.heads.roi.standard import StandardRoIHead

EXAMPLES = (
    "Faster, Mask and Cascade R-CNN, RetinaNet, FCOS and those that differ from them in backbone, "
    "neck or losses can be"
)
# What `Selection` and the graph both understand of an nms; split_thr changes memory only.
_NMS_OPTIONS = {"type", "iou_threshold", "iou_thr", "class_agnostic", "split_thr"}


def check_support(detector: nn.Module) -> None:
    """Raise unless every part of a detector has a place in the graph.

    Raises:
        ExportError: naming the part that has none.
    """
    if isinstance(detector, SingleStageDetector):
        _same(detector, SingleStageDetector, "simple_test", "extract_feat")
        _check_dense(detector.bbox_head, "bbox_head")
    elif isinstance(detector, TwoStageDetector):
        _same(detector, TwoStageDetector, "simple_test", "extract_feat")
        if not detector.with_rpn or not detector.with_roi_head:
            raise ExportError(
                f"{type(detector).__name__} without its own rpn_head and roi_head takes proposals "
                f"from outside and cannot be exported; {EXAMPLES}"
            )
        _check_dense(detector.rpn_head, "rpn_head")
        _check_regions(detector.roi_head)
    else:
        raise ExportError(f"{type(detector).__name__} cannot be exported; {EXAMPLES}")


def _same(part: Any, base: type, *methods: str) -> None:
    """Steps that a class does in its own way are not those of the graph."""
    for method in methods:
        if getattr(type(part), method) is not getattr(base, method):
            raise ExportError(
                f"{type(part).__name__}.{method} differs from {base.__name__}'s, which is what an "
                f"export follows; {EXAMPLES}"
            )


def _check_dense(head: Any, name: str) -> None:
    if not isinstance(head, DenseHead):
        raise ExportError(f"{name} {type(head).__name__} cannot be exported; {EXAMPLES}")
    _same(head, DenseHead, "predict", "_candidates", "_suppressed")
    if head.test_selection is None:
        raise ExportError(f"{name} was built without test_cfg: there is no way from it to boxes")
    _check_nms(head.test_selection.nms, f"test_cfg of {name}")


def _check_nms(nms: Mapping[str, Any], where: str) -> None:
    kind = nms.get("type", "nms")
    if kind != "nms":
        raise ExportError(f"{where}: nms type {kind!r} has no operator in ONNX; set type='nms'")
    unknown = sorted(set(nms) - _NMS_OPTIONS)
    if unknown:
        raise ExportError(f"{where}: nms with {', '.join(unknown)} cannot be exported")


def _check_regions(head: Any) -> None:
    if not isinstance(head, StandardRoIHead | CascadeRoIHead):
        raise ExportError(f"roi_head {type(head).__name__} cannot be exported; {EXAMPLES}")
    base = CascadeRoIHead if isinstance(head, CascadeRoIHead) else StandardRoIHead
    _same(head, base, "forward", "score_regions", "draw_masks")
    _same(head, RoIHead, "predict", "_select", "_paste")
    if head.test_selection is None:
        raise ExportError("roi_head was built without test_cfg: there is no way from it to boxes")
    _check_nms(head.test_selection.nms, "test_cfg of roi_head")
    for part in _parts(head.bbox_head):
        if not isinstance(part, BBoxHead):
            raise ExportError(f"bbox_head {type(part).__name__} cannot be exported; {EXAMPLES}")
        _same(part, BBoxHead, "predict", "refine")
        if not (part.with_cls and part.with_reg):
            raise ExportError("a bbox_head without scores or without deltas cannot be exported")
    if head.with_mask:
        for part in _parts(head.mask_head):
            _same(part, FCNMaskHead, "predict")
    for name in ("bbox_roi_extractor", "mask_roi_extractor"):
        for part in _parts(getattr(head, name, None)):
            _check_extractor(part, name)


def _check_extractor(part: Any, name: str) -> None:
    layers = getattr(part, "roi_layers", [])
    plain = all(type(layer) is RoIAlign and layer.pool_mode == "avg" for layer in layers)
    if not isinstance(part, SingleRoIExtractor) or not plain:
        raise ExportError(
            f"{name} {type(part).__name__} cannot be exported; a SingleRoIExtractor with RoIAlign "
            "can be"
        )


def _parts(value: Any) -> list[Any]:
    """A part, or those of each stage."""
    if value is None:
        return []
    return list(value) if isinstance(value, nn.ModuleList) else [value]
