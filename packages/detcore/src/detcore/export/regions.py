"""The second stage over all regions of a batch, in one graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from detcore.export.choose import Pool, suppress_batch
from detcore.export.operators import NOTHING
from detcore.models.heads.roi.box.base import BoxMaps
from detcore.models.heads.roi.cascade import CascadeRoIHead


def look_at_regions(
    roi_head: Any, feats: Sequence[Tensor], proposals: Pool, shapes: Tensor
) -> tuple[Pool, Tensor | None]:
    """What ``roi_head.predict`` gives, for all images at once and filled up to one length.

    Args:
        roi_head: a ``StandardRoIHead`` or ``CascadeRoIHead`` with its ``test_cfg``.
        feats: maps of the pyramid, (N, C, H, W) each.
        proposals: R regions an image.
        shapes: (N, 2) height and width of the pictures within the padded input.

    Returns:
        The detections, and (N, D, m, m) mask probabilities where there is a mask head.
    """
    score = _cascade_scores if isinstance(roi_head, CascadeRoIHead) else _scores
    boxes, scores = score(roi_head, feats, proposals.boxes, shapes)
    selection = roi_head.test_selection
    pairs = _pairs(boxes, scores, proposals.scores > NOTHING, selection.score_thr)
    found = suppress_batch(pairs, selection.nms, selection.max_per_img)
    if not roi_head.with_mask:
        return found, None
    masks = roi_head.draw_masks(feats, _rois(found.boxes), found.labels.flatten())
    return found, masks.reshape(*found.scores.shape, *masks.shape[1:])


def _scores(
    roi_head: Any, feats: Sequence[Tensor], regions: Tensor, shapes: Tensor
) -> tuple[Tensor, Tensor]:
    """(N, R, 4 or C * 4) boxes and (N, R, C + 1) scores of (N, R, 4) regions."""
    maps, _ = roi_head(feats, _rois(regions))
    head = roi_head.bbox_head
    return _decode(head, maps, regions, shapes), _of_images(head.scores(maps.cls_score), regions)


def _cascade_scores(
    roi_head: Any, feats: Sequence[Tensor], regions: Tensor, shapes: Tensor
) -> tuple[Tensor, Tensor]:
    """As ``_scores``, stage after stage; the logits of all stages count."""
    logits: list[Tensor] = []
    for stage, head in enumerate(roi_head.bbox_head):
        maps, _ = roi_head(stage, feats, _rois(regions))
        logits.append(maps.cls_score)
        boxes = _decode(head, maps, regions, shapes)
        if stage + 1 < roi_head.num_stages:
            regions = _box_of_best_class(head, maps, boxes)
    mean = torch.stack(logits).mean(dim=0)
    return boxes, _of_images(roi_head.bbox_head[-1].scores(mean), regions)


def _decode(head: Any, maps: BoxMaps, regions: Tensor, shapes: Tensor) -> Tensor:
    assert maps.bbox_pred is not None
    deltas = _of_images(maps.bbox_pred.float(), regions)
    boxes: Tensor = head.bbox_coder.decode(regions, deltas, max_shape=shapes)
    return boxes


def _box_of_best_class(head: Any, maps: BoxMaps, boxes: Tensor) -> Tensor:
    """(N, R, 4): where there is a box for each class, that of the likeliest."""
    if head.reg_class_agnostic:
        return boxes
    best = _of_images(head.scores(maps.cls_score)[:, :-1].argmax(dim=1, keepdim=True), boxes)
    of_classes = boxes.unflatten(2, (-1, 4))
    return of_classes.gather(2, best[..., None].expand(-1, -1, 1, 4)).squeeze(2)


def _pairs(boxes: Tensor, scores: Tensor, used: Tensor, score_thr: float) -> Pool:
    """Every class of every region as a candidate of its own; the background's column is left."""
    scores = scores[..., :-1]
    num_classes = scores.shape[2]
    of_classes = boxes.unflatten(2, (-1, 4)).expand(-1, -1, num_classes, -1)
    likely = used[..., None] & (scores > score_thr)
    labels = torch.arange(num_classes, device=boxes.device).expand(*scores.shape)
    flat = labels.flatten(1)
    return Pool(
        of_classes.flatten(1, 2), torch.where(likely, scores, NOTHING).flatten(1), flat, flat
    )


def _rois(boxes: Tensor) -> Tensor:
    """(N * R, 5) image index and xyxy from (N, R, 4) boxes."""
    images = torch.arange(boxes.shape[0], device=boxes.device, dtype=boxes.dtype)
    column = images[:, None, None].expand(-1, boxes.shape[1], 1)
    return torch.cat([column, boxes], dim=-1).flatten(0, 1)


def _of_images(rows: Tensor, regions: Tensor) -> Tensor:
    """(N, R, d) from the (N * R, d) rows of (N, R, 4) regions."""
    return rows.reshape(regions.shape[0], regions.shape[1], rows.shape[1])
