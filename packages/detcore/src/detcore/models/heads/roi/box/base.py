"""Scores and refines one region each (Girshick, "Fast R-CNN", 2015)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.utils import _pair

from cvcore.cnn import BaseModule
from detcore.boxes.convert import clip_boxes
from detcore.errors import OptionError
from detcore.models.heads.roi.sampling import positive_rows
from detcore.models.losses import accuracy
from detcore.registries import BBOX_CODERS, HEADS, LOSSES, MODELS
from detcore.structures import ImageInfo

Recipe = Mapping[str, Any]

DELTAS: Recipe = {
    "type": "DeltaXYWHBBoxCoder",
    "clip_border": True,
    "target_means": (0.0, 0.0, 0.0, 0.0),
    "target_stds": (0.1, 0.1, 0.2, 0.2),
}
LINEAR: Recipe = {"type": "Linear"}
CROSS_ENTROPY: Recipe = {"type": "CrossEntropyLoss", "use_sigmoid": False, "loss_weight": 1.0}
SMOOTH_L1: Recipe = {"type": "SmoothL1Loss", "beta": 1.0, "loss_weight": 1.0}


class BoxMaps(NamedTuple):
    """Output of a box head for R regions; a plain pair does as well."""

    cls_score: Tensor | None  # (R, num_classes + 1) logits, the background last
    bbox_pred: Tensor | None  # (R, 4) or (R, num_classes * 4) deltas

    def split(self, counts: Sequence[int]) -> list[BoxMaps]:
        """Of the regions of a batch, those of each image."""
        scores, deltas = (
            [None] * len(counts) if values is None else values.split(list(counts))
            for values in self
        )
        return [BoxMaps(*of_image) for of_image in zip(scores, deltas, strict=True)]


@dataclass(frozen=True, slots=True)
class BoxTargets:
    """What a box head should have said of R regions; label ``num_classes`` is the background."""

    labels: Tensor  # (R,) int64
    label_weights: Tensor  # (R,) float32
    boxes: Tensor  # (R, 4) float32 deltas, or boxes with ``reg_decoded_bbox``
    box_weights: Tensor  # (R, 4) float32; 1 at positives, 0 elsewhere


@HEADS.register_module()
class BBoxHead(BaseModule):
    """One fully connected layer each for scores and deltas; the base of the box heads.

    A head built on it gives other layers (``_init_layers``, ``forward``) and leaves targets, losses
    and decoding as they are.

    Args:
        with_avg_pool: average the regions' features over their area first.
        with_cls: whether there are scores.
        with_reg: whether there are deltas.
        roi_feat_size: height and width of a region's features.
        in_channels: channels of a region's features.
        num_classes: classes without the background.
        bbox_coder: recipe or object that turns deltas into boxes and back.
        reg_class_agnostic: one box a region instead of one for each class.
        reg_decoded_bbox: compare boxes, not deltas; for losses of overlap.
        reg_predictor_cfg: recipe of the layer that gives the deltas.
        cls_predictor_cfg: recipe of the layer that gives the scores.
        loss_cls: of the scores; may bring its own activation, as SeesawLoss does.
        loss_bbox: of the positives' boxes.
        init_cfg: recipe of the initial weights.
    """

    def __init__(
        self,
        with_avg_pool: bool = False,
        with_cls: bool = True,
        with_reg: bool = True,
        roi_feat_size: int | tuple[int, int] = 7,
        in_channels: int = 256,
        num_classes: int = 80,
        bbox_coder: Any = DELTAS,
        reg_class_agnostic: bool = False,
        reg_decoded_bbox: bool = False,
        reg_predictor_cfg: Recipe = LINEAR,
        cls_predictor_cfg: Recipe = LINEAR,
        loss_cls: Any = CROSS_ENTROPY,
        loss_bbox: Any = SMOOTH_L1,
        init_cfg: Recipe | Sequence[Recipe] | None = None,
    ) -> None:
        if not (with_cls or with_reg):
            raise OptionError(f"{type(self).__name__}: with_cls and with_reg are both off")
        super().__init__(init_cfg)
        self.with_avg_pool = with_avg_pool
        self.with_cls = with_cls
        self.with_reg = with_reg
        self.roi_feat_size = _pair(roi_feat_size)
        self.roi_feat_area = self.roi_feat_size[0] * self.roi_feat_size[1]
        self.in_channels = in_channels
        self.num_classes = num_classes
        self.reg_class_agnostic = reg_class_agnostic
        self.reg_decoded_bbox = reg_decoded_bbox
        self.reg_predictor_cfg = reg_predictor_cfg
        self.cls_predictor_cfg = cls_predictor_cfg
        self.bbox_coder = BBOX_CODERS.build(bbox_coder)
        self.loss_cls = LOSSES.build(loss_cls)
        self.loss_bbox = LOSSES.build(loss_bbox)
        if with_avg_pool:
            self.avg_pool = nn.AvgPool2d(self.roi_feat_size)
        self._init_layers()
        if init_cfg is None:
            self.init_cfg = self._default_init()

    def _init_layers(self) -> None:
        """Make the layers that ``forward`` uses."""
        features = self.in_channels if self.with_avg_pool else self.in_channels * self.roi_feat_area
        self._init_predictors(features, features)

    def _init_predictors(self, cls_features: int, reg_features: int) -> None:
        """Make the two last layers, given how many features lead to each."""
        if self.with_cls:
            self.fc_cls = build_predictor(
                self.cls_predictor_cfg, cls_features, self.cls_out_channels
            )
        if self.with_reg:
            boxes = 1 if self.reg_class_agnostic else self.num_classes
            self.fc_reg = build_predictor(self.reg_predictor_cfg, reg_features, boxes * 4)

    def _default_init(self) -> list[dict[str, Any]]:
        recipes: list[dict[str, Any]] = []
        if self.with_cls:
            recipes.append({"type": "Normal", "std": 0.01, "override": {"name": "fc_cls"}})
        if self.with_reg:
            recipes.append({"type": "Normal", "std": 0.001, "override": {"name": "fc_reg"}})
        return recipes

    @property
    def flattens_first(self) -> bool:
        """Whether nothing but fully connected layers looks at the features of a region."""
        return False

    @property
    def custom_activation(self) -> bool:
        """Whether the classification loss says how scores come from logits."""
        return bool(getattr(self.loss_cls, "custom_activation", False))

    @property
    def cls_out_channels(self) -> int:
        """Logits of a region."""
        if getattr(self.loss_cls, "custom_cls_channels", False):
            return int(self.loss_cls.get_cls_channels(self.num_classes))
        return self.num_classes + 1

    def forward(self, x: Tensor) -> BoxMaps:
        """Scores and deltas from the (R, C, h, w) features of regions."""
        if self.with_avg_pool:
            x = self.avg_pool(x)
        x = x.flatten(1)
        return BoxMaps(
            self.fc_cls(x) if self.with_cls else None, self.fc_reg(x) if self.with_reg else None
        )

    @torch.no_grad()
    def targets(self, samples: Sequence[Any], pos_weight: float = -1) -> BoxTargets:
        """What the regions of all images should be, each image's positives before its negatives.

        Args:
            samples: a ``SamplingResult`` an image.
            pos_weight: weight of a positive's label; 1 where it is 0 or less.
        """
        boxes = torch.cat([sample.bboxes for sample in samples])
        labels = boxes.new_full((len(boxes),), self.num_classes, dtype=torch.long)
        label_weights = boxes.new_ones(len(boxes))
        targets, weights = torch.zeros_like(boxes), torch.zeros_like(boxes)
        index = positive_rows(samples)
        if len(index):
            labels[index] = torch.cat([sample.pos_gt_labels for sample in samples])
            if pos_weight > 0:
                label_weights[index] = pos_weight
            matched = torch.cat([sample.pos_gt_bboxes for sample in samples])
            targets[index] = (
                matched if self.reg_decoded_bbox else self.bbox_coder.encode(boxes[index], matched)
            )
            weights[index] = 1.0
        return BoxTargets(labels, label_weights, targets, weights)

    def losses(
        self,
        maps: BoxMaps,
        rois: Tensor,
        targets: BoxTargets,
        reduction_override: str | None = None,
    ) -> dict[str, Tensor]:
        """``loss_cls`` with the accuracy in percent as ``acc``, and ``loss_bbox``.

        Args:
            maps: what ``forward`` gave.
            rois: (R, 5) image index and xyxy of the regions.
            targets: what ``targets`` gave.
            reduction_override: ``none`` gives one loss a region.
        """
        cls_score, bbox_pred = maps
        losses: dict[str, Tensor] = {}
        if cls_score is not None:
            losses.update(
                self._classification_losses(cls_score.float(), targets, reduction_override)
            )
        if bbox_pred is not None:
            losses["loss_bbox"] = self._box_loss(
                bbox_pred.float(), rois, targets, reduction_override
            )
        return losses

    def loss(
        self,
        cls_score: Tensor | None,
        bbox_pred: Tensor | None,
        rois: Tensor,
        labels: Tensor,
        label_weights: Tensor,
        bbox_targets: Tensor | None,
        bbox_weights: Tensor | None,
        reduction_override: str | None = None,
    ) -> dict[str, Tensor]:
        """``losses`` from tensors, as samplers of hard examples ask for them."""
        nothing = rois.new_zeros((len(rois), 4))
        targets = BoxTargets(
            labels,
            label_weights,
            nothing if bbox_targets is None else bbox_targets,
            nothing if bbox_weights is None else bbox_weights,
        )
        return self.losses(BoxMaps(cls_score, bbox_pred), rois, targets, reduction_override)

    def _classification_losses(
        self, cls_score: Tensor, targets: BoxTargets, reduction_override: str | None
    ) -> dict[str, Tensor]:
        if len(cls_score) == 0:
            return {"loss_cls": cls_score.sum(), "acc": cls_score.new_zeros(1)}
        loss = self.loss_cls(
            cls_score,
            targets.labels,
            targets.label_weights,
            avg_factor=(targets.label_weights > 0).sum().clamp(min=1).float(),
            reduction_override=reduction_override,
        )
        losses = dict(loss) if isinstance(loss, Mapping) else {"loss_cls": loss}
        if self.custom_activation:
            losses.update(self.loss_cls.get_accuracy(cls_score, targets.labels))
        else:
            losses["acc"] = accuracy(cls_score, targets.labels)
        return losses

    def _box_loss(
        self, bbox_pred: Tensor, rois: Tensor, targets: BoxTargets, reduction_override: str | None
    ) -> Tensor:
        positive = (targets.labels >= 0) & (targets.labels < self.num_classes)
        index = positive.nonzero().squeeze(1)
        if len(index) == 0:
            return bbox_pred[index].sum()
        chosen = bbox_pred.view(len(bbox_pred), -1, 4)[index]
        if not self.reg_class_agnostic:
            chosen = chosen[torch.arange(len(index), device=index.device), targets.labels[index]]
        chosen = chosen.reshape(-1, 4)
        if self.reg_decoded_bbox:
            chosen = self.bbox_coder.decode(rois[index, 1:], chosen)
        return self.loss_bbox(
            chosen,
            targets.boxes[index],
            targets.box_weights[index],
            avg_factor=len(targets.boxes),
            reduction_override=reduction_override,
        )

    def scores(self, cls_score: Tensor) -> Tensor:
        """(R, num_classes + 1) scores in [0, 1] from logits."""
        if self.custom_activation:
            return self.loss_cls.get_activation(cls_score)
        return cls_score.float().softmax(dim=-1)

    @torch.no_grad()
    def predict(
        self, maps: BoxMaps, rois: Tensor, image: ImageInfo
    ) -> tuple[Tensor, Tensor | None]:
        """Boxes and scores of the regions of one image, nothing thrown away yet.

        Args:
            maps: what ``forward`` gave for the image's regions.
            rois: (R, 5) image index and xyxy of the regions.
            image: to whose shape boxes are clipped.

        Returns:
            boxes (R, 4) or (R, num_classes * 4), and scores (R, num_classes + 1), None without
            scores.
        """
        if maps.bbox_pred is not None:
            boxes = self.bbox_coder.decode(
                rois[:, 1:], maps.bbox_pred.float(), max_shape=image.shape
            )
        else:
            boxes = clip_boxes(rois[:, 1:], image.shape)
        return boxes, None if maps.cls_score is None else self.scores(maps.cls_score)

    @torch.no_grad()
    def refine(self, maps: BoxMaps, rois: Tensor, labels: Tensor, image: ImageInfo) -> Tensor:
        """(R, 4) boxes that a next stage looks at, those of the regions' (R,) labels.

        A label beyond the classes, the background's, takes the box of the best class.
        """
        if maps.bbox_pred is None:
            return rois[:, 1:]
        deltas = maps.bbox_pred.float()
        if not self.reg_class_agnostic:
            if maps.cls_score is not None:
                best = self.scores(maps.cls_score)[:, :-1].argmax(dim=1)
                labels = torch.where(labels >= self.num_classes, best, labels)
            rows = torch.arange(len(deltas), device=deltas.device)
            deltas = deltas.view(len(deltas), -1, 4)[rows, labels]
        boxes: Tensor = self.bbox_coder.decode(rois[:, 1:], deltas, max_shape=image.shape)
        return boxes


def build_predictor(recipe: Recipe, in_features: int, out_features: int) -> nn.Module:
    """Build the last layer of a box head: ``Linear``, or what ``type`` names in ``MODELS``."""
    arguments = dict(recipe)
    kind = arguments.pop("type")
    layer = nn.Linear if kind == "Linear" else MODELS.get(kind)
    return layer(in_features, out_features, **arguments)
