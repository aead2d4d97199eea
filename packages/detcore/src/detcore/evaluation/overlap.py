"""Overlap of boxes in numpy, for evaluation outside the network."""

from __future__ import annotations

import numpy as np


def box_overlaps(
    first: np.ndarray, second: np.ndarray, *, use_legacy_coordinate: bool = False
) -> np.ndarray:
    """(n, m) float32 intersection over union of (n, 4) and (m, 4) boxes x1 y1 x2 y2.

    Args:
        use_legacy_coordinate: Count the last pixel: widths are x2 - x1 + 1.
    """
    extra = float(use_legacy_coordinate)
    first, second = first.astype(np.float32), second.astype(np.float32)
    top_left = np.maximum(first[:, None, :2], second[None, :, :2])
    bottom_right = np.minimum(first[:, None, 2:], second[None, :, 2:])
    common = np.maximum(bottom_right - top_left + extra, 0).prod(-1)
    union = _areas(first, extra)[:, None] + _areas(second, extra)[None, :] - common
    return common / np.maximum(union, np.finfo(np.float32).eps)


def _areas(boxes: np.ndarray, extra: float) -> np.ndarray:
    return (boxes[:, 2:] - boxes[:, :2] + extra).prod(-1)
