"""What is taken for what."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detcore.report.matching import ImageMatches, Verdict
from detcore.report.objects import ImageObjects


def confusion_matrix(
    images: Sequence[ImageObjects],
    matches: Sequence[ImageMatches],
    num_classes: int,
    score_thr: float,
) -> np.ndarray:
    """(num_classes + 1, num_classes + 1) int64: rows are what is there, columns what was said.

    The last row holds detections of nothing, the last column objects that were not found. Each
    object and each detection counts once: hits first, then a detection of a wrong class counts at
    the object that it overlaps most, if that one is still free, and else as one of nothing.
    """
    matrix = np.zeros((num_classes + 1, num_classes + 1), dtype=np.int64)
    for image, match in zip(images, matches, strict=True):
        said = image.scores >= score_thr
        taken = np.isin(match.hit_by, np.flatnonzero(said))
        np.add.at(matrix, (image.truth_labels[taken], image.truth_labels[taken]), 1)
        for i in np.flatnonzero(said & (match.verdicts == Verdict.CLASS)).tolist():
            target = match.targets[i]
            there = num_classes if taken[target] else image.truth_labels[target]
            matrix[there, image.labels[i]] += 1
            taken[target] = True
        wrong = ~np.isin(match.verdicts, (Verdict.HIT, Verdict.CLASS, Verdict.IGNORED)) & said
        np.add.at(matrix[num_classes], image.labels[wrong], 1)
        np.add.at(matrix[:, num_classes], image.truth_labels[~taken], 1)
    return matrix
