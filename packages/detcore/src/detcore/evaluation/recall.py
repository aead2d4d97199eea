"""Recall of proposals: which share of the objects some proposal overlaps enough."""

from __future__ import annotations

from collections.abc import Sequence
from logging import Logger

import numpy as np

from cvcore.log import print_log
from detcore.evaluation.overlap import box_overlaps
from detcore.evaluation.table import text_table


def eval_recalls(
    gts: Sequence[np.ndarray],
    proposals: Sequence[np.ndarray],
    proposal_nums: int | Sequence[int] = (100, 300, 1000),
    iou_thrs: float | Sequence[float] | np.ndarray = 0.5,
    logger: Logger | str | None = None,
    use_legacy_coordinate: bool = False,
) -> np.ndarray:
    """Recall for each number of proposals and each threshold.

    Objects and proposals are matched one to one within an image, the best overlap first.

    Args:
        gts: Per image (g, 4) boxes x1 y1 x2 y2.
        proposals: Per image (p, 4), best first, or (p, 5) with scores in any order.
        proposal_nums: How many of the best proposals count.
        iou_thrs: Least overlaps of a hit.
        logger: Where the table goes; ``"silent"`` for nowhere.
        use_legacy_coordinate: Count the last pixel: widths are x2 - x1 + 1.

    Returns:
        (len(proposal_nums), len(iou_thrs)) float32; zeros where there is no object at all.
    """
    numbers = np.atleast_1d(np.asarray(proposal_nums, dtype=np.int64))
    thresholds = np.atleast_1d(np.asarray(iou_thrs, dtype=np.float64))
    if len(gts) != len(proposals):
        raise ValueError(f"{len(gts)} images have objects listed and {len(proposals)} proposals")
    matched: list[list[np.ndarray]] = [[] for _ in numbers]
    for boxes, candidates in zip(gts, proposals, strict=True):
        overlaps = box_overlaps(
            np.asarray(boxes).reshape(-1, 4),
            _best_first(np.asarray(candidates))[: numbers.max()],
            use_legacy_coordinate=use_legacy_coordinate,
        )
        for overlaps_of, number in zip(matched, numbers, strict=True):
            overlaps_of.append(_greedy_matches(overlaps[:, :number]))
    best = np.stack([np.concatenate(per_image or [np.zeros(0)]) for per_image in matched])
    total = max(best.shape[1], 1)
    recalls = ((best[:, None, :] >= thresholds[:, None]).sum(-1) / total).astype(np.float32)
    _log_recalls(recalls, numbers, thresholds, logger)
    return recalls


def _best_first(proposals: np.ndarray) -> np.ndarray:
    """(p, 4) boxes of (p, 4) in their order, or of (p, 5) in the order of their scores."""
    if proposals.ndim == 2 and proposals.shape[1] == 5:
        return proposals[np.argsort(-proposals[:, 4], kind="stable"), :4]
    return proposals.reshape(-1, 4)


def _greedy_matches(overlaps: np.ndarray) -> np.ndarray:
    """(g,) overlap of each object with its own proposal, 0 for objects that get none."""
    left = overlaps.copy()
    best = np.zeros(len(left), dtype=np.float32)
    for _ in range(min(left.shape)):
        row, column = np.unravel_index(left.argmax(), left.shape)
        best[row] = left[row, column]
        left[row, :] = -1
        left[:, column] = -1
    return best


def _log_recalls(
    recalls: np.ndarray, numbers: np.ndarray, thresholds: np.ndarray, logger: Logger | str | None
) -> None:
    header = ["proposals", *(f"IoU {threshold:g}" for threshold in thresholds)]
    rows = [[int(n), *map(float, row)] for n, row in zip(numbers, recalls, strict=True)]
    print_log("\n" + text_table(header, rows), logger=logger)
