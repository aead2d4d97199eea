"""What every RoI head is: regions in, losses or detections out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from cvcore.cnn import BaseModule
from detcore.boxes.convert import boxes_to_rois, rescale_boxes
from detcore.boxes.suppress import multiclass_nms
from detcore.errors import OptionError
from detcore.models.heads.roi.mask.paste import paste_masks
from detcore.models.heads.views import flip_masks, from_view, to_input_scale, to_view
from detcore.structures import Detections, ImageInfo, Proposals, Truth


@dataclass(frozen=True, slots=True)
class RegionSelection:
    """Which scored boxes become detections; a ``test_cfg``, read once."""

    score_thr: float  # scores at or below it are dropped
    nms: Mapping[str, Any]
    max_per_img: int
    mask_threshold: float  # probabilities from here on are mask; negative gives probabilities

    @classmethod
    def read(cls, cfg: Mapping[str, Any], owner: str) -> RegionSelection:
        """Read a ``test_cfg``.

        Raises:
            OptionError: a key is missing.
        """
        missing = [key for key in ("score_thr", "nms", "max_per_img") if key not in cfg]
        if missing:
            raise OptionError(f"{owner}: test_cfg needs the keys {', '.join(missing)}")
        threshold = cfg.get("mask_thr_binary", 0.5)
        return cls(cfg["score_thr"], cfg["nms"], cfg["max_per_img"], threshold)


class RoIHead(BaseModule, ABC):
    """Looks at proposals one by one and says what they hold.

    It is made of parts, each with the verbs ``forward``, ``targets``, ``losses`` and ``predict``:
    box heads and, where there are any, mask heads. The RoI head draws the samples to train on, cuts
    out their features and hands both to the parts. There is one way from regions to detections,
    here; a head says what boxes (``score_regions``) and masks (``draw_masks``) regions have.
    """

    with_mask: bool = False
    with_shared_head: bool = False

    def __init__(
        self,
        test_cfg: Mapping[str, Any] | None = None,
        init_cfg: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.test_selection = (
            None if test_cfg is None else RegionSelection.read(test_cfg, type(self).__name__)
        )

    @property
    @abstractmethod
    def num_classes(self) -> int:
        """Classes without the background."""

    @abstractmethod
    def losses(
        self,
        feats: Sequence[Tensor],
        proposals: Sequence[Proposals],
        truths: Sequence[Truth],
        images: Sequence[ImageInfo],
    ) -> dict[str, Tensor]:
        """Named losses over samples drawn from the proposals of each image.

        Args:
            feats: maps of the feature pyramid, (N, C, H, W) each.
            proposals: those of each image, in pixels of the network input.
            truths: the objects of each image.
            images: one an image of the batch.
        """

    @abstractmethod
    def score_regions(
        self, feats: Sequence[Tensor], regions: Sequence[Tensor], images: Sequence[ImageInfo]
    ) -> list[tuple[Tensor, Tensor]]:
        """Boxes and scores of the regions of each image, nothing thrown away yet.

        Args:
            feats: maps of the feature pyramid, (N, C, H, W) each.
            regions: (R, 4) xyxy in pixels of the network input, one tensor an image.
            images: to whose shapes boxes are clipped.

        Returns:
            For each image boxes, (R, 4) or (R, num_classes * 4) in pixels of the network input, and
            scores, (R, num_classes + 1).
        """

    @abstractmethod
    def draw_masks(self, feats: Sequence[Tensor], rois: Tensor, labels: Tensor) -> Tensor:
        """(R, m, m) float32 mask probabilities of (R, 5) regions of (R,) known classes."""

    @torch.no_grad()
    def predict(
        self,
        feats: Sequence[Tensor],
        proposals: Sequence[Proposals],
        images: Sequence[ImageInfo],
        *,
        rescale: bool = False,
    ) -> list[Detections]:
        """Detections of each image, best first; masks as (D, height, width) bool.

        Args:
            feats: maps of the feature pyramid, (N, C, H, W) each.
            proposals: boxes in pixels of the network input.
            images: one an image of the batch.
            rescale: give boxes and masks in pixels of the original image, not of the network input.

        Raises:
            OptionError: the head was built without ``test_cfg``.
        """
        detections = []
        regions = [proposed.boxes for proposed in proposals]
        scored = self.score_regions(feats, regions, images)
        for (boxes, scores), image in zip(scored, images, strict=True):
            if rescale:
                boxes = rescale_boxes(boxes, image.scale_factor)  # noqa: PLW2901
            detections.append(self._select(boxes, scores))
        if not self.with_mask:
            return detections
        in_input = [
            to_input_scale(found.boxes, image) if rescale else found.boxes
            for found, image in zip(detections, images, strict=True)
        ]
        labels = torch.cat([found.labels for found in detections])
        masks = self.draw_masks(feats, boxes_to_rois(in_input), labels)
        of_images = masks.split([len(found) for found in detections])
        return [
            self._paste(found, of_image, image, rescale)
            for found, of_image, image in zip(detections, of_images, images, strict=True)
        ]

    @torch.no_grad()
    def predict_views(
        self,
        feats: Sequence[Sequence[Tensor]],
        proposals: Proposals,
        images: Sequence[ImageInfo],
        *,
        rescale: bool = False,
    ) -> Detections:
        """Detections of one image seen several times, such as flipped and at other scales.

        What the views say of a region is averaged: boxes, scores and masks.

        Args:
            feats: the pyramid of each view, batches of one.
            proposals: boxes in pixels of the original image.
            images: one a view.
            rescale: give boxes and masks in pixels of the original image, not of the first view.
        """
        views = list(zip(feats, images, strict=True))
        boxes_of_views, scores_of_views = [], []
        for view, image in views:
            ((boxes, scores),) = self.score_regions(
                view, [to_view(proposals.boxes, image)], [image]
            )
            boxes_of_views.append(from_view(boxes, image))
            scores_of_views.append(scores)
        found = self._select(_mean(boxes_of_views), _mean(scores_of_views))
        if self.with_mask:
            masks_of_views = []
            for view, image in views:
                rois = boxes_to_rois([to_view(found.boxes, image)])
                masks_of_views.append(flip_masks(self.draw_masks(view, rois, found.labels), image))
            masks = _mean(masks_of_views)
        if not rescale:
            found = replace(found, boxes=to_view(found.boxes, images[0]))
        if not self.with_mask:
            return found
        return self._paste(
            found, masks if rescale else flip_masks(masks, images[0]), images[0], rescale
        )

    def _selection_or_error(self) -> RegionSelection:
        if self.test_selection is None:
            raise OptionError(
                f"{type(self).__name__} was built without test_cfg and cannot predict; give "
                "test_cfg=dict(score_thr=..., nms=..., max_per_img=...)"
            )
        return self.test_selection

    def _select(self, boxes: Tensor, scores: Tensor) -> Detections:
        selection = self._selection_or_error()
        if len(boxes) == 0:
            nothing = boxes.new_zeros(0)
            return Detections(boxes.new_zeros((0, 4)), nothing, nothing.long())
        found, labels = multiclass_nms(
            boxes, scores, selection.score_thr, selection.nms, selection.max_per_img
        )
        return Detections(found[:, :4], found[:, 4], labels)

    def _paste(
        self, found: Detections, masks: Tensor, image: ImageInfo, rescale: bool
    ) -> Detections:
        size = image.original_shape if rescale else image.shape
        threshold = self._selection_or_error().mask_threshold
        return replace(found, masks=paste_masks(masks, found.boxes, size, threshold))


def _mean(of_views: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(of_views)).mean(dim=0)
