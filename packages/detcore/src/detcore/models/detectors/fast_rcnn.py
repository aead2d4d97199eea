"""A second stage on proposals from a file (Girshick, "Fast R-CNN", 2015)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detcore.models.detectors.two_stage import TwoStageDetector
from detcore.registries import DETECTORS


@DETECTORS.register_module()
class FastRCNN(TwoStageDetector):
    """Backbone, neck and RoI head; proposals come with the batch.

    Args:
        backbone: recipe or object.
        roi_head: recipe or object of the second stage.
        train_cfg: ``rcnn``.
        test_cfg: ``rcnn``.
        neck: recipe or object.
        pretrained: old name of the backbone's ``init_cfg`` of type Pretrained.
        init_cfg: recipe of the initial weights.
    """

    def __init__(
        self,
        backbone: Any,
        roi_head: Any,
        train_cfg: Mapping[str, Any] | None = None,
        test_cfg: Mapping[str, Any] | None = None,
        neck: Any = None,
        pretrained: str | None = None,
        init_cfg: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(
            backbone=backbone,
            neck=neck,
            roi_head=roi_head,
            train_cfg=train_cfg,
            test_cfg=test_cfg,
            pretrained=pretrained,
            init_cfg=init_cfg,
        )
