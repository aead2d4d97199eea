"""A second stage whose boxes are found in larger regions than their classes.

Wu et al., "Rethinking Classification and Localization for Object Detection" (Double-Head), 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from detcore.models.heads.roi.standard import StandardRoIHead
from detcore.registries import HEADS


@HEADS.register_module()
class DoubleHeadRoIHead(StandardRoIHead):
    """The second stage of Double-Head R-CNN; its box head takes two kinds of features.

    Args:
        reg_roi_scale_factor: how many times as large the regions are that deltas are made from.
        standard: the arguments of ``StandardRoIHead``.
    """

    def __init__(self, reg_roi_scale_factor: float, **standard: Any) -> None:
        super().__init__(**standard)
        self.reg_roi_scale_factor = reg_roi_scale_factor

    def _bbox_forward(self, x: Sequence[Tensor], rois: Tensor) -> dict[str, Any]:
        """``cls_score``, ``bbox_pred`` and, as ``bbox_feats``, the features of the classes."""
        extractor = self.bbox_roi_extractor
        of_class = self._cut_out(extractor, x, rois)
        of_box = extractor(
            x[: extractor.num_inputs], rois, roi_scale_factor=self.reg_roi_scale_factor
        )
        if self.with_shared_head:
            of_box = self.shared_head(of_box)
        cls_score, bbox_pred = self.bbox_head(of_class, of_box)
        return {"cls_score": cls_score, "bbox_pred": bbox_pred, "bbox_feats": of_class}
