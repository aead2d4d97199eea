"""Matching of detections with objects by COCO's rules, from arrays; pycocotools sums up.

Pairs of an image and a category that hold nothing, nearly all of them in a large data set, are not
looked at, and a detection is compared only with objects that it overlaps enough.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools import mask as rle
from pycocotools.cocoeval import COCOeval

from detcore.evaluation.coco_rows import Arrays, Rows, Task

_ALMOST_ONE = 1 - 1e-10


@dataclass(frozen=True, slots=True)
class Pair:
    """What one image holds of one category."""

    image: int
    category: int
    truths: np.ndarray  # (g,) rows
    detections: np.ndarray  # (d,) rows, the best first


@dataclass(frozen=True, slots=True)
class _Matches:
    detections: np.ndarray  # (thresholds, d) number of the object from 1; 0 for none
    ignored: np.ndarray  # (thresholds, d) bool: matched with an object that is not counted


def count_pairs(
    task: Task,
    absent: frozenset[tuple[int, int]] | None = None,
    partial: frozenset[tuple[int, int]] = frozenset(),
) -> Arrays:
    """Precision and recall of a task.

    Args:
        task: What is to be counted.
        absent: Pairs known to hold nothing; where these are given, a category is judged only in
            images that show it, or that are among them with it.
        partial: Pairs in which a detection without an object is not held against the detector.
    """
    evaluator = COCOeval(iouType=task.iou_type)
    params = evaluator.params
    task.settle(params)
    areas, images = len(params.areaRng), len(params.imgIds)
    number = len(params.catIds) if params.useCats else 1
    found: list[dict[str, Any] | None] = [None] * (number * areas * images)
    for pair in _pairs(task):
        key = (pair.image, pair.category)
        if absent is not None and not len(pair.truths) and key not in absent:
            continue
        for k, record in enumerate(_records(task, pair, params, key in partial)):
            found[((pair.category - 1) * areas + k) * images + pair.image - 1] = record
    evaluator.evalImgs = found
    evaluator._paramsEval = params
    with contextlib.redirect_stdout(io.StringIO()):
        evaluator.accumulate()
    return evaluator.eval["precision"], evaluator.eval["recall"]


def _pairs(task: Task) -> Iterator[Pair]:
    keys = [
        rows.images * (task.num_categories + 1) + rows.categories
        for rows in (task.truths, task.detections)
    ]
    orders = [
        np.argsort(keys[0], kind="stable"),
        np.lexsort((-_scores(task.detections), keys[1])),
    ]
    present = np.unique(np.concatenate(keys))
    bounds = [
        (np.searchsorted(key[order], present), np.searchsorted(key[order], present, side="right"))
        for key, order in zip(keys, orders, strict=True)
    ]
    for i, key in enumerate(present.tolist()):
        truths, detections = (
            order[begin[i] : end[i]] for order, (begin, end) in zip(orders, bounds, strict=True)
        )
        image, category = divmod(key, task.num_categories + 1)
        yield Pair(image, category, truths, detections[: task.max_dets[-1]])


def _records(task: Task, pair: Pair, params: Any, partial: bool) -> Iterator[dict[str, Any]]:
    """What pycocotools' summing up takes, one for each range of areas."""
    truths, detections = task.truths, task.detections
    crowd, true_areas = truths.crowd[pair.truths], truths.areas[pair.truths]
    found_areas = detections.areas[pair.detections]
    scores = _scores(detections)[pair.detections]
    overlaps = _overlaps(task, pair, crowd)
    known: dict[bytes, _Matches] = {}
    for low, high in params.areaRng:
        ignored = crowd | (true_areas < low) | (true_areas > high)
        matches = known.get(ignored.tobytes())
        if matches is None:
            matches = _match(overlaps, ignored, crowd, params.iouThrs)
            known[ignored.tobytes()] = matches
        outside = (found_areas < low) | (found_areas > high) | partial
        yield {
            "dtScores": scores,
            "dtMatches": matches.detections,
            "dtIgnore": matches.ignored | ((matches.detections == 0) & outside),
            "gtIgnore": np.sort(ignored),
        }


def _scores(detections: Rows) -> np.ndarray:
    """(n,) how sure the detector is; objects taken for detections are all alike."""
    return np.ones(len(detections.boxes)) if detections.scores is None else detections.scores


def _overlaps(task: Task, pair: Pair, crowd: np.ndarray) -> np.ndarray:
    """(d, g) intersection over union; over the detection's area for crowds."""
    if not (len(pair.truths) and len(pair.detections)):
        return np.zeros((len(pair.detections), len(pair.truths)))
    regions = (
        _regions(task.detections, pair.detections, task.iou_type),
        _regions(task.truths, pair.truths, task.iou_type),
    )
    return np.asarray(rle.iou(*regions, crowd.astype(int).tolist()))


def _regions(rows: Rows, chosen: np.ndarray, iou_type: str) -> Any:
    if iou_type == "segm" and rows.masks is not None:
        return [rows.masks[i] for i in chosen.tolist()]
    return rows.boxes[chosen]


def _match(
    overlaps: np.ndarray, ignored: np.ndarray, crowd: np.ndarray, thresholds: np.ndarray
) -> _Matches:
    """Each detection, the best first, takes the free object that it overlaps most.

    Objects that are not counted are taken only when no other is there; crowds are always free.
    """
    number = len(overlaps)
    matched = np.zeros((len(thresholds), number), dtype=np.int64)
    excused = np.zeros((len(thresholds), number), dtype=bool)
    near = overlaps >= min(thresholds.min(), _ALMOST_ONE) if overlaps.size else overlaps > 0
    rows = np.flatnonzero(near.any(1)).tolist() if overlaps.size else []
    if not rows:
        return _Matches(matched, excused)
    order = np.argsort(ignored, kind="stable")  # those that count come first
    candidates = {d: order[near[d, order]].tolist() for d in rows}
    values = {d: overlaps[d].tolist() for d in rows}
    skipped, open_ended = ignored.tolist(), crowd.tolist()
    for t, threshold in enumerate(thresholds.tolist()):
        taken: set[int] = set()
        for d in rows:
            best, target = min(threshold, _ALMOST_ONE), -1
            for g in candidates[d]:
                if g in taken and not open_ended[g]:
                    continue
                if target > -1 and not skipped[target] and skipped[g]:
                    break
                if values[d][g] >= best:
                    best, target = values[d][g], g
            if target > -1:
                taken.add(target)
                matched[t, d] = target + 1
                excused[t, d] = skipped[target]
    return _Matches(matched, excused)
