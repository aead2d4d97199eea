"""Suppression of duplicates: per-class NMS, YOLACT's fast NMS and SOLOv2's matrix NMS.

Bolya et al., "YOLACT: Real-time Instance Segmentation", 2019; Wang et al., "SOLOv2: Dynamic and
Fast Instance Segmentation", 2020.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, overload

import torch
from torch import Tensor

from cvcore.ops import batched_nms
from detcore.boxes.overlap import bbox_overlaps
from detcore.errors import check_option


@overload
def multiclass_nms(
    multi_bboxes: Tensor,
    multi_scores: Tensor,
    score_thr: float,
    nms_cfg: Mapping[str, Any],
    max_num: int = -1,
    score_factors: Tensor | None = None,
    return_inds: Literal[False] = False,
) -> tuple[Tensor, Tensor]: ...


@overload
def multiclass_nms(
    multi_bboxes: Tensor,
    multi_scores: Tensor,
    score_thr: float,
    nms_cfg: Mapping[str, Any],
    max_num: int = -1,
    score_factors: Tensor | None = None,
    *,
    return_inds: Literal[True],
) -> tuple[Tensor, Tensor, Tensor]: ...


def multiclass_nms(
    multi_bboxes: Tensor,
    multi_scores: Tensor,
    score_thr: float,
    nms_cfg: Mapping[str, Any],
    max_num: int = -1,
    score_factors: Tensor | None = None,
    return_inds: bool = False,
) -> tuple[Tensor, ...]:
    """Keep confident boxes that no better box of their class covers.

    Args:
        multi_bboxes: (n, 4), or (n, 4 * C) with a box for every class; x1 y1 x2 y2.
        multi_scores: (n, C + 1); the last column is the background's and is not looked at.
        score_thr: scores at or below it are dropped, before ``score_factors`` come in.
        nms_cfg: ``dict(type="nms", iou_threshold=0.5)`` and its kin.
        max_num: how many detections to keep; all of them where negative.
        score_factors: (n,) what scores are multiplied by, as a centerness.
        return_inds: also return which (box, class) pairs were kept.

    Returns:
        (k, 5) boxes with scores, most certain first, (k,) labels, and where asked for (k,) indices
        into the n * C pairs, ``box * C + class``.
    """
    scores = multi_scores[:, :-1]
    num_classes = scores.size(1)
    rows, labels = torch.nonzero(scores > score_thr, as_tuple=True)
    scores = scores[rows, labels]
    if score_factors is not None:
        scores = scores * score_factors.reshape(-1)[rows]
    if multi_bboxes.size(1) > 4:
        boxes = multi_bboxes.unflatten(1, (-1, 4))[rows, labels]
    else:
        boxes = multi_bboxes[rows]
    pairs = rows * num_classes + labels
    if len(rows) == 0:
        detections = torch.cat([boxes, scores[:, None]], dim=-1)
        return (detections, labels, pairs) if return_inds else (detections, labels)
    detections, keep = batched_nms(boxes, scores, labels, nms_cfg)
    if max_num > 0:
        detections, keep = detections[:max_num], keep[:max_num]
    return (detections, labels[keep], pairs[keep]) if return_inds else (detections, labels[keep])


def fast_nms(
    multi_bboxes: Tensor,
    multi_scores: Tensor,
    multi_coeffs: Tensor,
    score_thr: float,
    iou_thr: float,
    top_k: int,
    max_num: int = -1,
) -> tuple[Tensor, Tensor, Tensor]:
    """Per-class suppression in one matrix: a suppressed box may still suppress others.

    Args:
        multi_bboxes: (n, 4) x1 y1 x2 y2.
        multi_scores: (n, C + 1); the last column is the background's and is not looked at.
        multi_coeffs: (n, P) mask coefficients, which travel with their box.
        score_thr: scores at or below it are dropped.
        iou_thr: overlap above which the less certain box is dropped.
        top_k: how many boxes of a class are looked at.
        max_num: how many detections to keep; all of them where not positive.

    Returns:
        (k, 5) boxes with scores, most certain first, (k,) labels, (k, P) coefficients.
    """
    scores, order = multi_scores[:, :-1].t().sort(dim=1, descending=True)
    scores, order = scores[:, :top_k], order[:, :top_k]
    boxes = multi_bboxes[order]  # (C, top_k, 4)
    better = bbox_overlaps(boxes, boxes).triu_(diagonal=1)
    worst = better.amax(dim=1) if better.size(1) else better.new_zeros(better.shape[::2])
    labels, place = torch.nonzero((worst <= iou_thr) & (scores > score_thr), as_tuple=True)
    kept_scores, ranking = scores[labels, place].sort(descending=True)
    if max_num > 0:
        kept_scores, ranking = kept_scores[:max_num], ranking[:max_num]
    labels, place = labels[ranking], place[ranking]
    rows = order[labels, place]
    detections = torch.cat([multi_bboxes[rows], kept_scores[:, None]], dim=1)
    return detections, labels, multi_coeffs[rows]


def mask_matrix_nms(
    masks: Tensor,
    labels: Tensor,
    scores: Tensor,
    filter_thr: float = -1,
    nms_pre: int = -1,
    max_num: int = -1,
    kernel: str = "gaussian",
    sigma: float = 2.0,
    mask_area: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Lower the score of a mask by how much better masks of its class cover it.

    Args:
        masks: (n, h, w) of 0 and 1.
        labels: (n,) int64.
        scores: (n,) float.
        filter_thr: scores below it, once lowered, are dropped; not positive keeps all.
        nms_pre: how many masks are looked at; all of them where not positive.
        max_num: how many masks to keep; all of them where not positive.
        kernel: ``gaussian`` or ``linear`` decay.
        sigma: of the Gaussian.
        mask_area: (n,) areas, where they are known.

    Returns:
        (k,) scores, most certain first, (k,) labels, (k, h, w) masks, (k,) indices into the input.
    """
    check_option("mask_matrix_nms", "kernel", kernel, ("gaussian", "linear"))
    if len(labels) == 0:
        return scores, labels, masks, labels.new_zeros(0)
    keep = scores.argsort(descending=True)
    if nms_pre > 0:
        keep = keep[:nms_pre]
    area = masks.sum((1, 2)).float() if mask_area is None else mask_area
    decay = _matrix_decay(masks[keep], labels[keep], area[keep], kernel, sigma)
    lowered = scores[keep] * decay
    if filter_thr > 0:
        passing = lowered >= filter_thr
        keep, lowered = keep[passing], lowered[passing]
    lowered, ranking = lowered.sort(descending=True)
    if max_num > 0:
        lowered, ranking = lowered[:max_num], ranking[:max_num]
    keep = keep[ranking]
    return lowered, labels[keep], masks[keep], keep


def _matrix_decay(masks: Tensor, labels: Tensor, area: Tensor, kernel: str, sigma: float) -> Tensor:
    """(n,) factors of masks sorted by score."""
    flat = masks.flatten(1).float()
    shared = flat @ flat.t()
    union = area[:, None] + area[None, :] - shared
    same_class = labels[:, None] == labels[None, :]
    iou = (shared / union).triu(diagonal=1) * same_class.triu(diagonal=1)
    covered = iou.amax(dim=0)[:, None]  # how far each suppressor is itself suppressed
    if kernel == "gaussian":
        decay = torch.exp(-sigma * iou**2) / torch.exp(-sigma * covered**2)
    else:
        decay = (1 - iou) / (1 - covered)
    return decay.amin(dim=0)
