"""Mean average precision by the rules of Open Images.

Kuznetsova et al., "The Open Images Dataset V4", IJCV 2020; rules of the challenge of 2019.

An object is also an object of every class above its own, and so is a detection. A class is judged
only in images for which someone said whether it is there. A box round a group is found if one
detection lies inside it; further ones there are neither right nor wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detcore.evaluation.overlap import box_overlaps
from detcore.evaluation.voc import average_precision

_EPS = float(np.finfo(np.float32).eps)


@dataclass(frozen=True, slots=True)
class OpenImagesTruth:
    """What is known about one image."""

    boxes: np.ndarray  # (g, 4) float32 x1 y1 x2 y2 in pixels
    labels: np.ndarray  # (g,) int64
    groups: np.ndarray  # (g,) bool: the box encloses a group of objects
    judged: np.ndarray | None  # (c,) bool: labels said to be there or not; None judges all


@dataclass(frozen=True, slots=True)
class OpenImagesRules:
    """How detections are held against objects."""

    iou_thr: float = 0.5  # least overlap with an object
    ioa_thr: float = 0.5  # least share of a detection inside a group
    use_group_of: bool = True  # False takes boxes round groups for objects like any other


@dataclass(frozen=True, slots=True)
class ClassFigure:
    """One class."""

    num_gts: int
    num_dets: int
    recall: np.ndarray  # (d,) from the best detection on
    precision: np.ndarray
    ap: float  # nan where there is no object


def evaluate_open_images(
    results: Sequence[Sequence[np.ndarray]],
    truths: Sequence[OpenImagesTruth],
    ancestors: np.ndarray,
    rules: OpenImagesRules | None = None,
) -> tuple[float, list[ClassFigure]]:
    """Mean over the classes with objects, and the figures of each class.

    Args:
        results: Per image and class, (d, 5) x1 y1 x2 y2 score.
        truths: Per image.
        ancestors: (c, c) bool; row i marks class i and every class above it.
        rules: How to count.
    """
    rules = rules or OpenImagesRules()
    figures = [
        _one_class(label, results, truths, ancestors, rules) for label in range(len(ancestors))
    ]
    known = [figure.ap for figure in figures if figure.num_gts]
    return (float(np.mean(known)) if known else 0.0), figures


def _one_class(
    label: int,
    results: Sequence[Sequence[np.ndarray]],
    truths: Sequence[OpenImagesTruth],
    ancestors: np.ndarray,
    rules: OpenImagesRules,
) -> ClassFigure:
    below = np.flatnonzero(ancestors[:, label])  # the class itself and all under it
    scores, hits, wrongs, num_gts = [], [], [], 0
    for found, truth in zip(results, truths, strict=True):
        of_class = np.isin(truth.labels, below)
        boxes, groups = truth.boxes[of_class], truth.groups[of_class]
        if not rules.use_group_of:
            groups = np.zeros_like(groups)
        num_gts += len(boxes)
        if truth.judged is not None and not (truth.judged[label] or len(boxes)):
            continue
        detections = np.concatenate([found[i].reshape(-1, 5) for i in below])
        detections = detections[np.argsort(-detections[:, 4], kind="stable")]
        hit, wrong = match_open_images(detections, boxes, groups, rules)
        scores.append(detections[:, 4])
        hits.append(hit)
        wrongs.append(wrong)
    joined = np.concatenate(scores) if scores else np.zeros(0)
    order = np.argsort(-joined, kind="stable")
    right = np.cumsum(np.concatenate(hits)[order]) if scores else np.zeros(0)
    bad = np.cumsum(np.concatenate(wrongs)[order]) if scores else np.zeros(0)
    recall = right / max(num_gts, _EPS)
    precision = right / np.maximum(right + bad, _EPS)
    ap = float(average_precision(recall, precision)) if num_gts else float("nan")
    return ClassFigure(num_gts, len(joined), recall, precision, ap)


def match_open_images(
    detections: np.ndarray, boxes: np.ndarray, groups: np.ndarray, rules: OpenImagesRules
) -> tuple[np.ndarray, np.ndarray]:
    """Which detections of one image and class hit, and which are wrong; others count as neither.

    Args:
        detections: (d, 5), the best first.
        boxes: (g, 4) x1 y1 x2 y2.
        groups: (g,) bool, boxes round groups.
        rules: How to count.

    Returns:
        Two (d,) bool arrays.
    """
    single, group = boxes[~groups], boxes[groups]
    near, target = _best(box_overlaps(detections[:, :4], single))
    inside, home = _best(_shares(detections[:, :4], group))
    at_object = near >= rules.iou_thr
    at_group = ~at_object & (inside >= rules.ioa_thr)
    hit = _first_of(np.where(at_object, target, -1)) | _first_of(np.where(at_group, home, -1))
    return hit, ~hit & ~at_group


def _best(overlaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Highest value of each row and its column; -1 where there are no columns."""
    if not overlaps.shape[1]:
        nothing = np.full(len(overlaps), -1.0)
        return nothing, nothing.astype(np.int64)
    return overlaps.max(1), overlaps.argmax(1)


def _first_of(targets: np.ndarray) -> np.ndarray:
    """(d,) bool: the first row of each target; -1 is none."""
    first = np.zeros(len(targets), dtype=bool)
    values, rows = np.unique(targets, return_index=True)
    first[rows[values >= 0]] = True
    return first


def _shares(detections: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(d, g) part of each detection that lies inside each box."""
    top_left = np.maximum(detections[:, None, :2], boxes[None, :, :2])
    bottom_right = np.minimum(detections[:, None, 2:], boxes[None, :, 2:])
    common = np.maximum(bottom_right - top_left, 0).prod(-1)
    areas = (detections[:, 2:] - detections[:, :2]).prod(-1)
    return common / np.maximum(areas, _EPS)[:, None]
