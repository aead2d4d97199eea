"""Fields of a sample that go together: boxes with their labels and masks."""

from __future__ import annotations

from typing import Any

import numpy as np

Results = dict[str, Any]

LABELS_OF = {"gt_bboxes": "gt_labels", "gt_bboxes_ignore": "gt_labels_ignore"}
MASKS_OF = {"gt_bboxes": "gt_masks", "gt_bboxes_ignore": "gt_masks_ignore"}


def keep_objects(results: Results, key: str, keep: np.ndarray) -> None:
    """Keep the boxes `results[key]` where `keep` (n,) is True, with their labels and masks."""
    results[key] = results[key][keep]
    labels, masks = LABELS_OF.get(key, ""), MASKS_OF.get(key, "")
    if results.get(labels) is not None:
        results[labels] = results[labels][keep]
    if results.get(masks) is not None:
        results[masks] = results[masks][np.flatnonzero(keep)]


def clip_boxes(boxes: np.ndarray, height: float, width: float) -> np.ndarray:
    """Boxes (n, 4) x1 y1 x2 y2 cut off at the borders of an image; a new array."""
    limit = np.array([width, height, width, height], dtype=boxes.dtype)
    return np.clip(boxes, 0, limit)


def inside_image(boxes: np.ndarray, height: float, width: float) -> np.ndarray:
    """(n,) bool: some part of the box (n, 4) lies in the image."""
    lower, upper = boxes[:, :2], boxes[:, 2:]
    return (lower < (width, height)).all(1) & (upper > 0).all(1)


def warp_boxes(boxes: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Boxes around the warped corners of boxes.

    Args:
        boxes: (n, 4) x1 y1 x2 y2.
        matrix: (2, 3) or (3, 3), from source to target coordinates.

    Returns:
        (n, 4) of the type of `boxes`.
    """
    x, y = boxes[:, [0, 2, 0, 2]], boxes[:, [1, 1, 3, 3]]
    corners = np.stack([x, y, np.ones_like(x)], axis=1).astype(np.float64)  # (n, 3, 4)
    warped = matrix @ corners
    if len(matrix) == 3:
        warped = warped[:, :2] / warped[:, 2:]
    return np.hstack([warped.min(2), warped.max(2)]).astype(boxes.dtype)


def reasonable_boxes(
    before: np.ndarray,
    after: np.ndarray,
    min_size: float,
    min_area_ratio: float,
    max_aspect_ratio: float,
) -> np.ndarray:
    """(n,) bool: boxes (n, 4) that are still large, complete and square enough after a change."""
    tiny = 1e-16
    old, new = before[:, 2:] - before[:, :2], after[:, 2:] - after[:, :2]
    ratios = np.maximum(new[:, 0] / (new[:, 1] + tiny), new[:, 1] / (new[:, 0] + tiny))
    share = new.prod(1) / (old.prod(1) + tiny)
    return (new > min_size).all(1) & (share > min_area_ratio) & (ratios < max_aspect_ratio)
