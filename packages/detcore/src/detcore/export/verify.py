"""An exported file beside its detector on the same pictures: how far they are apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

PIXELS, SCORE, SHARE = 0.1, 1e-3, 0.99
MASK = 0.01  # pixels that differ, as a share of the mask
FAINT = 0.3  # detections below it are compared only where there are none above


@dataclass(frozen=True, slots=True)
class Differences:
    """The largest differences over some detections, each held against its nearest counterpart."""

    count: int  # detections compared
    agreeing: int  # of these, within every tolerance of one of the same class
    score_thr: float  # the detections are those above it
    box: float  # pixels, over those that agree in class
    score: float
    mask: float | None  # share of pixels, None without masks

    @property
    def agree(self) -> bool:
        """Whether enough detections agree."""
        return self.agreeing >= SHARE * self.count

    def __str__(self) -> str:
        mask = "" if self.mask is None else f", masks {self.mask:.2%} of their pixels"
        return (
            f"{self.agreeing} of {self.count} detections above {self.score_thr} agree; largest "
            f"differences: boxes {self.box:.2g} pixels, scores {self.score:.2g}{mask}"
        )


def compare(expected: Sequence[Any], found: Sequence[Any]) -> Differences:
    """Hold results of pictures against those of the detector itself.

    Args:
        expected: results in the form of the contract, one a picture.
        found: those of the exported file, in the same order.

    Returns:
        Differences over the detections above 0.3, or over all where none is so certain.
    """
    pairs = list(zip(map(_rows, expected), map(_rows, found), strict=True))
    certain = sum(int((rows[:, 4] > FAINT).sum()) for (rows, _, _), _ in pairs)
    threshold = FAINT if certain else 0.0
    nearest = [row for pair in pairs for row in _nearest(*pair, threshold)]
    matched = [row for row in nearest if row is not None]
    with_masks = any(isinstance(result, tuple) for result in expected)
    return Differences(
        count=len(nearest),
        agreeing=sum(
            box <= PIXELS and score <= SCORE and mask <= MASK for box, score, mask in matched
        ),
        score_thr=threshold,
        box=max((row[0] for row in matched), default=0.0),
        score=max((row[1] for row in matched), default=0.0),
        mask=max((row[2] for row in matched), default=0.0) if with_masks else None,
    )


Rows = tuple[np.ndarray, np.ndarray, list[np.ndarray] | None]


def _rows(result: Any) -> Rows:
    """(n, 5) boxes with scores, (n,) labels and n masks or None."""
    boxes, masks = result if isinstance(result, tuple) else (result, None)
    labels = np.repeat(np.arange(len(boxes)), [len(of_class) for of_class in boxes])
    flat = None if masks is None else [np.asarray(mask) for part in masks for mask in part]
    return np.concatenate(boxes), labels, flat


def _nearest(
    expected: Rows, found: Rows, threshold: float
) -> list[tuple[float, float, float] | None]:
    """For each expected detection the differences from the nearest of its class, None without."""
    rows, labels, masks = expected
    other_rows, other_labels, other_masks = found
    differences: list[tuple[float, float, float] | None] = []
    for i in np.flatnonzero(rows[:, 4] > threshold):
        same = np.flatnonzero(other_labels == labels[i])
        if len(same) == 0:
            differences.append(None)
            continue
        apart = np.abs(other_rows[same] - rows[i])
        best = int(apart[:, :4].max(axis=1).argmin())
        mask = 0.0
        if masks is not None and other_masks is not None:
            mask = _mask_difference(masks[i], other_masks[same[best]])
        differences.append((float(apart[best, :4].max()), float(apart[best, 4]), mask))
    return differences


def _mask_difference(one: np.ndarray, other: np.ndarray) -> float:
    """Pixels in which two masks differ, over the pixels of the first."""
    return float((one != other).sum() / max(1, np.count_nonzero(one)))
