"""Stages that refine each other's boxes (Cai and Vasconcelos, "Cascade R-CNN", 2018)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from cvcore.cnn import ModuleList
from detcore.boxes.convert import boxes_to_rois
from detcore.errors import OptionError
from detcore.models.heads.roi.box.base import BoxMaps
from detcore.models.heads.roi.extractors import lay_out
from detcore.models.heads.roi.interface import RoIHead
from detcore.models.heads.roi.sampling import positive_rows, sample_proposals
from detcore.registries import BBOX_ASSIGNERS, BBOX_SAMPLERS, HEADS, ROI_EXTRACTORS
from detcore.structures import ImageInfo, Proposals, Truth

Recipe = Mapping[str, Any]


@HEADS.register_module()
class CascadeRoIHead(RoIHead):
    """The second, third, ... stage of Cascade R-CNN and Cascade Mask R-CNN.

    Args:
        num_stages: how many.
        stage_loss_weights: what the losses of each stage are multiplied by.
        bbox_roi_extractor: recipe of the boxes' features, for all stages or one a stage.
        bbox_head: recipe of the box head, for all stages or one a stage.
        mask_roi_extractor: recipe of the masks' features; without one the boxes' are taken.
        mask_head: recipe of the mask head, for all stages or one a stage; there are no masks
            without it.
        shared_head: not available in a cascade.
        train_cfg: for each stage ``assigner``, ``sampler``, ``pos_weight``; with masks
            ``mask_size``.
        test_cfg: ``score_thr``, ``nms``, ``max_per_img``; with masks ``mask_thr_binary``.
        pretrained: weights of the shared head; not available.
        init_cfg: recipe of the initial weights.
    """

    def __init__(
        self,
        num_stages: int,
        stage_loss_weights: Sequence[float],
        bbox_roi_extractor: Any = None,
        bbox_head: Any = None,
        mask_roi_extractor: Any = None,
        mask_head: Any = None,
        shared_head: Any = None,
        train_cfg: Sequence[Recipe] | None = None,
        test_cfg: Recipe | None = None,
        pretrained: str | None = None,
        init_cfg: Recipe | None = None,
    ) -> None:
        if shared_head is not None or pretrained is not None:
            raise OptionError(f"{type(self).__name__}: a cascade has no shared_head")
        if bbox_head is None or bbox_roi_extractor is None:
            raise OptionError(
                f"{type(self).__name__}: bbox_head and bbox_roi_extractor are both needed"
            )
        super().__init__(test_cfg, init_cfg)
        self.num_stages = num_stages
        self.stage_loss_weights = tuple(stage_loss_weights)
        # Which stage is being trained; samplers of hard examples ask its box head.
        self.current_stage = 0
        self.with_mask = mask_head is not None
        self.bbox_roi_extractor = self._stages(ROI_EXTRACTORS, bbox_roi_extractor)
        self.bbox_head = self._stages(HEADS, bbox_head)
        self.share_roi_extractor = self.with_mask and mask_roi_extractor is None
        if mask_head is not None:
            self.mask_head = self._stages(HEADS, mask_head)
            if mask_roi_extractor is not None:
                self.mask_roi_extractor = self._stages(ROI_EXTRACTORS, mask_roi_extractor)
        if not self.share_roi_extractor:
            for extractor, head in zip(self.bbox_roi_extractor, self.bbox_head, strict=True):
                lay_out(extractor, head)
        self._read_train_cfg(train_cfg)

    def _stages(self, registry: Any, recipe: Any) -> ModuleList:
        recipes = recipe if isinstance(recipe, (list, tuple)) else [recipe] * self.num_stages
        self._check_length("recipes", recipes)
        return ModuleList([registry.build(each) for each in recipes])

    def _check_length(self, name: str, values: Sequence[Any]) -> None:
        if len(values) != self.num_stages:
            raise OptionError(
                f"{type(self).__name__}: {len(values)} {name} for num_stages={self.num_stages}"
            )

    def _read_train_cfg(self, cfgs: Sequence[Recipe] | None) -> None:
        self._check_length("stage_loss_weights", self.stage_loss_weights)
        if cfgs is None:
            self.bbox_assigner = None
            return
        self._check_length("train_cfg", cfgs)
        self.bbox_assigner = [BBOX_ASSIGNERS.build(cfg["assigner"]) for cfg in cfgs]
        self.bbox_sampler = []
        for stage, cfg in enumerate(cfgs):
            self.current_stage = stage
            self.bbox_sampler.append(
                BBOX_SAMPLERS.build(cfg["sampler"], default_args={"context": self})
            )
        self.pos_weights = [cfg.get("pos_weight", -1) for cfg in cfgs]
        self.mask_sizes = [cfg.get("mask_size") for cfg in cfgs]
        self.soft_mask_targets = [cfg.get("soft_mask_target", False) for cfg in cfgs]
        if self.with_mask and None in self.mask_sizes:
            raise OptionError(
                f"{type(self).__name__}: every stage's train_cfg needs mask_size to train masks"
            )

    @property
    def num_classes(self) -> int:
        """Classes without the background."""
        return int(self.bbox_head[-1].num_classes)

    def forward(self, stage: int, feats: Sequence[Tensor], rois: Tensor) -> tuple[BoxMaps, Tensor]:
        """What a stage's box head says of (R, 5) regions, and the features it looked at."""
        found = self._bbox_forward(stage, feats, rois)
        return BoxMaps(found["cls_score"], found["bbox_pred"]), found["bbox_feats"]

    def _bbox_forward(self, stage: int, x: Sequence[Tensor], rois: Tensor) -> dict[str, Any]:
        """``cls_score``, ``bbox_pred`` and ``bbox_feats`` of (R, 5) regions.

        Samplers of hard examples ask it, and heads that users wrote override it by this name.
        """
        features = _cut_out(self.bbox_roi_extractor[stage], x, rois)
        cls_score, bbox_pred = self.bbox_head[stage](features)
        return {"cls_score": cls_score, "bbox_pred": bbox_pred, "bbox_feats": features}

    def forward_masks(self, stage: int, feats: Sequence[Tensor], rois: Tensor) -> Tensor:
        """The logits of a stage's mask head for (R, 5) regions."""
        extractors = (
            self.bbox_roi_extractor if self.share_roi_extractor else self.mask_roi_extractor
        )
        return self.mask_head[stage](_cut_out(extractors[stage], feats, rois))

    def losses(
        self,
        feats: Sequence[Tensor],
        proposals: Sequence[Proposals],
        truths: Sequence[Truth],
        images: Sequence[ImageInfo],
    ) -> dict[str, Tensor]:
        """Of each stage ``loss_cls``, ``acc``, ``loss_bbox`` and ``loss_mask``, as ``s0.loss_cls``.

        Raises:
            OptionError: the head was built without ``train_cfg``.
        """
        if self.bbox_assigner is None:
            raise OptionError(f"{type(self).__name__} was built without train_cfg: it cannot train")
        losses: dict[str, Tensor] = {}
        for stage, weight in enumerate(self.stage_loss_weights):
            self.current_stage = stage
            samples = sample_proposals(
                self.bbox_assigner[stage], self.bbox_sampler[stage], proposals, truths, feats
            )
            rois = boxes_to_rois([sample.bboxes for sample in samples])
            maps, features = self(stage, feats, rois)
            targets = self.bbox_head[stage].targets(samples, self.pos_weights[stage])
            of_stage = self.bbox_head[stage].losses(maps, rois, targets)
            if self.with_mask:
                of_stage.update(self._mask_losses(stage, feats, features, rois, samples, truths))
            for name, value in of_stage.items():
                losses[f"s{stage}.{name}"] = value * weight if "loss" in name else value
            if stage + 1 < self.num_stages:
                proposals = self._refined(stage, maps, rois, targets.labels, samples, images)
        return losses

    def _mask_losses(
        self,
        stage: int,
        feats: Sequence[Tensor],
        box_features: Tensor,
        rois: Tensor,
        samples: Sequence[Any],
        truths: Sequence[Truth],
    ) -> dict[str, Tensor]:
        head = self.mask_head[stage]
        positive = positive_rows(samples)
        if self.share_roi_extractor:
            logits = head(box_features[positive])
        else:
            logits = self.forward_masks(stage, feats, rois[positive])
        targets = head.targets(
            samples, truths, self.mask_sizes[stage], soft=self.soft_mask_targets[stage]
        )
        labels = torch.cat([sample.pos_gt_labels for sample in samples])
        losses: dict[str, Tensor] = head.losses(logits, targets, labels)
        return losses

    @torch.no_grad()
    def _refined(
        self,
        stage: int,
        maps: BoxMaps,
        rois: Tensor,
        labels: Tensor,
        samples: Sequence[Any],
        images: Sequence[ImageInfo],
    ) -> list[Proposals]:
        """What the next stage looks at: the refined boxes of samples that are not objects."""
        counts = [len(sample.bboxes) for sample in samples]
        parts = zip(
            maps.split(counts), rois.split(counts), labels.split(counts), images, strict=True
        )
        proposals = []
        for part, sample in zip(parts, samples, strict=True):
            boxes = self.bbox_head[stage].refine(*part)
            own = torch.ones(len(boxes), dtype=torch.bool, device=boxes.device)
            own[: len(sample.pos_is_gt)] = sample.pos_is_gt == 0
            proposals.append(Proposals(boxes[own], boxes.new_ones(int(own.sum()))))
        return proposals

    def score_regions(
        self, feats: Sequence[Tensor], regions: Sequence[Tensor], images: Sequence[ImageInfo]
    ) -> list[tuple[Tensor, Tensor]]:
        """Boxes of the last stage and the scores of all, for the regions of each image."""
        counts = [len(boxes) for boxes in regions]
        rois = boxes_to_rois(regions)
        logits = []
        for stage, head in enumerate(self.bbox_head):
            maps, _ = self(stage, feats, rois)
            logits.append(maps.cls_score)
            if stage + 1 < self.num_stages:
                background = rois.new_full((len(rois),), head.num_classes, dtype=torch.long)
                parts = zip(
                    maps.split(counts),
                    rois.split(counts),
                    background.split(counts),
                    images,
                    strict=True,
                )
                rois = boxes_to_rois([head.refine(*part) for part in parts])
        mean = BoxMaps(sum(logits) / len(logits), maps.bbox_pred)
        of_images = zip(mean.split(counts), rois.split(counts), images, strict=True)
        return [self.bbox_head[-1].predict(*of_image) for of_image in of_images]

    def draw_masks(self, feats: Sequence[Tensor], rois: Tensor, labels: Tensor) -> Tensor:
        """(R, m, m) float32 mean of the stages' mask probabilities."""
        masks = [
            head.predict(self.forward_masks(stage, feats, rois), labels)
            for stage, head in enumerate(self.mask_head)
        ]
        return torch.stack(masks).mean(dim=0)


def _cut_out(extractor: nn.Module, feats: Sequence[Tensor], rois: Tensor) -> Tensor:
    return extractor(feats[: extractor.num_inputs], rois)
