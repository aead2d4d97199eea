"""Boxes as distances from a point to its four sides (Tian et al., "FCOS", 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cvcore.cnn import Scale
from cvcore.dist import all_reduce_mean
from detcore.models.heads.dense.interface import DenseMaps, Losses
from detcore.models.heads.dense.point.base import FOCAL, IOU, RARE_OBJECTS, AnchorFreeHead, Recipe
from detcore.models.heads.dense.postprocess import flat_maps
from detcore.registries import HEADS, LOSSES
from detcore.structures import ImageInfo, Truth

_FAR = 1e8
RANGES = ((-1, 64), (64, 128), (128, 256), (256, 512), (512, _FAR))
GROUP_NORM: Recipe = {"type": "GN", "num_groups": 32, "requires_grad": True}
CROSS_ENTROPY: Recipe = {"type": "CrossEntropyLoss", "use_sigmoid": True, "loss_weight": 1.0}

# As checkpoints before MMDetection 2 spell them.
_OLD_KEYS = {
    "fcos_cls": "conv_cls",
    "fcos_reg": "conv_reg",
    "fcos_centerness": "conv_centerness",
}


@dataclass(frozen=True, slots=True)
class FCOSMaps(DenseMaps):
    """Output for a batch; ``boxes`` holds distances to the left, top, right and bottom side."""

    centerness: Tensor  # (N, P) float32 logits


@dataclass(frozen=True, slots=True)
class FCOSTargets:
    """What every point should have said; label ``num_classes`` is the background."""

    labels: Tensor  # (N, P) int64
    distances: Tensor  # (N, P, 4) float32, as ``FCOSMaps.boxes``; meaningful at positives


@HEADS.register_module()
class FCOSHead(AnchorFreeHead):
    """Scores, distances and a centerness at every point.

    Args:
        num_classes: classes without the background.
        in_channels: channels of the features.
        regress_ranges: for each level, the reach that its boxes have: from and up to how many
            pixels the farthest side is away.
        center_sampling: only points near a box's centre are positive.
        center_sample_radius: how near, in cells.
        norm_on_bbox: distances are in cells, not in pixels.
        centerness_on_reg: the centerness stands behind the boxes' tower, not the scores'.
        loss_cls: of the scores.
        loss_bbox: of the positives' boxes.
        loss_centerness: of the positives' centerness.
        norm_cfg: recipe of the norms in the towers.
        init_cfg: recipe of the initial weights.
        anchor_free_head: the other arguments of ``AnchorFreeHead``.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        regress_ranges: Sequence[tuple[float, float]] = RANGES,
        center_sampling: bool = False,
        center_sample_radius: float = 1.5,
        norm_on_bbox: bool = False,
        centerness_on_reg: bool = False,
        loss_cls: Any = FOCAL,
        loss_bbox: Any = IOU,
        loss_centerness: Any = CROSS_ENTROPY,
        norm_cfg: Recipe | None = GROUP_NORM,
        init_cfg: Recipe | Sequence[Recipe] | None = RARE_OBJECTS,
        **anchor_free_head: Any,
    ) -> None:
        self.regress_ranges = tuple(regress_ranges)
        self.center_sampling = center_sampling
        self.center_sample_radius = center_sample_radius
        self.norm_on_bbox = norm_on_bbox
        self.centerness_on_reg = centerness_on_reg
        super().__init__(
            num_classes,
            in_channels,
            loss_cls=loss_cls,
            loss_bbox=loss_bbox,
            norm_cfg=norm_cfg,
            init_cfg=init_cfg,
            **anchor_free_head,
        )
        self.loss_centerness = LOSSES.build(loss_centerness)
        self.register_load_state_dict_pre_hook(_rename_old_keys)

    def _init_layers(self) -> None:
        super()._init_layers()
        self.conv_centerness = nn.Conv2d(self.feat_channels, 1, 3, padding=1)
        self.scales = nn.ModuleList(Scale(1.0) for _ in self.strides)

    def forward(self, feats: Sequence[Tensor]) -> FCOSMaps:
        """Maps over the pyramid, with the points they stand on."""
        levels = [
            self.forward_single(x, scale) for x, scale in zip(feats, self.scales, strict=True)
        ]
        scores, distances, centerness = zip(*levels, strict=True)
        map_sizes = tuple((level.shape[2], level.shape[3]) for level in scores)
        points, level_sizes = self.prior_grid(map_sizes, scores[0].device)
        return FCOSMaps(
            scores=flat_maps(scores, self.cls_out_channels),
            boxes=flat_maps(distances, 4),
            priors=points,
            map_sizes=map_sizes,
            level_sizes=level_sizes,
            centerness=flat_maps(centerness, 1).squeeze(2),
        )

    def forward_single(self, x: Tensor, scale: Scale) -> tuple[Tensor, Tensor, Tensor]:
        """Scores (N, C, H, W), distances (N, 4, H, W) and centerness (N, 1, H, W) of one level."""
        of_class, of_box = self.cls_convs(x), self.reg_convs(x)
        centerness = self.conv_centerness(of_box if self.centerness_on_reg else of_class)
        # Half precision overflows in the exponential.
        distances = scale(self.conv_reg(of_box)).float()
        distances = F.relu(distances) if self.norm_on_bbox else distances.exp()
        return self.conv_cls(of_class), distances, centerness

    def _cells(self, maps: DenseMaps) -> Tensor:
        """(P, 1) pixels per cell at each point."""
        return torch.cat(
            [
                maps.priors.new_full((size, 1), stride)
                for size, stride in zip(maps.level_sizes, self.strides, strict=True)
            ]
        )

    @torch.no_grad()
    def targets(
        self, maps: FCOSMaps, truths: Sequence[Truth], images: Sequence[ImageInfo]
    ) -> FCOSTargets:
        """The smallest box around each point whose size suits the point's level."""
        ranges = maps.priors.new_tensor(self.regress_ranges)
        sizes = torch.tensor(maps.level_sizes, device=ranges.device)
        reach = ranges.repeat_interleave(sizes, dim=0, output_size=len(maps.priors))
        cells = self._cells(maps)
        matched = [self._match(maps.priors, reach, cells, truth) for truth in truths]
        labels, distances = zip(*matched, strict=True)
        stacked = torch.stack(distances)
        return FCOSTargets(torch.stack(labels), stacked / cells if self.norm_on_bbox else stacked)

    def _match(
        self, points: Tensor, reach: Tensor, cells: Tensor, truth: Truth
    ) -> tuple[Tensor, Tensor]:
        """(P,) labels and (P, 4) distances in pixels, for one image."""
        background = points.new_full((len(points),), self.num_classes, dtype=torch.long)
        if len(truth) == 0:
            return background, points.new_zeros((len(points), 4))
        boxes = truth.boxes
        distances = _distances(points, boxes[None])
        inside = distances
        if self.center_sampling:
            centres = (boxes[:, :2] + boxes[:, 2:]) / 2
            radius = cells[:, :, None] * self.center_sample_radius
            near = torch.cat(
                [
                    torch.maximum(centres - radius, boxes[:, :2]),
                    torch.minimum(centres + radius, boxes[:, 2:]),
                ],
                dim=-1,
            )
            inside = _distances(points, near)
        farthest = distances.max(dim=-1).values
        suits = (inside.min(dim=-1).values > 0) & (farthest >= reach[:, :1])
        suits &= farthest <= reach[:, 1:]
        areas = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)
        smallest, index = torch.where(suits, areas, areas.new_tensor(_FAR)).min(dim=1)
        labels = torch.where(smallest < _FAR, truth.labels[index], background)
        return labels, distances[torch.arange(len(points), device=points.device), index]

    def losses(self, maps: FCOSMaps, targets: FCOSTargets) -> Losses:
        """``loss_cls``, ``loss_bbox`` and ``loss_centerness``."""
        labels = targets.labels.flatten()
        positive = ((labels >= 0) & (labels < self.num_classes)).nonzero().squeeze(1)
        count = labels.new_tensor(float(len(positive)), dtype=torch.float32)
        num_positive = all_reduce_mean(count).clamp(min=1)
        losses: Losses = {
            "loss_cls": self.loss_cls(maps.scores.flatten(0, 1), labels, avg_factor=num_positive)
        }
        distances = maps.boxes.flatten(0, 1)[positive]
        centerness = maps.centerness.flatten()[positive]
        wanted = targets.distances.flatten(0, 1)[positive]
        central = _centerness(wanted)
        # Central points count more, for their boxes are the better ones.
        weight = all_reduce_mean(central.sum().detach()).clamp(min=1e-6)
        if len(positive) == 0:
            return {
                **losses,
                "loss_bbox": distances.sum(),
                "loss_centerness": centerness.sum(),
            }
        points = maps.priors.repeat(len(maps.scores), 1)[positive]
        losses["loss_bbox"] = self.loss_bbox(
            self.bbox_coder.decode(points, distances),
            self.bbox_coder.decode(points, wanted),
            weight=central,
            avg_factor=weight,
        )
        losses["loss_centerness"] = self.loss_centerness(
            centerness, central, avg_factor=num_positive
        )
        return losses

    def quality(self, maps: FCOSMaps, image_index: int, picked: Tensor) -> Tensor:
        """(K,) centerness of the picked points, in [0, 1]."""
        return maps.centerness[image_index, picked].sigmoid()

    def decode(self, maps: DenseMaps, image_index: int, picked: Tensor, image: ImageInfo) -> Tensor:
        """Boxes of the picked points, clipped to the image."""
        distances = maps.boxes[image_index, picked]
        if self.norm_on_bbox:
            distances = distances * self._cells(maps)[picked]
        boxes: Tensor = self.bbox_coder.decode(
            maps.priors[picked], distances, max_shape=image.shape
        )
        return boxes


def _distances(points: Tensor, boxes: Tensor) -> Tensor:
    """(P, G, 4) from (P, 2) points to the left, top, right and bottom of (P or 1, G, 4) boxes."""
    points = points[:, None]
    return torch.cat([points - boxes[..., :2], boxes[..., 2:] - points], dim=-1)


def _centerness(distances: Tensor) -> Tensor:
    """(K,) 1 at the centre of a box, 0 at its border."""
    across, down = distances[:, [0, 2]], distances[:, [1, 3]]
    if len(distances) == 0:
        return distances.new_zeros(0)
    ratios = [pair.amin(dim=1) / pair.amax(dim=1) for pair in (across, down)]
    return (ratios[0] * ratios[1]).sqrt()


def _rename_old_keys(
    module: nn.Module, state_dict: dict[str, Tensor], prefix: str, *args: Any
) -> None:
    for old, new in _OLD_KEYS.items():
        for leaf in ("weight", "bias"):
            if f"{prefix}{old}.{leaf}" in state_dict:
                state_dict[f"{prefix}{new}.{leaf}"] = state_dict.pop(f"{prefix}{old}.{leaf}")
