"""Proposals as the result (Ren et al., "Faster R-CNN", 2015)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from detcore.models.detectors.base import BaseDetector, Metas, read_images, read_truths
from detcore.models.detectors.parts import build_part, pretrained_backbone
from detcore.registries import BACKBONES, DETECTORS, HEADS, NECKS
from detcore.structures import Detections

Recipe = Mapping[str, Any]


@DETECTORS.register_module()
class RPN(BaseDetector):
    """A region proposal network on its own.

    Args:
        backbone: recipe or object.
        neck: recipe or object; without one the head sees the backbone's features.
        rpn_head: recipe or object of the dense head whose detections are proposals.
        train_cfg: ``rpn``.
        test_cfg: ``rpn``.
        pretrained: old name of the backbone's ``init_cfg`` of type Pretrained.
        init_cfg: recipe of the initial weights.
    """

    def __init__(
        self,
        backbone: Any,
        neck: Any = None,
        rpn_head: Any = None,
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
        self.rpn_head = build_part(
            HEADS, rpn_head, (train_cfg or {}).get("rpn"), (test_cfg or {}).get("rpn")
        )

    def extract_feat(self, img: Tensor) -> Sequence[Tensor]:
        """Features (N, C, H, W) of each level from images (N, 3, H, W)."""
        x = self.backbone(img)
        return self.neck(x) if self.with_neck else x

    def forward_train(
        self,
        img: Tensor,
        img_metas: Metas,
        gt_bboxes: Sequence[Tensor],
        gt_bboxes_ignore: Sequence[Tensor] | None = None,
    ) -> dict[str, Any]:
        """Losses of the proposals; classes of the boxes play no part."""
        maps = self.rpn_head(self.extract_feat(img))
        truths = read_truths(gt_bboxes, None, gt_bboxes_ignore)
        targets = self.rpn_head.targets(maps, truths, read_images(img_metas))
        losses: dict[str, Any] = self.rpn_head.losses(maps, targets)
        return losses

    def simple_test(
        self, img: Tensor, img_metas: Metas, *, rescale: bool = False
    ) -> list[np.ndarray]:
        """(P, 5) float32 proposals of each image: x1 y1 x2 y2 and the score, best first."""
        maps = self.rpn_head(self.extract_feat(img))
        # Suppression runs on the network input, as it does in two stages.
        detections = self.rpn_head.predict(maps, read_images(img_metas), rescale=rescale)
        return [_rows(found) for found in detections]

    def aug_test(
        self, imgs: Sequence[Tensor], img_metas: Sequence[Metas], *, rescale: bool = False
    ) -> list[np.ndarray]:
        """Proposals of one image, given as several views of it."""
        views = [
            (self.rpn_head(feats), read_images(metas)[0])
            for feats, metas in zip(self.extract_feats(imgs), img_metas, strict=True)
        ]
        return [_rows(self.rpn_head.predict_views(views, rescale=rescale))]


def _rows(found: Detections) -> np.ndarray:
    return torch.cat([found.boxes, found.scores[:, None]], dim=1).cpu().numpy()
