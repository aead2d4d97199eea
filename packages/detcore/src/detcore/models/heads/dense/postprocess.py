"""Threshold, top-k and suppression: from the scores of all priors to the few detections."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from cvcore.ops import batched_nms
from detcore.errors import OptionError


@dataclass(frozen=True, slots=True)
class Selection:
    """Which predictions of a dense head become detections; a ``test_cfg``, read once."""

    score_thr: float | None  # scores at or below it are dropped; None keeps all
    nms_pre: int  # candidates of each level that enter suppression; 0 or less keeps all
    min_bbox_size: float  # boxes whose width or height is not above it are dropped; < 0 keeps all
    nms: Mapping[str, Any]
    max_per_img: int  # detections of an image; 0 or less keeps all

    @classmethod
    def read(cls, cfg: Mapping[str, Any], owner: str) -> Selection:
        """Read a ``test_cfg``; keys of MMDetection 1 are understood with a warning.

        Raises:
            OptionError: a key is missing, says two things at once, or asks for what is gone.
        """
        if cfg.get("nms_across_levels"):
            raise OptionError(
                f"{owner}: nms_across_levels=True is not available; levels are always "
                "suppressed one by one, so leave the key out"
            )
        nms = cfg.get("nms")
        if "nms_thr" in cfg:
            nms = _renamed(
                owner, "nms_thr", nms, {"type": "nms", "iou_threshold": cfg["nms_thr"]}, "nms"
            )
        max_per_img = cfg.get("max_per_img")
        if "max_num" in cfg:
            max_per_img = _renamed(owner, "max_num", max_per_img, cfg["max_num"], "max_per_img")
        if nms is None:
            raise OptionError(
                f"{owner}: test_cfg has no 'nms'; add nms=dict(type='nms', iou_threshold=...)"
            )
        return cls(
            score_thr=cfg.get("score_thr"),
            nms_pre=cfg.get("nms_pre", -1),
            # Configs of every dense head say min_bbox_size; only proposals are held to it.
            min_bbox_size=-1,
            nms=nms,
            max_per_img=-1 if max_per_img is None else max_per_img,
        )


def _renamed(owner: str, old: str, given: Any, value: Any, new: str) -> Any:
    if given is not None and given != value:
        raise OptionError(
            f"{owner}: test_cfg says {new}={given!r} and {old} (its old name) something else; "
            f"keep {new}"
        )
    warnings.warn(
        f"{owner}: {old} is the old name; write {new}={value!r}", DeprecationWarning, stacklevel=4
    )
    return value


@dataclass(frozen=True, slots=True)
class Candidates:
    """Predictions of one image that passed the threshold and the top-k of their level."""

    index: Tensor  # (K,) which prior
    scores: Tensor  # (K,)
    labels: Tensor  # (K,) which class
    levels: Tensor  # (K,) which level of the pyramid

    def where(self, keep: Tensor) -> Candidates:
        """Those at the (K,) bool mask or the int64 indices."""
        return Candidates(self.index[keep], self.scores[keep], self.labels[keep], self.levels[keep])

    @classmethod
    def cat(cls, parts: Sequence[Candidates]) -> Candidates:
        """All candidates of several views, one after another."""
        return cls(
            torch.cat([part.index for part in parts]),
            torch.cat([part.scores for part in parts]),
            torch.cat([part.labels for part in parts]),
            torch.cat([part.levels for part in parts]),
        )


def pick_candidates(scores: Tensor, level_sizes: Sequence[int], selection: Selection) -> Candidates:
    """Keep, of every level, the best prior-class pairs above the threshold.

    Args:
        scores: (P, C) float32 in [0, 1], levels one after another.
        level_sizes: P of each level.
        selection: threshold and number per level.
    """
    num_classes = scores.shape[1]
    picked: list[Tensor] = []
    kept: list[Tensor] = []
    start = 0
    for level in scores.split(list(level_sizes)):
        flat = level.reshape(-1)
        if selection.score_thr is None:
            values, order = flat, torch.arange(len(flat), device=flat.device)
            if 0 < selection.nms_pre < len(flat):
                values, order = top_scores(flat, selection.nms_pre)
        else:
            above = (flat > selection.score_thr).nonzero().squeeze(1)
            values, order = top_scores(flat[above], selection.nms_pre)
            order = above[order]
        picked.append(order + start * num_classes)
        kept.append(values)
        start += len(level)
    pairs = torch.cat(picked)
    counts = torch.tensor([len(values) for values in kept], device=scores.device)
    levels = torch.arange(len(kept), device=scores.device).repeat_interleave(
        counts, output_size=len(pairs)
    )
    return Candidates(pairs // num_classes, torch.cat(kept), pairs % num_classes, levels)


def top_scores(scores: Tensor, limit: int) -> tuple[Tensor, Tensor]:
    """The ``limit`` best scores and their indices, best first; 0 or less is no limit."""
    # Saturated scores are equal in their hundreds, and which of them stay decides about the rest.
    # A plain sort, unlike top-k, settles it the way MMDetection does, so that detections agree.
    values, order = scores.sort(descending=True)
    return (values[:limit], order[:limit]) if limit > 0 else (values, order)


def suppress(
    boxes: Tensor, scores: Tensor, groups: Tensor, selection: Selection
) -> tuple[Tensor, Tensor, Tensor]:
    """Suppress overlapping boxes within each group and keep the best of what is left.

    Args:
        boxes: (K, 4) float32 xyxy.
        scores: (K,) float32.
        groups: (K,) int64; boxes of different groups leave each other alone.
        selection: the suppression and the number to keep.

    Returns:
        boxes (D, 4), scores (D,), which soft suppression may have lowered, and the (D,) indices of
        the boxes that are left, best first.
    """
    if boxes.numel() == 0:
        return boxes, scores, groups.new_zeros(0)
    detections, keep = batched_nms(boxes, scores, groups, selection.nms)
    if selection.max_per_img > 0:
        detections, keep = detections[: selection.max_per_img], keep[: selection.max_per_img]
    return detections[:, :4], detections[:, 4], keep


def larger_than(boxes: Tensor, size: float) -> Tensor:
    """(K,) bool: both sides of the (K, 4) xyxy box are longer than ``size`` pixels."""
    return ((boxes[:, 2:] - boxes[:, :2]) > size).all(dim=1)


def flat_maps(maps: Iterable[Tensor], channels: int) -> Tensor:
    """Concatenate maps (N, A * channels, H, W) of all levels to (N, P, channels), float32."""
    return torch.cat(
        [level.permute(0, 2, 3, 1).reshape(level.shape[0], -1, channels) for level in maps],
        dim=1,
    ).float()
