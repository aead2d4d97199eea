"""The verdicts of all images in flat arrays, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detcore.report.matching import ImageMatches
from detcore.report.objects import ImageObjects

RECALLS = np.linspace(0, 1, 101)


@dataclass(frozen=True, slots=True)
class Verdicts:
    """All detections of a data set, the surest first, and all its objects."""

    scores: np.ndarray  # (D,)
    labels: np.ndarray  # (D,) int64
    verdicts: np.ndarray  # (D,) int64, of Verdict
    targets: np.ndarray  # (D,) int64: place among the objects, or -1
    truth_labels: np.ndarray  # (G,) int64
    truth_hit: np.ndarray  # (G,) bool: some detection hits the object

    def objects_per_class(self, num_classes: int) -> np.ndarray:
        """(num_classes,) objects of each class."""
        return np.bincount(self.truth_labels, minlength=num_classes)

    def missed(self) -> np.ndarray:
        """(G,) bool: nothing hits the object, and no class or place error means it."""
        meant = np.zeros(len(self.truth_labels), dtype=bool)
        meant[self.targets[self.targets >= 0]] = True
        return ~meant


def collect(images: Sequence[ImageObjects], matches: Sequence[ImageMatches]) -> Verdicts:
    """Put the images one after the other, then order detections by score."""
    counts = np.array([len(image.truth_labels) for image in images], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]) if len(counts) else counts
    targets = [
        np.where(match.targets >= 0, match.targets + start, -1)
        for match, start in zip(matches, starts.tolist(), strict=True)
    ]
    scores = _joined([image.scores for image in images], float)
    order = np.argsort(-scores, kind="stable")
    return Verdicts(
        scores=scores[order],
        labels=_joined([image.labels for image in images], np.int64)[order],
        verdicts=_joined([match.verdicts for match in matches], np.int64)[order],
        targets=_joined(targets, np.int64)[order],
        truth_labels=_joined([image.truth_labels for image in images], np.int64),
        truth_hit=_joined([match.hit_by >= 0 for match in matches], bool),
    )


def _joined(arrays: Sequence[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate([np.zeros(0, dtype=dtype), *arrays]).astype(dtype)


def average_precision_50(hits: np.ndarray, labels: np.ndarray, objects: np.ndarray) -> float:
    """Mean AP at an overlap of 0.5 over the classes that have objects, by COCO's 101 recalls.

    Args:
        hits: (D,) bool, of detections in order of score.
        labels: (D,) int64.
        objects: (num_classes,) objects of each class; a class with a negative number is left out,
            and one with 0 counts as found whole.
    """
    figures = []
    for label in np.flatnonzero(objects >= 0):
        if objects[label] == 0:
            figures.append(1.0)
            continue
        of_class = hits[labels == label]
        found = np.cumsum(of_class)
        precision = found / np.arange(1, len(of_class) + 1)
        envelope = np.maximum.accumulate(precision[::-1])[::-1]
        places = np.searchsorted(found / objects[label], RECALLS - 1e-12)
        figures.append(np.append(envelope, 0.0)[places].mean())
    return float(np.mean(figures)) if figures else 0.0


@dataclass(frozen=True, slots=True)
class Threshold:
    """The score threshold at which F1 is largest, at an overlap of 0.5."""

    score: float
    f1: float
    precision: float
    recall: float


def best_threshold(scores: np.ndarray, hits: np.ndarray, objects: int) -> Threshold | None:
    """Of detections in order of score; None where nothing is found or there is nothing to find."""
    found = np.cumsum(hits)
    if not objects or not len(hits) or not found[-1]:
        return None
    # Detections of equal score stand or fall together: only the last of them may end the list.
    ends = np.append(scores[1:] < scores[:-1], True)
    f1 = np.where(ends, 2 * found / (np.arange(1, len(hits) + 1) + objects), 0.0)
    best = int(f1.argmax())
    return Threshold(
        score=float(scores[best]),
        f1=float(f1[best]),
        precision=float(found[best] / (best + 1)),
        recall=float(found[best] / objects),
    )
