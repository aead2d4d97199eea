"""One box head and one mask head over proposals (Ren et al., 2015; He et al., 2017)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from detcore.boxes.convert import boxes_to_rois
from detcore.errors import OptionError
from detcore.models.heads.roi.box.base import BoxMaps, BoxTargets
from detcore.models.heads.roi.extractors import lay_out
from detcore.models.heads.roi.interface import RoIHead
from detcore.models.heads.roi.sampling import positive_rows, sample_proposals
from detcore.registries import (
    BBOX_ASSIGNERS,
    BBOX_SAMPLERS,
    HEADS,
    ROI_EXTRACTORS,
    SHARED_HEADS,
)
from detcore.structures import ImageInfo, Proposals, Truth

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
        super().__init__(test_cfg, init_cfg)
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
        if not (self.with_shared_head or self.share_roi_extractor):
            lay_out(self.bbox_roi_extractor, self.bbox_head)
        self._read_train_cfg(train_cfg)

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
        targets = self._box_targets(samples)
        losses: dict[str, Tensor] = self.bbox_head.losses(maps, rois, targets)
        if self.with_mask:
            losses.update(self._mask_losses(feats, features, rois, samples, truths))
        return losses

    def _box_targets(self, samples: Sequence[Any]) -> BoxTargets:
        targets: BoxTargets = self.bbox_head.targets(samples, self.pos_weight)
        return targets

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

    def score_regions(
        self, feats: Sequence[Tensor], regions: Sequence[Tensor], images: Sequence[ImageInfo]
    ) -> list[tuple[Tensor, Tensor]]:
        """Boxes and scores of the regions of each image, nothing thrown away yet."""
        rois = boxes_to_rois(regions)
        maps, _ = self(feats, rois)
        counts = [len(boxes) for boxes in regions]
        of_images = zip(maps.split(counts), rois.split(counts), images, strict=True)
        return [self.bbox_head.predict(*of_image) for of_image in of_images]

    def draw_masks(self, feats: Sequence[Tensor], rois: Tensor, labels: Tensor) -> Tensor:
        """(R, m, m) float32 mask probabilities of (R, 5) regions of (R,) known classes."""
        probabilities: Tensor = self.mask_head.predict(self.forward_masks(feats, rois), labels)
        return probabilities


def _given(pretrained: str | None) -> dict[str, str]:
    return {} if pretrained is None else {"pretrained": pretrained}
