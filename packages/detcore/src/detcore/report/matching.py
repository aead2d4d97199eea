"""Which detections hit, and what is wrong with those that do not.

The kinds of error are those of Bolya et al., "TIDE: A General Toolbox for Identifying Object
Detection Errors", ECCV 2020.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from detcore.evaluation.overlap import box_overlaps
from detcore.report.objects import ImageObjects

HIT_IOU = 0.5  # least overlap of a hit
BACKGROUND_IOU = 0.1  # below it, a detection has nothing to do with an object


class Verdict(IntEnum):
    """What a detection is."""

    HIT = 0
    CLASS = 1  # at an object of another class
    LOCALISATION = 2  # at an object of its class, but not well enough
    BOTH = 3  # neither class nor place are right
    DUPLICATE = 4  # at an object that a surer one has hit
    BACKGROUND = 5  # at nothing
    IGNORED = 6  # in a region that does not count


@dataclass(frozen=True, slots=True)
class ImageMatches:
    """Verdicts on one image, in the order of its detections and its objects."""

    verdicts: np.ndarray  # (d,) int64, of Verdict
    targets: np.ndarray  # (d,) int64: the object hit, or meant by a class or place error; else -1
    hit_by: np.ndarray  # (g,) int64: the detection that hits the object; else -1


def match_image(image: ImageObjects) -> ImageMatches:
    """Match detections to objects one to one, the surest first, and judge the rest."""
    overlaps = box_overlaps(image.boxes, image.truth_boxes).astype(np.float64)
    same = image.labels[:, None] == image.truth_labels[None, :]
    targets, hit_by = _hits(np.where(same, overlaps, 0.0))
    own, own_best = _best(np.where(same, overlaps, 0.0))
    other, other_best = _best(np.where(same, 0.0, overlaps))
    missed_all = np.maximum(own_best, other_best)
    verdicts = np.select(
        [
            targets >= 0,
            _covered(image.boxes, image.ignored_boxes) >= HIT_IOU,
            (own_best >= BACKGROUND_IOU) & (own_best < HIT_IOU),
            other_best >= HIT_IOU,
            own_best >= HIT_IOU,
            missed_all < BACKGROUND_IOU,
        ],
        [
            Verdict.HIT,
            Verdict.IGNORED,
            Verdict.LOCALISATION,
            Verdict.CLASS,
            Verdict.DUPLICATE,
            Verdict.BACKGROUND,
        ],
        default=Verdict.BOTH,
    ).astype(np.int64)
    targets = np.where(verdicts == Verdict.LOCALISATION, own, targets)
    targets = np.where(verdicts == Verdict.CLASS, other, targets)
    return ImageMatches(verdicts, targets, hit_by)


def _hits(overlaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(d,) object of each detection and (g,) detection of each object, -1 where there is none.

    A detection takes the object it overlaps most among those still free.
    """
    targets = np.full(overlaps.shape[0], -1, dtype=np.int64)
    hit_by = np.full(overlaps.shape[1], -1, dtype=np.int64)
    for detection in np.flatnonzero((overlaps >= HIT_IOU).any(axis=1)):
        free = np.where(hit_by < 0, overlaps[detection], 0.0)
        best = int(free.argmax())
        if free[best] >= HIT_IOU:
            targets[detection], hit_by[best] = best, detection
    return targets, hit_by


def _best(overlaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(d,) column of the largest overlap in each row, and that overlap; 0 without columns."""
    if not overlaps.shape[1]:
        empty = np.zeros(len(overlaps))
        return empty.astype(np.int64) - 1, empty
    return overlaps.argmax(axis=1), overlaps.max(axis=1)


def _covered(boxes: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """(d,) largest part of each box that lies inside one region."""
    if not len(regions):
        return np.zeros(len(boxes))
    low = np.maximum(boxes[:, None, :2], regions[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], regions[None, :, 2:])
    areas = np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(axis=1), 1e-12)
    return (np.maximum(high - low, 0).prod(axis=2) / areas[:, None]).max(axis=1)
