"""Proposals first, then a look at each (Ren et al., "Faster R-CNN", 2015)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from detcore.errors import OptionError
from detcore.models.detectors.base import (
    BaseDetector,
    Metas,
    read_images,
    read_truths,
    to_result,
)
from detcore.models.detectors.parts import build_part, pretrained_backbone
from detcore.models.heads.views import from_view
from detcore.registries import BACKBONES, DETECTORS, HEADS, NECKS
from detcore.structures import Detections, ImageInfo, Proposals

Recipe = Mapping[str, Any]


@DETECTORS.register_module()
class TwoStageDetector(BaseDetector):
    """Backbone, neck, a head that proposes regions and a head that looks at them.

    Args:
        backbone: recipe or object.
        neck: recipe or object; without one the heads see the backbone's features.
        rpn_head: recipe or object of the dense head whose detections are proposals; without one
            proposals come with the batch.
        roi_head: recipe or object of the second stage.
        train_cfg: ``rpn``, ``rpn_proposal`` and ``rcnn``.
        test_cfg: ``rpn`` and ``rcnn``.
        pretrained: old name of the backbone's ``init_cfg`` of type Pretrained.
        init_cfg: recipe of the initial weights.
    """

    def __init__(
        self,
        backbone: Any,
        neck: Any = None,
        rpn_head: Any = None,
        roi_head: Any = None,
        train_cfg: Recipe | None = None,
        test_cfg: Recipe | None = None,
        pretrained: str | None = None,
        init_cfg: Recipe | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.train_cfg = train_cfg
        self.test_cfg = test_cfg
        training, testing = train_cfg or {}, test_cfg or {}
        self.backbone = BACKBONES.build(pretrained_backbone(backbone, pretrained))
        if neck is not None:
            self.neck = NECKS.build(neck)
        if rpn_head is not None:
            self.rpn_head = build_part(HEADS, rpn_head, training.get("rpn"), testing.get("rpn"))
            proposal_cfg = training.get("rpn_proposal", testing.get("rpn"))
            self.train_proposals = proposal_cfg and self.rpn_head.selection(proposal_cfg)
        if roi_head is not None:
            self.roi_head = build_part(HEADS, roi_head, training.get("rcnn"), testing.get("rcnn"))

    @property
    def with_rpn(self) -> bool:
        """Whether proposals are the detector's own."""
        return getattr(self, "rpn_head", None) is not None

    @property
    def with_roi_head(self) -> bool:
        """Whether there is a second stage."""
        return getattr(self, "roi_head", None) is not None

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
        gt_masks: Sequence[Any] | None = None,
        proposals: Sequence[Tensor] | None = None,
    ) -> dict[str, Any]:
        """Losses of both stages.

        Args:
            img: (N, 3, H, W) float32.
            img_metas: one dict an image.
            gt_bboxes: (G, 4) xyxy in pixels of the network input, one tensor an image.
            gt_labels: (G,) int64, one tensor an image.
            gt_bboxes_ignore: (I, 4) crowds, one tensor an image.
            gt_masks: masks of the boxes, one object an image.
            proposals: (P, 4) or (P, 5) with scores, one tensor an image, where no head proposes.
        """
        feats = self.extract_feat(img)
        images = read_images(img_metas)
        truths = read_truths(gt_bboxes, gt_labels, gt_bboxes_ignore, gt_masks)
        losses: dict[str, Any] = {}
        if self.with_rpn:
            maps = self.rpn_head(feats)
            targets = self.rpn_head.targets(maps, truths, images)
            losses.update(self.rpn_head.losses(maps, targets))
            proposed = self._propose(maps, images, self.train_proposals)
        else:
            proposed = self._read_proposals(proposals)
        losses.update(self.roi_head.losses(feats, proposed, truths, images))
        return losses

    def simple_test(
        self,
        img: Tensor,
        img_metas: Metas,
        proposals: Sequence[Tensor] | None = None,
        *,
        rescale: bool = False,
    ) -> list[Any]:
        """Results of each image of a batch."""
        feats = self.extract_feat(img)
        images = read_images(img_metas)
        if proposals is None and self.with_rpn:
            proposed = self._propose(self.rpn_head(feats), images)
        else:
            proposed = self._read_proposals(proposals)
        return self._results(self.roi_head.predict(feats, proposed, images, rescale=rescale))

    def aug_test(
        self,
        imgs: Sequence[Tensor],
        img_metas: Sequence[Metas],
        proposals: Sequence[Sequence[Tensor]] | None = None,
        *,
        rescale: bool = False,
    ) -> list[Any]:
        """Results of one image, given as several views of it.

        Args:
            imgs: (1, 3, H, W) float32, one a view.
            img_metas: one list with one dict a view.
            proposals: one list with one (P, 4+) tensor a view, where no head proposes.
            rescale: give results in pixels of the original image, not of the first view.
        """
        feats = self.extract_feats(imgs)
        images = [read_images(metas)[0] for metas in img_metas]
        if proposals is None and self.with_rpn:
            views = list(zip(map(self.rpn_head, feats), images, strict=True))
            found = self.rpn_head.predict_views(views, rescale=True)
            proposed = Proposals(found.boxes, found.scores)
        else:
            # Every view has the same ones, scaled and flipped as it is.
            (in_view,) = self._read_proposals(None if proposals is None else proposals[0])
            proposed = Proposals(from_view(in_view.boxes, images[0]), in_view.scores)
        return self._results(
            [self.roi_head.predict_views(feats, proposed, images, rescale=rescale)]
        )

    def _propose(
        self, maps: Any, images: Sequence[ImageInfo], selection: Any = None
    ) -> list[Proposals]:
        detections = self.rpn_head.predict(maps, images, selection=selection)
        return [Proposals(found.boxes, found.scores) for found in detections]

    def _read_proposals(self, proposals: Sequence[Tensor] | None) -> list[Proposals]:
        if proposals is None:
            raise OptionError(
                f"{type(self).__name__} has no rpn_head, so proposals must come with the batch; "
                "add LoadProposals to the pipeline and proposal_file to the dataset"
            )
        return [
            Proposals(
                boxes[:, :4],
                boxes[:, 4] if boxes.shape[1] > 4 else boxes.new_ones(len(boxes)),
            )
            for boxes in proposals
        ]

    def _results(self, detections: Sequence[Detections]) -> list[Any]:
        return [to_result(found, self.roi_head.num_classes) for found in detections]


@DETECTORS.register_module()
class FasterRCNN(TwoStageDetector):
    """Ren et al., "Faster R-CNN: towards real-time object detection", 2015."""


@DETECTORS.register_module()
class MaskRCNN(TwoStageDetector):
    """He et al., "Mask R-CNN", 2017."""
