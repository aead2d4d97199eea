"""Mean average precision by the rules of PASCAL VOC.

Everingham et al., "The Pascal Visual Object Classes Challenge", IJCV 2010.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from logging import Logger
from typing import Any

import numpy as np

from cvcore.log import print_log
from detcore.errors import OptionError
from detcore.evaluation.class_names import get_classes
from detcore.evaluation.overlap import box_overlaps
from detcore.evaluation.table import text_table

Matcher = Callable[..., tuple[np.ndarray, np.ndarray]]
_EPS = float(np.finfo(np.float32).eps)


def average_precision(
    recalls: np.ndarray, precisions: np.ndarray, mode: str = "area"
) -> np.ndarray | float:
    """Area under the precision curve, made monotone from the right.

    Args:
        recalls: (d,) or (s, d), rising along the last axis.
        precisions: Like `recalls`.
        mode: ``"area"`` for the exact area, ``"11points"`` for VOC 2007's mean at recalls
            0, 0.1, ... 1.

    Returns:
        A number, or (s,) for two-dimensional input.
    """
    if mode not in ("area", "11points"):
        raise OptionError(f"average_precision: mode={mode!r}; choose 'area' or '11points'")
    rows_of_recall, rows_of_precision = np.atleast_2d(recalls), np.atleast_2d(precisions)
    scales = len(rows_of_recall)
    figures = np.zeros(scales, dtype=np.float32)
    if mode == "area":
        zeros, ones = np.zeros((scales, 1)), np.ones((scales, 1))
        recall = np.hstack([zeros, rows_of_recall, ones])
        precision = np.hstack([zeros, rows_of_precision, zeros])
        envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        figures[:] = (np.diff(recall, axis=1) * envelope[:, 1:]).sum(1)
    else:
        for i, (recall, precision) in enumerate(
            zip(rows_of_recall, rows_of_precision, strict=True)
        ):
            tops = [precision[recall >= t].max(initial=0) for t in np.arange(0, 1.05, 0.1)]
            figures[i] = sum(tops) / 11
    return figures if np.ndim(recalls) == 2 else float(figures[0])


def tpfp_default(
    det_bboxes: np.ndarray,
    gt_bboxes: np.ndarray,
    gt_bboxes_ignore: np.ndarray | None = None,
    iou_thr: float = 0.5,
    area_ranges: Sequence[tuple[float | None, float | None]] | None = None,
    use_legacy_coordinate: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Which detections of one image and class hit, and which are wrong.

    A detection goes to the object that it overlaps most; the best-scored one takes it and the
    others are wrong. Hits of ignored objects are neither.

    Args:
        det_bboxes: (d, 5) x1 y1 x2 y2 score.
        gt_bboxes: (g, 4).
        gt_bboxes_ignore: (k, 4).
        iou_thr: Least overlap of a hit.
        area_ranges: Lowest and highest area in square pixels; objects outside are ignored.
        use_legacy_coordinate: Count the last pixel: widths are x2 - x1 + 1.

    Returns:
        Two (max(1, len(area_ranges)), d) float32 arrays of zeros and ones.
    """
    ignored_boxes = np.zeros((0, 4)) if gt_bboxes_ignore is None else gt_bboxes_ignore
    objects = np.vstack([gt_bboxes.reshape(-1, 4), ignored_boxes.reshape(-1, 4)])
    ignored = np.arange(len(objects)) >= len(gt_bboxes)
    ranges = list(area_ranges) if area_ranges else [(None, None)]
    hit = np.zeros((len(ranges), len(det_bboxes)), dtype=np.float32)
    wrong = np.zeros_like(hit)
    if not len(det_bboxes):
        return hit, wrong
    extra = float(use_legacy_coordinate)
    order = np.argsort(-det_bboxes[:, -1], kind="stable")
    overlaps = box_overlaps(det_bboxes[:, :4], objects, use_legacy_coordinate=use_legacy_coordinate)
    if len(objects):
        target, best = overlaps.argmax(1), overlaps.max(1)
    else:
        target, best = np.zeros(len(det_bboxes), dtype=np.int64), np.full(len(det_bboxes), -1.0)
    for k, bounds in enumerate(ranges):
        outside = ignored | ~_inside(objects, bounds, extra)
        # A miss counts against the detector only within the range of sizes that is looked at.
        counts = _inside(det_bboxes, bounds, extra)
        taken = np.zeros(len(objects), dtype=bool)
        for i in order:
            if best[i] < iou_thr:
                wrong[k, i] = counts[i]
            elif not outside[target[i]]:
                (wrong if taken[target[i]] else hit)[k, i] = 1
                taken[target[i]] = True
    return hit, wrong


def _inside(
    boxes: np.ndarray, bounds: tuple[float | None, float | None], extra: float
) -> np.ndarray:
    if bounds == (None, None):
        return np.ones(len(boxes), dtype=bool)
    areas = (boxes[:, 2:4] - boxes[:, :2] + extra).prod(-1)
    low, high = bounds
    return (areas >= (low or 0)) & (areas < (np.inf if high is None else high))


