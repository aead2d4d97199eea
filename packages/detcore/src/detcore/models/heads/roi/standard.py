"""One box head and one mask head over proposals (Ren et al., 2015; He et al., 2017)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from detcore.boxes.convert import boxes_to_rois
from detcore.boxes.suppress import multiclass_nms
from detcore.errors import OptionError
from detcore.models.heads.roi.box.base import BoxMaps
from detcore.models.heads.roi.interface import BoxSelection, RoIHead
from detcore.models.heads.roi.mask.paste import paste_masks
from detcore.models.heads.roi.sampling import positive_rows, sample_proposals
from detcore.models.heads.views import from_view, to_input_scale, to_view
from detcore.registries import (
    BBOX_ASSIGNERS,
    BBOX_SAMPLERS,
    HEADS,
    ROI_EXTRACTORS,
    SHARED_HEADS,
)
from detcore.structures import Detections, ImageInfo, Proposals, Truth

Recipe = Mapping[str, Any]


@HEADS.register_module()
class StandardRoIHead(RoIHead):
    """The second stage of Fast, Faster and Mask R-CNN.

    Args:
        bbox_roi_extractor: recipe or object that cuts out the regions' features.
        bbox_head: recipe or object that scores and refines regions.
        mask_roi_extractor: cuts out the features of masks; without one the boxes' are taken.
        mask_head: recipe or object that draws the masks; there are none without it.
        shared_head: layers between the cut-out features and both heads.
        train_cfg: ``assigner``, ``sampler``, ``pos_weight``; with masks ``mask_size``.
        test_cfg: ``score_thr``, ``nms``, ``max_per_img``; with masks ``mask_thr_binary``.
        pretrained: checkpoint of the shared head.
        init_cfg: recipe of the initial weights.
    """

    def __init__(
        self,
        bbox_roi_extractor: Any = None,
        bbox_head: Any = None,
        mask_roi_extractor: Any = None,
        mask_head: Any = None,
        shared_head: Any = None,
        train_cfg: Recipe | None = None,
        test_cfg: Recipe | None = None,
        pretrained: str | None = None,
        init_cfg: Recipe | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if bbox_head is None or bbox_roi_extractor is None:
            raise OptionError(
                f"{type(self).__name__}: bbox_head and bbox_roi_extractor are both needed"
            )
        self.with_shared_head = shared_head is not None
        self.with_mask = mask_head is not None
        if shared_head is not None:
            self.shared_head = SHARED_HEADS.build(shared_head, default_args=_given(pretrained))
        self.bbox_roi_extractor = ROI_EXTRACTORS.build(bbox_roi_extractor)
        self.bbox_head = HEADS.build(bbox_head)
        self.share_roi_extractor = self.with_mask and mask_roi_extractor is None
        if mask_head is not None:
            self.mask_head = HEADS.build(mask_head)
            if mask_roi_extractor is not None:
                self.mask_roi_extractor = ROI_EXTRACTORS.build(mask_roi_extractor)
        self._read_train_cfg(train_cfg)
        self._read_test_cfg(test_cfg)

    def _read_train_cfg(self, cfg: Recipe | None) -> None:
        if cfg is None:
            self.bbox_assigner = None
            return
        self.bbox_assigner = BBOX_ASSIGNERS.build(cfg["assigner"])
        self.bbox_sampler = BBOX_SAMPLERS.build(cfg["sampler"], default_args={"context": self})
        self.pos_weight = cfg.get("pos_weight", -1)
        self.soft_mask_target = cfg.get("soft_mask_target", False)
        if self.with_mask and "mask_size" not in cfg:
            raise OptionError(f"{type(self).__name__}: train_cfg needs mask_size to train masks")
        self.mask_size = cfg.get("mask_size")

    def _read_test_cfg(self, cfg: Recipe | None) -> None:
        self.test_selection = None if cfg is None else BoxSelection.read(cfg, type(self).__name__)
        self.mask_threshold = 0.5 if cfg is None else cfg.get("mask_thr_binary", 0.5)

    @property
    def num_classes(self) -> int:
        """Classes without the background."""
        return int(self.bbox_head.num_classes)

    def forward(self, feats: Sequence[Tensor], rois: Tensor) -> tuple[BoxMaps, Tensor]:
        """The box head's output for (R, 5) regions, and the features it was made from."""
        found = self._bbox_forward(feats, rois)
        return BoxMaps(found["cls_score"], found["bbox_pred"]), found["bbox_feats"]

    def _bbox_forward(self, x: Sequence[Tensor], rois: Tensor) -> dict[str, Any]:
        """``cls_score``, ``bbox_pred`` and ``bbox_feats`` of (R, 5) regions.

        Samplers of hard examples ask it, and heads that users wrote override it by this name.
        """
        features = self._cut_out(self.bbox_roi_extractor, x, rois)
        cls_score, bbox_pred = self.bbox_head(features)
        return {"cls_score": cls_score, "bbox_pred": bbox_pred, "bbox_feats": features}

    def forward_masks(self, feats: Sequence[Tensor], rois: Tensor) -> Tensor:
        """The mask head's logits for (R, 5) regions."""
        extractor = self.bbox_roi_extractor if self.share_roi_extractor else self.mask_roi_extractor
        return self.mask_head(self._cut_out(extractor, feats, rois))

    def _cut_out(self, extractor: nn.Module, feats: Sequence[Tensor], rois: Tensor) -> Tensor:
        features = extractor(feats[: extractor.num_inputs], rois)
        return self.shared_head(features) if self.with_shared_head else features

    def losses(
        self,
        feats: Sequence[Tensor],
        proposals: Sequence[Proposals],
        truths: Sequence[Truth],
        images: Sequence[ImageInfo],
    ) -> dict[str, Tensor]:
        """``loss_cls``, ``acc``, ``loss_bbox`` and, with masks, ``loss_mask``.

        Raises:
            OptionError: the head was built without ``train_cfg``.
        """
        if self.bbox_assigner is None:
            raise OptionError(f"{type(self).__name__} was built without train_cfg: it cannot train")
        samples = sample_proposals(self.bbox_assigner, self.bbox_sampler, proposals, truths, feats)
        rois = boxes_to_rois([sample.bboxes for sample in samples])
        maps, features = self(feats, rois)
        targets = self.bbox_head.targets(samples, self.pos_weight)
        losses: dict[str, Tensor] = self.bbox_head.losses(maps, rois, targets)
        if self.with_mask:
            losses.update(self._mask_losses(feats, features, rois, samples, truths))
        return losses

    def _mask_losses(
        self,
        feats: Sequence[Tensor],
        box_features: Tensor,
        rois: Tensor,
        samples: Sequence[Any],
        truths: Sequence[Truth],
    ) -> dict[str, Tensor]:
        positive = positive_rows(samples)
        if self.share_roi_extractor:
            logits = self.mask_head(box_features[positive])
        else:
            logits = self.forward_masks(feats, rois[positive])
        targets = self.mask_head.targets(
            samples, truths, self.mask_size, soft=self.soft_mask_target
        )
        labels = torch.cat([sample.pos_gt_labels for sample in samples])
        losses: dict[str, Tensor] = self.mask_head.losses(logits, targets, labels)
        return losses

    @torch.no_grad()
    def predict(
        self,
        feats: Sequence[Tensor],
        proposals: Sequence[Proposals],
        images: Sequence[ImageInfo],
        *,
        rescale: bool = False,
    ) -> list[Detections]:
        """Detections of each image, best first; masks as (D, height, width) bool."""
        rois = boxes_to_rois([proposed.boxes for proposed in proposals])
        maps, _ = self(feats, rois)
        counts = [len(proposed) for proposed in proposals]
        detections = []
        for image, of_image, image_rois in zip(
            images, _split(maps, counts), rois.split(counts), strict=True
        ):
            boxes, scores = self.bbox_head.predict(of_image, image_rois, image, rescale=rescale)
            detections.append(self._select(boxes, scores))
        return (
            self._with_masks(feats, detections, images, rescale) if self.with_mask else detections
        )

    def _select(self, boxes: Tensor, scores: Tensor) -> Detections:
        selection = self.test_selection
        if selection is None:
            raise OptionError(
                f"{type(self).__name__} was built without test_cfg: it cannot predict"
            )
        if len(boxes) == 0:
            return Detections(
                boxes.new_zeros((0, 4)), boxes.new_zeros(0), boxes.new_zeros(0, dtype=torch.long)
            )
        found, labels = multiclass_nms(
            boxes, scores, selection.score_thr, selection.nms, selection.max_per_img
        )
        return Detections(found[:, :4], found[:, 4], labels)

    def _with_masks(
        self,
        feats: Sequence[Tensor],
        detections: Sequence[Detections],
        images: Sequence[ImageInfo],
        rescale: bool,
    ) -> list[Detections]:
        rois = boxes_to_rois(
            [
                to_input_scale(found.boxes, image) if rescale else found.boxes
                for found, image in zip(detections, images, strict=True)
            ]
        )
        logits = self.forward_masks(feats, rois)
        labels = torch.cat([found.labels for found in detections])
        masks = self.mask_head.predict(logits, labels).split([len(found) for found in detections])
        return [
            self._paste(found, of_image, image, rescale)
            for found, of_image, image in zip(detections, masks, images, strict=True)
        ]

    def _paste(
        self, found: Detections, masks: Tensor, image: ImageInfo, rescale: bool
    ) -> Detections:
        size = image.original_shape if rescale else image.shape
        return replace(found, masks=paste_masks(masks, found.boxes, size, self.mask_threshold))

    @torch.no_grad()
    def predict_views(
        self,
        feats: Sequence[Sequence[Tensor]],
        proposals: Proposals,
        images: Sequence[ImageInfo],
        *,
        rescale: bool = False,
    ) -> Detections:
        """Detections of one image seen several times: boxes, scores and masks are averaged."""
        boxes_of_views, scores_of_views = [], []
        for view, image in zip(feats, images, strict=True):
            rois = boxes_to_rois([to_view(proposals.boxes, image)])
            maps, _ = self(view, rois)
            boxes, scores = self.bbox_head.predict(maps, rois, image)
            boxes_of_views.append(from_view(boxes, image))
            scores_of_views.append(scores)
        found = self._select(
            torch.stack(boxes_of_views).mean(dim=0), torch.stack(scores_of_views).mean(dim=0)
        )
        masks = self._masks_of_views(feats, found, images) if self.with_mask else None
        if not rescale:
            found = replace(found, boxes=to_view(found.boxes, images[0]))
            if masks is not None:
                masks = _flip_masks(masks, images[0])
        return found if masks is None else self._paste(found, masks, images[0], rescale)

    def _masks_of_views(
        self, feats: Sequence[Sequence[Tensor]], found: Detections, images: Sequence[ImageInfo]
    ) -> Tensor:
        masks_of_views = []
        for view, image in zip(feats, images, strict=True):
            logits = self.forward_masks(view, boxes_to_rois([to_view(found.boxes, image)]))
            masks_of_views.append(_flip_masks(self.mask_head.predict(logits, found.labels), image))
        return torch.stack(masks_of_views).mean(dim=0)


def _given(pretrained: str | None) -> dict[str, str]:
    return {} if pretrained is None else {"pretrained": pretrained}


def _split(maps: BoxMaps, counts: Sequence[int]) -> list[BoxMaps]:
    """Of the regions of a batch, those of each image."""
    parts = [
        [None] * len(counts) if values is None else values.split(list(counts)) for values in maps
    ]
    return [BoxMaps(*part) for part in zip(*parts, strict=True)]


def _flip_masks(masks: Tensor, image: ImageInfo) -> Tensor:
    """(R, m, m) masks of a view as seen in the unflipped image, and the other way round."""
    if not image.flip:
        return masks
    axes = {"horizontal": (-1,), "vertical": (-2,), "diagonal": (-2, -1)}
    return masks.flip(axes[image.flip_direction or "horizontal"])
