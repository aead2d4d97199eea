"""A detector as one graph: images in, detections of fixed number out, suppression inside."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from detcore.export.choose import Pool
from detcore.export.dense import dense_detections
from detcore.export.regions import look_at_regions

INPUTS = ("input", "shapes")


class DetectorProgram(nn.Module):
    """What :func:`torch.export.export` is given; equals the detector's ``simple_test``.

    Args:
        detector: a single-stage or two-stage detector, in evaluation mode.
    """

    def __init__(self, detector: nn.Module) -> None:
        super().__init__()
        self.detector = detector

    @property
    def output_names(self) -> tuple[str, ...]:
        """``dets``, ``labels`` and, of detectors that draw them, ``masks``."""
        names = ("dets", "labels")
        return (*names, "masks") if self.detector.with_mask else names

    def forward(self, images: Tensor, shapes: Tensor) -> tuple[Tensor, ...]:
        """Detections of a batch, best first, filled up with zeros and label -1.

        Args:
            images: (N, 3, H, W) float32, normalised and padded.
            shapes: (N, 2) int64 height and width of each picture within its padding.

        Returns:
            (N, D, 5) x1 y1 x2 y2 score in pixels of the network input, (N, D) int64 labels and,
            of detectors that draw them, (N, D, m, m) probabilities within each box.
        """
        detector: Any = self.detector
        shapes = shapes.to(images.dtype)
        feats = detector.extract_feat(images)
        if not getattr(detector, "with_roi_head", False):
            head = detector.bbox_head
            return finished(dense_detections(head, head(feats), shapes))
        proposals = dense_detections(detector.rpn_head, detector.rpn_head(feats), shapes)
        found, masks = look_at_regions(detector.roi_head, feats, proposals, shapes)
        outputs = finished(found)
        return outputs if masks is None else (*outputs, masks)


def finished(pool: Pool) -> tuple[Tensor, Tensor]:
    """(N, D, 5) boxes with scores, 0 where there is nothing, and (N, D) labels, -1 there."""
    used = pool.scores >= 0
    rows = torch.cat([pool.boxes, pool.scores[..., None]], dim=-1)
    return torch.where(used[..., None], rows, 0.0), torch.where(used, pool.labels, -1)
