"""Average precision of instances by the rules of Cityscapes.

Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene Understanding", CVPR 2016.

A mask and a true instance match if their IoU exceeds the threshold. Of several masks on one
instance the best-scored one is right and the others are wrong. What matches nothing is wrong unless
more than the threshold's share of it lies on void, on a region of its class whose instances are not
told apart, or on instances of fewer than 100 pixels, which are not looked for either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

THRESHOLDS = np.arange(0.5, 1.0, 0.05)
LEAST_PIXELS = 100
INSTANCE = 1000  # instanceIds: label id * 1000 + instance; the label id alone for a region

# Of the classes with instances, by name; the ids of Cityscapes' png files.
LABEL_IDS: Mapping[str, int] = {
    "person": 24,
    "rider": 25,
    "car": 26,
    "truck": 27,
    "bus": 28,
    "train": 31,
    "motorcycle": 32,
    "bicycle": 33,
}
VOID_IDS = (0, 1, 2, 3, 4, 5, 6, 9, 10, 14, 15, 16, 18, 29, 30)


@dataclass(frozen=True, slots=True)
class FoundInstances:
    """Masks of one class in one image."""

    scores: np.ndarray  # (n,) float
    masks: np.ndarray  # (n, h, w) bool


@dataclass(slots=True)
class _Matches:
    """Detections of one class at one threshold, over all images."""

    right: list[bool] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    missed: int = 0
    has_truth: bool = False


class CityscapesTally:
    """Collects images, then says the average precision of each class and threshold.

    Args:
        label_ids: Label id of each class, in the order of the figures.
    """

    def __init__(self, label_ids: Sequence[int]) -> None:
        self.label_ids = list(label_ids)
        self._matches = [[_Matches() for _ in THRESHOLDS] for _ in self.label_ids]

    def add(self, found: Sequence[FoundInstances], instance_ids: np.ndarray) -> None:
        """Compare the masks of one more image.

        Args:
            found: One for each class.
            instance_ids: (h, w) integers of Cityscapes' ``instanceIds.png``.
        """
        label_map = np.where(instance_ids >= INSTANCE, instance_ids // INSTANCE, instance_ids)
        void = np.isin(label_map, VOID_IDS)
        for label_id, instances, matches in zip(self.label_ids, found, self._matches, strict=True):
            self._add_class(instances, matches, label_map == label_id, instance_ids, void)

    def _add_class(
        self,
        found: FoundInstances,
        matches: list[_Matches],
        of_class: np.ndarray,
        instance_ids: np.ndarray,
        void: np.ndarray,
    ) -> None:
        values, pixels = np.unique(instance_ids[of_class], return_counts=True)
        sought = (values >= INSTANCE) & (pixels >= LEAST_PIXELS)
        masks = found.masks.reshape(len(found.scores), instance_ids.size).astype(bool)
        sizes = masks.sum(1)
        flat = instance_ids.reshape(-1)
        common = (
            np.stack([masks[:, flat == v].sum(1) for v in values], 1)
            if len(values)
            else (np.zeros((len(masks), 0), dtype=np.int64))
        )
        unions = sizes[:, None] + pixels[None] - common
        overlaps = common[:, sought] / np.maximum(unions[:, sought], 1)
        excused = masks[:, void.reshape(-1)].sum(1) + common[:, ~sought].sum(1)
        shares = excused / np.maximum(sizes, 1)
        usable = sizes > 0
        for threshold, record in zip(THRESHOLDS, matches, strict=True):
            record.has_truth |= bool(sought.any())
            _record(record, overlaps[usable], shares[usable], found.scores[usable], threshold)

    def average_precisions(self) -> np.ndarray:
        """(classes, thresholds) AP; nan for a class of which there is no instance."""
        return np.array([[_average(record) for record in row] for row in self._matches])


def _record(
    record: _Matches, overlaps: np.ndarray, shares: np.ndarray, scores: np.ndarray, threshold: float
) -> None:
    hits = overlaps > threshold
    for column in hits.T:
        candidates = np.sort(scores[column])[::-1].tolist()
        record.missed += not candidates
        record.right += [i == 0 for i in range(len(candidates))]
        record.scores += candidates
    wrong = ~hits.any(1) & (shares <= threshold)
    record.right += [False] * int(wrong.sum())
    record.scores += scores[wrong].tolist()


def _average(record: _Matches) -> float:
    """Area under the curve through the points at every score, by Cityscapes' midpoint rule."""
    if not record.has_truth:
        return float("nan")
    if not record.scores:
        return 0.0
    scores, right = np.array(record.scores), np.array(record.right)
    order = np.argsort(scores, kind="stable")
    _, first = np.unique(scores[order], return_index=True)
    above = np.cumsum(right[order][::-1])[::-1][first]  # hits with this score or a higher one
    number = len(scores) - first
    total = int(right.sum()) + record.missed
    precision = np.append(above / number, 1.0)
    recall = np.append(above / max(total, 1), 0.0)
    widths = (np.append(recall[0], recall[:-1]) - np.append(recall[1:], 0.0)) / 2
    return float(precision @ widths)
