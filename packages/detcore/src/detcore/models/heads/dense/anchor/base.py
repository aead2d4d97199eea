"""Scores and refines every anchor of every level (Liu et al., "SSD", 2016; Ren et al., 2015)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from detcore.errors import OptionError
from detcore.models.heads.dense.interface import DenseHead, DenseMaps, DenseTargets, Losses
from detcore.models.heads.dense.postprocess import flat_maps
from detcore.models.heads.dense.priors import PriorGrid
from detcore.registries import (
    BBOX_ASSIGNERS,
    BBOX_CODERS,
    BBOX_SAMPLERS,
    HEADS,
    LOSSES,
    PRIOR_GENERATORS,
)
from detcore.structures import ImageInfo, Truth

Recipe = Mapping[str, Any]

ANCHORS: Recipe = {
    "type": "AnchorGenerator",
    "scales": [8, 16, 32],
    "ratios": [0.5, 1.0, 2.0],
    "strides": [4, 8, 16, 32, 64],
}
DELTAS: Recipe = {
    "type": "DeltaXYWHBBoxCoder",
    "clip_border": True,
    "target_means": (0.0, 0.0, 0.0, 0.0),
    "target_stds": (1.0, 1.0, 1.0, 1.0),
}
CROSS_ENTROPY: Recipe = {"type": "CrossEntropyLoss", "use_sigmoid": True, "loss_weight": 1.0}
SMOOTH_L1: Recipe = {"type": "SmoothL1Loss", "beta": 1.0 / 9.0, "loss_weight": 1.0}
NORMAL: Recipe = {"type": "Normal", "layer": "Conv2d", "std": 0.01}
EVERY_SAMPLE: Recipe = {"type": "PseudoSampler"}

# These losses weigh easy negatives down themselves: all anchors are used, positives are counted.
LOSSES_OF_ALL_ANCHORS = ("FocalLoss", "GHMC", "QualityFocalLoss")


@HEADS.register_module()
class AnchorHead(DenseHead):
    """A score per class and four deltas for every anchor; the base of the anchor heads.

    A head built on it gives other layers (``_init_layers``, ``forward_single``) and leaves anchors,
    targets, losses and decoding as they are.

    Args:
        num_classes: classes without the background.
        in_channels: channels of the features.
        feat_channels: channels between them and the predictions.
        anchor_generator: recipe or object that lays the anchors out.
        bbox_coder: recipe or object that turns deltas into boxes and back.
        reg_decoded_bbox: compare boxes, not deltas; for losses of overlap.
        loss_cls: of the scores; with ``use_sigmoid`` there is no output for the background.
        loss_bbox: of the positives' boxes.
        train_cfg: ``assigner``, ``sampler``, ``allowed_border`` and ``pos_weight``.
        test_cfg: ``score_thr``, ``nms_pre``, ``nms`` and ``max_per_img``.
        init_cfg: recipe of the initial weights.
    """

    # Heads that only tell objects from background call every object class 0.
    class_agnostic = False

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        feat_channels: int = 256,
        anchor_generator: Any = ANCHORS,
        bbox_coder: Any = DELTAS,
        reg_decoded_bbox: bool = False,
        loss_cls: Any = CROSS_ENTROPY,
        loss_bbox: Any = SMOOTH_L1,
        train_cfg: Recipe | None = None,
        test_cfg: Recipe | None = None,
        init_cfg: Recipe | Sequence[Recipe] | None = NORMAL,
    ) -> None:
        super().__init__(test_cfg, init_cfg)
        self.num_classes = num_classes
        self.in_channels = in_channels
        self.feat_channels = feat_channels
        self.reg_decoded_bbox = reg_decoded_bbox

        self.prior_generator = PRIOR_GENERATORS.build(anchor_generator)
        self.prior_grid = PriorGrid(self.prior_generator)
        self.num_base_priors = self.prior_generator.num_base_priors[0]
        self.bbox_coder = BBOX_CODERS.build(bbox_coder)
        self.loss_cls = LOSSES.build(loss_cls)
        self.loss_bbox = LOSSES.build(loss_bbox)
        self.use_sigmoid_cls = bool(getattr(self.loss_cls, "use_sigmoid", False))
        self.cls_out_channels = num_classes if self.use_sigmoid_cls else num_classes + 1
        if self.cls_out_channels < 1:
            raise OptionError(
                f"{type(self).__name__}: num_classes={num_classes} leaves nothing to predict"
            )
        self._read_train_cfg(train_cfg)
        self._init_layers()

    def _read_train_cfg(self, cfg: Recipe | None) -> None:
        if cfg is None:
            self.assigner = None
            return
        self.assigner = BBOX_ASSIGNERS.build(cfg["assigner"])
        sampler = cfg.get("sampler") or EVERY_SAMPLE
        if type(self.loss_cls).__name__ in LOSSES_OF_ALL_ANCHORS:
            sampler = EVERY_SAMPLE
        self.sampler = BBOX_SAMPLERS.build(sampler, default_args={"context": self})
        # Where negatives are drawn, they count in the losses' average.
        self.sampling = type(self.sampler).__name__ != "PseudoSampler"
        self.allowed_border = cfg.get("allowed_border", -1)
        self.pos_weight = cfg.get("pos_weight", -1)

    def _init_layers(self) -> None:
        """Make the layers that ``forward_single`` uses."""
        self.conv_cls = nn.Conv2d(self.in_channels, self.num_base_priors * self.cls_out_channels, 1)
        self.conv_reg = nn.Conv2d(self.in_channels, self.num_base_priors * 4, 1)

    def forward_single(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (N, A * C, H, W) and deltas (N, A * 4, H, W) of one level."""
        return self.conv_cls(x), self.conv_reg(x)

    def forward_levels(self, feats: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """Scores (N, A * C, H, W) and deltas (N, A * 4, H, W) of each level."""
        return [self.forward_single(x) for x in feats]

    def forward(self, feats: Sequence[Tensor]) -> DenseMaps:
        """Maps over the pyramid, with the anchors they stand on."""
        scores, deltas = zip(*self.forward_levels(feats), strict=True)
        map_sizes = tuple((level.shape[2], level.shape[3]) for level in scores)
        priors, level_sizes = self.prior_grid(map_sizes, scores[0].device)
        return DenseMaps(
            scores=flat_maps(scores, self.cls_out_channels),
            boxes=flat_maps(deltas, 4),
            priors=priors,
            map_sizes=map_sizes,
            level_sizes=level_sizes,
        )

    @torch.no_grad()
    def targets(
        self, maps: DenseMaps, truths: Sequence[Truth], images: Sequence[ImageInfo]
    ) -> DenseTargets:
        """Match the anchors of each image with its boxes.

        Raises:
            OptionError: the head was built without ``train_cfg``.
        """
        shape = maps.scores.shape[:2]
        labels = maps.priors.new_full(shape, self.num_classes, dtype=torch.long)
        label_weights = maps.priors.new_zeros(shape)
        boxes = maps.priors.new_zeros((*shape, 4))
        box_weights = maps.priors.new_zeros(shape)
        num_samples = 0
        # Image by image, for each has another number of boxes.
        for i, (truth, image) in enumerate(zip(truths, images, strict=True)):
            positive, negative, matched = self._match(maps, truth, image)
            labels[i, positive] = 0 if self.class_agnostic else truth.labels[matched]
            label_weights[i, positive] = 1.0 if self.pos_weight <= 0 else self.pos_weight
            label_weights[i, negative] = 1.0
            boxes[i, positive] = self._encode(maps.priors[positive], truth.boxes[matched])
            box_weights[i, positive] = 1.0
            num_samples += max(len(positive), 1)
            if self.sampling:
                num_samples += max(len(negative), 1)
        return DenseTargets(labels, label_weights, boxes, box_weights, num_samples)

    def _match(
        self, maps: DenseMaps, truth: Truth, image: ImageInfo
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Indices of positive and negative anchors, and for each positive that of its box."""
        if self.assigner is None:
            raise OptionError(
                f"{type(self).__name__} was built without train_cfg and cannot be trained; "
                "give train_cfg=dict(assigner=..., ...)"
            )
        inside = self.prior_grid.inside(
            maps.map_sizes, maps.priors, image.pad_shape, image.shape, self.allowed_border
        )
        index = inside.nonzero().squeeze(1)
        priors = maps.priors[index]
        # A sampled head's labels come from the boxes drawn, so the assigner need not know them.
        labels = None if self.sampling or self.class_agnostic else truth.labels
        assigned = self.assigner.assign(priors, truth.boxes, truth.ignored, labels)
        sampled = self.sampler.sample(assigned, priors, truth.boxes)
        return index[sampled.pos_inds], index[sampled.neg_inds], sampled.pos_assigned_gt_inds

    def _encode(self, priors: Tensor, boxes: Tensor) -> Tensor:
        return boxes if self.reg_decoded_bbox else self.bbox_coder.encode(priors, boxes)

    def losses(self, maps: DenseMaps, targets: DenseTargets) -> Losses:
        """``loss_cls`` and ``loss_bbox``, one of each a level."""
        boxes = maps.boxes
        if self.reg_decoded_bbox:
            priors = maps.priors.expand_as(boxes)
            boxes = self.bbox_coder.decode(priors.reshape(-1, 4), boxes.reshape(-1, 4))
            boxes = boxes.view_as(maps.boxes)
        # A loss may look at its whole input, as GHM does: level by level is part of the method.
        levels = zip(
            *(
                part.split(list(maps.level_sizes), dim=1)
                for part in (
                    maps.scores,
                    targets.labels,
                    targets.label_weights,
                    boxes,
                    targets.boxes,
                    targets.box_weights,
                )
            ),
            strict=True,
        )
        losses = [self._level_losses(targets.num_samples, *level) for level in levels]
        return {
            "loss_cls": [loss_cls for loss_cls, _ in losses],
            "loss_bbox": [loss_bbox for _, loss_bbox in losses],
        }

    def _level_losses(
        self,
        num_samples: int,
        scores: Tensor,
        labels: Tensor,
        label_weights: Tensor,
        boxes: Tensor,
        target_boxes: Tensor,
        box_weights: Tensor,
    ) -> tuple[Tensor, Tensor]:
        loss_cls = self.loss_cls(
            scores.reshape(-1, self.cls_out_channels),
            labels.reshape(-1),
            label_weights.reshape(-1),
            avg_factor=num_samples,
        )
        loss_bbox = self.loss_bbox(
            boxes.reshape(-1, 4),
            target_boxes.reshape(-1, 4),
            box_weights.reshape(-1, 1).expand(-1, 4),
            avg_factor=num_samples,
        )
        return loss_cls, loss_bbox

    def class_scores(self, maps: DenseMaps) -> Tensor:
        """(N, P, num_classes) scores in [0, 1]."""
        if self.use_sigmoid_cls:
            return maps.scores.sigmoid()
        return maps.scores.softmax(dim=-1)[..., :-1]

    def decode(self, maps: DenseMaps, image_index: int, picked: Tensor, image: ImageInfo) -> Tensor:
        """Boxes of the picked anchors, clipped to the image."""
        return self.bbox_coder.decode(
            maps.priors[picked], maps.boxes[image_index, picked], max_shape=image.shape
        )
