"""Boxes as themselves."""

from __future__ import annotations

from torch import Tensor

from detcore.boxes.coders.base import BaseBBoxCoder
from detcore.registries import BBOX_CODERS


@BBOX_CODERS.register_module()
class PseudoBBoxCoder(BaseBBoxCoder):
    """Regresses boxes themselves, whatever the prior."""

    def encode(self, bboxes: Tensor, gt_bboxes: Tensor) -> Tensor:
        """``gt_bboxes`` as they are."""
        return gt_bboxes

    def decode(self, bboxes: Tensor, pred_bboxes: Tensor) -> Tensor:
        """``pred_bboxes`` as they are."""
        return pred_bboxes
