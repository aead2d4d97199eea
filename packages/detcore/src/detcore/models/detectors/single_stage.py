"""Detections straight from a dense head (Liu et al., "SSD", 2016)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from detcore.models.detectors.base import (
    BaseDetector,
    Metas,
    read_images,
    read_truths,
    to_result,
)
from detcore.models.detectors.parts import build_part, pretrained_backbone
from detcore.registries import BACKBONES, DETECTORS, HEADS, NECKS

Recipe = Mapping[str, Any]


@DETECTORS.register_module()
class SingleStageDetector(BaseDetector):
    """Backbone, neck and a dense head.

    Args:
        backbone: recipe or object.
        neck: recipe or object; without one the head sees the backbone's features.
        bbox_head: recipe or object of the dense head.
        train_cfg: the head's.
        test_cfg: the head's.
        pretrained: old name of the backbone's ``init_cfg`` of type Pretrained.
        init_cfg: recipe of the initial weights.
    """

    def __init__(
        self,
        backbone: Any,
        neck: Any = None,
        bbox_head: Any = None,
        train_cfg: Recipe | None = None,
        test_cfg: Recipe | None = None,
        pretrained: str | None = None,
        init_cfg: Recipe | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.train_cfg = train_cfg
        self.test_cfg = test_cfg
        self.backbone = BACKBONES.build(pretrained_backbone(backbone, pretrained))
        if neck is not None:
            self.neck = NECKS.build(neck)
        self.bbox_head = build_part(HEADS, bbox_head, train_cfg, test_cfg)

    def extract_feat(self, img: Tensor) -> Sequence[Tensor]:
        """Features (N, C, H, W) of each level from images (N, 3, H, W)."""
        x = self.backbone(img)
        return self.neck(x) if self.with_neck else x

    def forward_train(
        self,
        img: Tensor,
        img_metas: Metas,
        gt_bboxes: Sequence[Tensor],
        gt_labels: Sequence[Tensor],
        gt_bboxes_ignore: Sequence[Tensor] | None = None,
    ) -> dict[str, Any]:
        """Losses of the dense head.

        Args:
            img: (N, 3, H, W) float32.
            img_metas: one dict an image.
            gt_bboxes: (G, 4) xyxy in pixels of the network input, one tensor an image.
            gt_labels: (G,) int64, one tensor an image.
            gt_bboxes_ignore: (I, 4) crowds, one tensor an image.
        """
        maps = self.bbox_head(self.extract_feat(img))
        truths = read_truths(gt_bboxes, gt_labels, gt_bboxes_ignore)
        targets = self.bbox_head.targets(maps, truths, read_images(img_metas))
        losses: dict[str, Any] = self.bbox_head.losses(maps, targets)
        return losses

    def simple_test(self, img: Tensor, img_metas: Metas, *, rescale: bool = False) -> list[Any]:
        """Results of each image of a batch."""
        maps = self.bbox_head(self.extract_feat(img))
        detections = self.bbox_head.predict(maps, read_images(img_metas), rescale=rescale)
        return [to_result(found, self.bbox_head.num_classes) for found in detections]

    def aug_test(
        self, imgs: Sequence[Tensor], img_metas: Sequence[Metas], *, rescale: bool = False
    ) -> list[Any]:
        """Results of one image, given as several views of it."""
        views = [
            (self.bbox_head(feats), read_images(metas)[0])
            for feats, metas in zip(self.extract_feats(imgs), img_metas, strict=True)
        ]
        found = self.bbox_head.predict_views(views, rescale=rescale)
        return [to_result(found, self.bbox_head.num_classes)]


@DETECTORS.register_module()
class RetinaNet(SingleStageDetector):
    """Lin et al., "Focal loss for dense object detection", 2017."""


@DETECTORS.register_module()
class FCOS(SingleStageDetector):
    """Tian et al., "FCOS: fully convolutional one-stage object detection", 2019."""
