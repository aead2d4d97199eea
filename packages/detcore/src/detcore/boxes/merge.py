"""Results of several views of one image, brought together for test-time augmentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cvcore.ops import nms
from detcore.boxes.convert import map_boxes_back


def _back(boxes: Tensor, meta: Mapping[str, Any]) -> Tensor:
    return map_boxes_back(
        boxes,
        meta["img_shape"],
        meta["scale_factor"],
        meta["flip"],
        meta.get("flip_direction") or "horizontal",
    )


def merge_aug_proposals(
    aug_proposals: Sequence[Tensor], img_metas: Sequence[Mapping[str, Any]], cfg: Mapping[str, Any]
) -> Tensor:
    """Proposals of all views in the original image, without duplicates.

    Args:
        aug_proposals: (n_v, 5) of each view, x1 y1 x2 y2 score.
        img_metas: the ``img_metas`` of each view.
        cfg: test settings of the RPN: ``nms.iou_threshold`` and ``max_per_img``.

    Returns:
        (k, 5), most certain first.
    """
    recovered = []
    for proposals, meta in zip(aug_proposals, img_metas, strict=True):
        boxes = _back(proposals[:, :4], meta)
        recovered.append(torch.cat([boxes, proposals[:, 4:]], dim=-1))
    together = torch.cat(recovered)
    kept, _ = nms(
        together[:, :4].contiguous(), together[:, 4].contiguous(), cfg["nms"]["iou_threshold"]
    )
    order = kept[:, 4].sort(descending=True).indices
    return kept[order[: cfg["max_per_img"]]]


def merge_aug_bboxes(
    aug_bboxes: Sequence[Tensor],
    aug_scores: Sequence[Tensor] | None,
    img_metas: Sequence[Sequence[Mapping[str, Any]]],
    rcnn_test_cfg: Mapping[str, Any] | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """Mean over the views of the boxes that the same proposals became.

    Args:
        aug_bboxes: (n, 4 * k) of each view.
        aug_scores: (n, C) of each view.
        img_metas: of each view, a list of one ``img_metas``.
        rcnn_test_cfg: not looked at; part of the signature users call.

    Returns:
        (n, 4 * k) in the original image, and the (n, C) scores where there are any.
    """
    views = zip(aug_bboxes, img_metas, strict=True)
    boxes = torch.stack([_back(view, metas[0]) for view, metas in views]).mean(dim=0)
    if aug_scores is None:
        return boxes
    return boxes, torch.stack(list(aug_scores)).mean(dim=0)


def merge_aug_scores(aug_scores: Sequence[Tensor] | Sequence[np.ndarray]) -> Tensor | np.ndarray:
    """Mean of the scores over the views."""
    if isinstance(aug_scores[0], Tensor):
        return torch.stack(list(aug_scores)).mean(dim=0)
    return np.mean(aug_scores, axis=0)


def merge_aug_masks(
    aug_masks: Sequence[np.ndarray],
    img_metas: Sequence[Sequence[Mapping[str, Any]]],
    rcnn_test_cfg: Mapping[str, Any] | None = None,
    weights: Sequence[float] | None = None,
) -> np.ndarray:
    """Weighted mean over the views of mask probabilities, each flipped back.

    Args:
        aug_masks: (n, C, h, w) float of each view.
        img_metas: of each view, a list of one ``img_metas``.
        rcnn_test_cfg: not looked at; part of the signature users call.
        weights: of the views; equal where not given.
    """
    axes = {"horizontal": (-1,), "vertical": (-2,), "diagonal": (-2, -1)}
    recovered = [
        np.flip(mask, axes[metas[0].get("flip_direction") or "horizontal"])
        if metas[0]["flip"]
        else mask
        for mask, metas in zip(aug_masks, img_metas, strict=True)
    ]
    return np.average(np.stack(recovered), axis=0, weights=weights)