def eval_map(
    det_results: Sequence[Sequence[np.ndarray]],
    annotations: Sequence[Mapping[str, Any]],
    scale_ranges: Sequence[tuple[float, float]] | None = None,
    iou_thr: float = 0.5,
    dataset: str | Sequence[str] | None = None,
    logger: Logger | str | None = None,
    tpfp_fn: Matcher | None = None,
    use_legacy_coordinate: bool = False,
    eval_mode: str = "area",
) -> tuple[float | list[float], list[dict[str, Any]]]:
    """Mean over classes of the average precision.

    Args:
        det_results: Per image and class, (d, 5) x1 y1 x2 y2 score.
        annotations: Per image ``bboxes`` (g, 4), ``labels`` (g,), and where there are some
            ``bboxes_ignore`` (k, 4) and ``labels_ignore`` (k,).
        scale_ranges: Sizes (square root of the area, in pixels) to report separately.
        iou_thr: Least overlap of a hit.
        dataset: Class names, or a dataset's name, for the table; ``"voc07"`` takes the mean at
            eleven recalls.
        logger: Where the table goes; ``"silent"`` for nowhere.
        tpfp_fn: Replaces `tpfp_default`; it is called with the same arguments.
        use_legacy_coordinate: Count the last pixel: widths are x2 - x1 + 1.
        eval_mode: ``"area"`` or ``"11points"``.

    Returns:
        The mean (one for each scale range where those are given), and a dict for each class:
        ``num_gts``, ``num_dets``, ``recall``, ``precision``, ``ap``.
    """
    if len(det_results) != len(annotations):
        raise ValueError(f"{len(det_results)} results for {len(annotations)} annotated images")
    ranges = None
    if scale_ranges is not None:
        ranges = [(low**2, high**2) for low, high in scale_ranges]
    mode = "11points" if dataset == "voc07" else eval_mode
    num_classes = len(det_results[0]) if len(det_results) else 0
    per_class = [
        _evaluate_class(
            [results[label] for results in det_results],
            [_of_class(annotation, label) for annotation in annotations],
            ranges,
            mode,
            tpfp_fn or tpfp_default,
            {"iou_thr": iou_thr, "use_legacy_coordinate": use_legacy_coordinate},
        )
        for label in range(num_classes)
    ]
    counts = np.array([figures["num_gts"] for figures in per_class])
    precisions = np.array([figures["ap"] for figures in per_class])
    mean_ap: float | list[float]
    if ranges is None:
        mean_ap = float(precisions[counts > 0].mean()) if (counts > 0).any() else 0.0
    else:
        mean_ap = [
            float(precisions[counts[:, k] > 0, k].mean()) if (counts[:, k] > 0).any() else 0.0
            for k in range(len(ranges))
        ]
    _log_summary(mean_ap, per_class, dataset, scale_ranges, logger)
    return mean_ap, per_class


def _of_class(annotation: Mapping[str, Any], label: int) -> tuple[np.ndarray, np.ndarray]:
    boxes = annotation["bboxes"][annotation["labels"] == label]
    if annotation.get("labels_ignore") is None:
        return boxes, np.zeros((0, 4), dtype=np.float32)
    return boxes, annotation["bboxes_ignore"][annotation["labels_ignore"] == label]


def _evaluate_class(
    detections: list[np.ndarray],
    truths: list[tuple[np.ndarray, np.ndarray]],
    ranges: Sequence[tuple[float | None, float | None]] | None,
    mode: str,
    matcher: Matcher,
    options: dict[str, Any],
) -> dict[str, Any]:
    matches = [
        matcher(found, boxes, ignored, area_ranges=ranges, **options)
        for found, (boxes, ignored) in zip(detections, truths, strict=True)
    ]
    extra = float(options["use_legacy_coordinate"])
    num_gts = np.array(
        [
            sum(int(_inside(boxes, bounds, extra).sum()) for boxes, _ in truths)
            for bounds in (ranges or [(None, None)])
        ]
    )
    scores = np.concatenate([found[:, -1] for found in detections])
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(np.hstack([hit for hit, _ in matches])[:, order], axis=1)
    wrongs = np.cumsum(np.hstack([wrong for _, wrong in matches])[:, order], axis=1)
    recall = hits / np.maximum(num_gts[:, None], _EPS)
    precision = hits / np.maximum(hits + wrongs, _EPS)
    if ranges is None:
        recall, precision = recall[0], precision[0]
    return {
        "num_gts": int(num_gts[0]) if ranges is None else num_gts,
        "num_dets": len(scores),
        "recall": recall,
        "precision": precision,
        "ap": average_precision(recall, precision, mode),
    }


def _log_summary(
    mean_ap: float | list[float],
    per_class: list[dict[str, Any]],
    dataset: str | Sequence[str] | None,
    scale_ranges: Sequence[tuple[float, float]] | None,
    logger: Logger | str | None,
) -> None:
    if logger == "silent":
        return
    names = [str(i) for i in range(len(per_class))] if dataset is None else get_classes(dataset)
    means = np.atleast_1d(mean_ap)
    for k, mean in enumerate(means):
        rows: list[Sequence[object]] = []
        for name, figures in zip(names, per_class, strict=True):
            recall = np.atleast_2d(figures["recall"])[k]
            rows.append(
                (
                    name,
                    int(np.atleast_1d(figures["num_gts"])[k]),
                    figures["num_dets"],
                    float(recall[-1]) if recall.size else 0.0,
                    float(np.atleast_1d(figures["ap"])[k]),
                )
            )
        rows.append(("mean", "", "", "", float(mean)))
        title = "" if scale_ranges is None else f"sizes {scale_ranges[k]}\n"
        table = text_table(("class", "objects", "detections", "recall", "AP"), rows)
        print_log(f"\n{title}{table}", logger=logger)
