"""Anchor sizes that fit the boxes of a data set.

Redmon and Farhadi, "YOLO9000: Better, Faster, Stronger", CVPR 2017: clusters of box sizes under
the distance 1 - IoU of boxes with one centre.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cvcore.errors import requires
from detcore.errors import DetcoreError


def box_sizes(dataset: Any, input_shape: tuple[int, int], keep_ratio: bool = True) -> np.ndarray:
    """(n, 2) float64 widths and heights of all boxes, as the network sees them.

    Args:
        dataset: Has ``data_infos`` with width and height, and ``get_ann_info``.
        input_shape: (width, height) that images are resized to.
        keep_ratio: Whether they keep their aspect in that.

    Raises:
        DetcoreError: There is no box.
    """
    sizes = []
    for index, info in enumerate(dataset.data_infos):
        boxes = np.asarray(dataset.get_ann_info(index)["bboxes"], dtype=float).reshape(-1, 4)
        scale = np.array(input_shape, dtype=float) / (info["width"], info["height"])
        sizes.append((boxes[:, 2:] - boxes[:, :2]) * (scale.min() if keep_ratio else scale))
    found = np.concatenate([np.zeros((0, 2)), *sizes])
    found = found[(found > 0).all(axis=1)]
    if not len(found):
        raise DetcoreError(f"{type(dataset).__name__} holds no box to fit anchors to")
    return found


def overlaps(sizes: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """(n, k) IoU of boxes and anchors laid on one centre."""
    common = np.minimum(sizes[:, None, :], anchors[None, :, :]).prod(axis=2)
    return common / (sizes.prod(axis=1)[:, None] + anchors.prod(axis=1)[None, :] - common)


def mean_overlap(sizes: np.ndarray, anchors: np.ndarray) -> float:
    """Mean over the boxes of the IoU with the anchor that fits best."""
    return float(overlaps(sizes, anchors).max(axis=1).mean())


def k_means(sizes: np.ndarray, count: int, iterations: int = 1000, seed: int = 0) -> np.ndarray:
    """(count, 2) medians of clusters, ordered by area.

    Args:
        sizes: (n, 2) widths and heights.
        count: Anchors.
        iterations: At most so many.
        seed: Of the first centres, which are spread as k-means++ does.

    Raises:
        DetcoreError: There are fewer different sizes than anchors.
    """
    _check_count(sizes, count)
    anchors = _spread(sizes, count, np.random.default_rng(seed))
    nearest = np.full(len(sizes), -1)
    for _ in range(iterations):
        now = overlaps(sizes, anchors).argmax(axis=1)
        if np.array_equal(now, nearest):
            break
        nearest = now
        for cluster in range(count):
            members = sizes[nearest == cluster]
            if len(members):
                anchors[cluster] = np.median(members, axis=0)
    return anchors[np.argsort(anchors.prod(axis=1))]


def _check_count(sizes: np.ndarray, count: int) -> None:
    different = len(np.unique(sizes, axis=0))
    if not 1 <= count <= different:
        raise DetcoreError(f"{count} anchors cannot be fitted to {different} different box sizes")


def _spread(sizes: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """First centres: each next one likely far from those before (Arthur, Vassilvitskii, 2007)."""
    chosen = [sizes[random.integers(len(sizes))]]
    while len(chosen) < count:
        distance = 1 - overlaps(sizes, np.array(chosen)).max(axis=1)
        weights = np.maximum(distance, 0.0) ** 2
        chosen.append(sizes[random.choice(len(sizes), p=weights / weights.sum())])
    return np.array(chosen, dtype=float)


def evolve(
    sizes: np.ndarray,
    count: int,
    input_shape: tuple[int, int],
    iterations: int = 1000,
    seed: int = 0,
) -> np.ndarray:
    """(count, 2) anchors that differential evolution finds best, ordered by area.

    Storn and Price, "Differential Evolution", 1997; the search of scipy.

    Args:
        sizes: (n, 2) widths and heights.
        count: Anchors.
        input_shape: (width, height), the largest sizes that are tried.
        iterations: Generations, at most.
        seed: Of the search.

    Raises:
        MissingExtraError: scipy is not installed.
        DetcoreError: There are fewer different sizes than anchors.
    """
    _check_count(sizes, count)
    optimize = requires("scipy.optimize", extra="anchors", distribution="detcore")

    def loss(flat: np.ndarray) -> float:
        return 1 - mean_overlap(sizes, flat.reshape(-1, 2))

    start = k_means(sizes, count, seed=seed).reshape(-1)
    found = optimize.differential_evolution(
        loss,
        bounds=[(1.0, float(side)) for _ in range(count) for side in input_shape],
        x0=np.clip(start, 1.0, np.tile(np.array(input_shape, dtype=float), count)),
        maxiter=iterations,
        popsize=10,
        rng=seed,
    )
    anchors: np.ndarray = found.x.reshape(-1, 2)
    return anchors[np.argsort(anchors.prod(axis=1))]


def as_base_sizes(anchors: np.ndarray, levels: int = 3) -> list[list[tuple[int, int]]]:
    """Whole sizes for each level of ``YOLOAnchorGenerator``, the largest level first."""
    rounded: Sequence[Any] = np.maximum(anchors.round(), 1).astype(int).tolist()
    per_level = len(rounded) // levels
    groups = [rounded[i : i + per_level] for i in range(0, len(rounded), per_level)]
    return [[(width, height) for width, height in group] for group in reversed(groups)]
