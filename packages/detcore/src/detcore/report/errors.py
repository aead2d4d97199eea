"""What a detector would gain if it did not make one kind of error.

Bolya et al., "TIDE: A General Toolbox for Identifying Object Detection Errors", ECCV 2020.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detcore.report.matching import Verdict
from detcore.report.verdicts import Verdicts, average_precision_50

# Kinds of error in the order in which the report shows them; "missed" has no detection.
ERRORS = {
    "class": Verdict.CLASS,
    "localisation": Verdict.LOCALISATION,
    "both": Verdict.BOTH,
    "duplicate": Verdict.DUPLICATE,
    "background": Verdict.BACKGROUND,
}
MISSED = "missed"
EXPLAINED = {
    "class": "at an object of another class",
    "localisation": "right class, overlap with the object between 0.1 and 0.5",
    "both": "wrong class and an overlap below 0.5",
    "duplicate": "at an object that a surer detection has hit",
    "background": "overlaps no object by 0.1",
    "missed": "objects that no detection hits or means",
}


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """How often one kind of error is made, and what AP at 0.5 would gain without it."""

    name: str
    count: int
    gain: float


def error_kinds(found: Verdicts, num_classes: int) -> list[ErrorKind]:
    """Each kind put right alone, the others left as they are."""
    counted = found.verdicts != Verdict.IGNORED
    labels, hits = found.labels, found.verdicts == Verdict.HIT
    objects = found.objects_per_class(num_classes)
    objects = np.where(objects == 0, -1, objects)
    before = average_precision_50(hits[counted], labels[counted], objects)
    kinds = []
    for name, kind in ERRORS.items():
        of_kind = found.verdicts == kind
        mended = _mended(found, of_kind)
        keep = counted & (mended | ~of_kind)
        new_labels = np.where(mended, found.truth_labels[found.targets], labels)
        gain = average_precision_50((hits | mended)[keep], new_labels[keep], objects) - before
        kinds.append(ErrorKind(name, int(of_kind.sum()), gain))
    missed = found.missed()
    left = objects - np.bincount(found.truth_labels[missed], minlength=num_classes)
    gain = average_precision_50(hits[counted], labels[counted], left) - before
    return [*kinds, ErrorKind(MISSED, int(missed.sum()), gain)]


def _mended(found: Verdicts, of_kind: np.ndarray) -> np.ndarray:
    """(D,) bool: errors that become hits when put right; the others only go away.

    For one object only the surest becomes a hit, and none where the object is hit already.
    """
    mended = np.zeros(len(of_kind), dtype=bool)
    candidates = np.flatnonzero(of_kind & (found.targets >= 0))
    candidates = candidates[~found.truth_hit[found.targets[candidates]]]
    _, first = np.unique(found.targets[candidates], return_index=True)
    mended[candidates[first]] = True
    return mended
