"""What every dense head is: maps over a feature pyramid, their targets, losses and detections."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from cvcore.cnn import BaseModule
from detcore.boxes.convert import rescale_boxes
from detcore.errors import OptionError
from detcore.models.heads.dense.postprocess import (
    Candidates,
    Selection,
    larger_than,
    pick_candidates,
    suppress,
)
from detcore.models.heads.views import from_view, to_view
from detcore.structures import Detections, ImageInfo, Truth

Losses = dict[str, Tensor | list[Tensor]]


@dataclass(frozen=True, slots=True)
class DenseMaps:
    """Output for a batch of N images, levels concatenated: P = sum of H * W * A over levels."""

    scores: Tensor  # (N, P, C) float32 logits
    boxes: Tensor  # (N, P, 4) float32, what the coder decodes
    priors: Tensor  # (P, 4) float32 xyxy anchors, or (P, 2) points
    map_sizes: tuple[tuple[int, int], ...]  # height and width of each level's map
    level_sizes: tuple[int, ...]  # P of each level


@dataclass(frozen=True, slots=True)
class DenseTargets:
    """What a dense head should have said; label ``num_classes`` is the background."""

    labels: Tensor  # (N, P) int64
    label_weights: Tensor  # (N, P) float32; 0 where any answer will do
    boxes: Tensor  # (N, P, 4) float32, encoded as ``DenseMaps.boxes``; meaningful where weighted
    box_weights: Tensor  # (N, P) float32; 1 at positives, 0 elsewhere
    num_samples: int  # what the losses are divided by


class DenseHead(BaseModule, ABC):
    """Predicts scores and boxes at every location of a feature pyramid.

    Four verbs: ``forward`` gives maps, ``targets`` says what they should be, ``losses`` compares
    the two, ``predict`` turns maps into detections. There is one way from maps to detections, here;
    a head says what its scores (``class_scores``, ``quality``) and its boxes (``decode``) are.
    """

    num_classes: int

    def __init__(
        self,
        test_cfg: Mapping[str, Any] | None = None,
        init_cfg: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.test_selection = None if test_cfg is None else self.selection(test_cfg)

    @abstractmethod
    def forward(self, feats: Sequence[Tensor]) -> Any:
        """Maps over the feature pyramid: one (N, channels, H, W) tensor a level."""

    @abstractmethod
    def targets(self, maps: Any, truths: Sequence[Truth], images: Sequence[ImageInfo]) -> Any:
        """What ``maps`` should be, given the boxes in each image."""

    @abstractmethod
    def losses(self, maps: Any, targets: Any) -> Losses:
        """Named losses, each a scalar or a list with one a level."""

    @abstractmethod
    def class_scores(self, maps: Any) -> Tensor:
        """(N, P, num_classes) scores in [0, 1]."""

    @abstractmethod
    def decode(self, maps: Any, image_index: int, picked: Tensor, image: ImageInfo) -> Tensor:
        """(K, 4) xyxy boxes of the (K,) picked priors, in pixels of the network input."""

    def quality(self, maps: Any, image_index: int, picked: Tensor) -> Tensor | None:
        """(K,) factors of the picked priors' scores, such as a centerness; None where unused."""
        return None

    def groups(self, candidates: Candidates) -> Tensor:
        """(K,) the groups within which candidates suppress each other: their classes."""
        return candidates.labels

    def selection(self, cfg: Mapping[str, Any]) -> Selection:
        """Read a ``test_cfg`` or ``rpn_proposal`` into what ``predict`` takes."""
        return Selection.read(cfg, type(self).__name__)

    @torch.no_grad()
    def predict(
        self,
        maps: Any,
        images: Sequence[ImageInfo],
        *,
        rescale: bool = False,
        selection: Selection | None = None,
    ) -> list[Detections]:
        """Detections of each image, best first.

        Args:
            maps: what ``forward`` gave.
            images: one an image of the batch.
            rescale: give boxes in pixels of the original image, not of the network input.
            selection: in place of the one in ``test_cfg``.

        Raises:
            OptionError: neither ``test_cfg`` nor ``selection`` was given.
        """
        selection = self._selection_or_error(selection)
        scores = self.class_scores(maps)
        detections = []
        for i, image in enumerate(images):
            boxes, candidates = self._candidates(maps, scores[i], i, image, selection)
            if rescale:
                boxes = rescale_boxes(boxes, image.scale_factor)
            detections.append(self._suppressed(boxes, candidates, selection))
        return detections

    @torch.no_grad()
    def predict_views(
        self,
        views: Sequence[tuple[Any, ImageInfo]],
        *,
        rescale: bool = False,
    ) -> Detections:
        """Detections of one image seen several times, such as flipped and at other scales.

        Candidates of all views meet in the original image and are suppressed together there.

        Args:
            views: maps (of a batch of one) and the image's info, one a view.
            rescale: give boxes in pixels of the original image, not of the first view.
        """
        selection = self._selection_or_error(None)
        boxes_of_views, candidates_of_views = [], []
        for maps, image in views:
            boxes, candidates = self._candidates(
                maps, self.class_scores(maps)[0], 0, image, selection
            )
            boxes_of_views.append(from_view(boxes, image))
            candidates_of_views.append(candidates)
        merged = self._suppressed(
            torch.cat(boxes_of_views), Candidates.cat(candidates_of_views), selection
        )
        return merged if rescale else replace(merged, boxes=to_view(merged.boxes, views[0][1]))

    def _candidates(
        self, maps: Any, scores: Tensor, image_index: int, image: ImageInfo, selection: Selection
    ) -> tuple[Tensor, Candidates]:
        candidates = pick_candidates(scores, maps.level_sizes, selection)
        boxes = self.decode(maps, image_index, candidates.index, image)
        quality = self.quality(maps, image_index, candidates.index)
        if quality is not None:
            candidates = replace(candidates, scores=candidates.scores * quality)
        if selection.min_bbox_size >= 0:
            large = larger_than(boxes, selection.min_bbox_size)
            boxes, candidates = boxes[large], candidates.where(large)
        return boxes, candidates

    def _suppressed(
        self, boxes: Tensor, candidates: Candidates, selection: Selection
    ) -> Detections:
        boxes, scores, keep = suppress(boxes, candidates.scores, self.groups(candidates), selection)
        return Detections(boxes, scores, candidates.labels[keep])

    def _selection_or_error(self, selection: Selection | None) -> Selection:
        chosen = selection or self.test_selection
        if chosen is None:
            raise OptionError(
                f"{type(self).__name__} was built without test_cfg and cannot predict; "
                "give test_cfg=dict(nms=..., max_per_img=...)"
            )
        return chosen
