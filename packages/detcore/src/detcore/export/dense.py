"""From the maps of a dense head to the candidates of a batch, in one graph."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from detcore.export.choose import Pool, suppress_batch
from detcore.export.operators import NOTHING, first
from detcore.models.heads.dense.interface import DenseHead
from detcore.models.heads.dense.postprocess import Candidates, Selection
from detcore.structures import ImageInfo


def batch_info(shapes: Any) -> ImageInfo:
    """What decoding asks of an image, with a row a picture: ``shapes`` (N, 2) height and width."""
    return ImageInfo(shapes, shapes, shapes, (1.0, 1.0, 1.0, 1.0))


def dense_detections(head: DenseHead, maps: Any, shapes: Tensor) -> Pool:
    """What ``head.predict`` gives, for all images at once and filled up to one length.

    Args:
        head: a dense head with its ``test_cfg``.
        maps: what its ``forward`` gave for N images.
        shapes: (N, 2) height and width of the pictures within the padded input.
    """
    selection = head.test_selection
    assert selection is not None
    candidates = _candidates(head.class_scores(maps), maps.level_sizes, selection)
    index = candidates.index
    rows: Any = torch.arange(index.shape[0], device=index.device)[:, None]
    boxes = head.decode(maps, rows, index, batch_info(shapes))
    scores = candidates.scores
    used = scores > NOTHING
    quality = head.quality(maps, rows, index)
    if quality is not None:
        scores = torch.where(used, scores * quality, NOTHING)
    if selection.min_bbox_size >= 0:
        large = ((boxes[..., 2:] - boxes[..., :2]) > selection.min_bbox_size).all(dim=-1)
        scores = torch.where(used & large, scores, NOTHING)
    pool = Pool(boxes, scores, candidates.labels, head.groups(candidates))
    return suppress_batch(pool, selection.nms, selection.max_per_img)


def _candidates(scores: Tensor, level_sizes: tuple[int, ...], selection: Selection) -> Candidates:
    """The best prior-class pairs of every level and image, each field (N, K)."""
    num_classes = scores.shape[2]
    start = 0
    parts = []
    for number, size in enumerate(level_sizes):
        flat = scores[:, start : start + size].flatten(1)
        if selection.score_thr is not None:
            flat = torch.where(flat > selection.score_thr, flat, NOTHING)
        values, pairs = _top(flat, selection.nms_pre)
        # Places that filled up a small level look at its first prior; nothing comes of them.
        pairs = torch.where(values > NOTHING, pairs, 0)
        parts.append(
            Candidates(
                pairs // num_classes + start,
                values,
                pairs % num_classes,
                torch.full_like(pairs, number),
            )
        )
        start = start + size
    return Candidates(
        torch.cat([part.index for part in parts], dim=1),
        torch.cat([part.scores for part in parts], dim=1),
        torch.cat([part.labels for part in parts], dim=1),
        torch.cat([part.levels for part in parts], dim=1),
    )


def _top(flat: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The ``count`` best of each row and their places, filled up; all where not positive."""
    if count <= 0:
        return flat, torch.arange(flat.shape[1], device=flat.device).expand_as(flat)
    values, order = first(F.pad(flat, (0, count), value=NOTHING), count)
    return values, order
