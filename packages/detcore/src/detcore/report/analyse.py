"""Everything that a report says, worked out from a data set and the results on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from detcore.datasets.samplers.seeded import SeededDataset
from detcore.report.classes import ClassFigures, class_figures
from detcore.report.confusion import confusion_matrix
from detcore.report.errors import ErrorKind, error_kinds
from detcore.report.matching import Verdict, match_image
from detcore.report.objects import objects_of
from detcore.report.pictures import Gallery, gallery
from detcore.report.series import RunCurves, curves_of
from detcore.report.verdicts import Threshold, best_threshold, collect

FALLBACK_SCORE_THR = 0.3  # where no detection hits, so that no threshold is best


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a report tells of the run beside its figures."""

    title: str
    details: Mapping[str, str] = field(default_factory=dict)  # such as Config, Checkpoint, Date
    commands: Sequence[str] = ()  # what makes these figures again
    config_text: str = ""


@dataclass(frozen=True, slots=True)
class Analysis:
    """The figures of one evaluation."""

    class_names: list[str]
    num_images: int
    num_objects: int
    num_detections: int
    classes: list[ClassFigures]
    threshold: Threshold | None  # of all classes together
    score_thr: float  # at which confusion and pictures are taken
    confusion: np.ndarray  # (classes + 1, classes + 1) int64, the last is background
    errors: list[ErrorKind]
    pictures: Gallery


@dataclass(frozen=True, slots=True)
class Report:
    """An analysis with what surrounds it."""

    analysis: Analysis
    scores: Mapping[str, Any]  # as the dataset's ``evaluate`` gave them
    facts: RunFacts
    curves: RunCurves = field(default_factory=lambda: curves_of([]))


def analyse(
    dataset: Any,
    results: Sequence[Any],
    *,
    score_thr: float | None = None,
    pictures: int = 8,
) -> Analysis:
    """Work out the figures.

    Args:
        dataset: Has ``CLASSES``, ``data_infos`` and ``get_ann_info``.
        results: One entry an image, as the detector gives them.
        score_thr: Threshold for the confusion matrix and the pictures; by default the one at which
            F1 over all classes is largest.
        pictures: Worst and best images to draw, at most so many of each.

    Raises:
        DetcoreError: The dataset or the results are of a kind that has no boxes with classes.
    """
    while isinstance(dataset, SeededDataset):  # what a loader holds
        dataset = dataset.dataset
    names = [str(name) for name in getattr(dataset, "CLASSES", None) or ()]
    images = objects_of(dataset, results)
    matches = [match_image(image) for image in images]
    found = collect(images, matches)
    counted = found.verdicts != Verdict.IGNORED
    hits = found.verdicts[counted] == Verdict.HIT
    best = best_threshold(found.scores[counted], hits, len(found.truth_labels))
    if score_thr is None:
        score_thr = FALLBACK_SCORE_THR if best is None else best.score
    return Analysis(
        class_names=names,
        num_images=len(images),
        num_objects=len(found.truth_labels),
        num_detections=len(found.scores),
        classes=class_figures(dataset, results, images, found),
        threshold=best,
        score_thr=score_thr,
        confusion=confusion_matrix(images, matches, len(names), score_thr),
        errors=error_kinds(found, len(names)),
        pictures=gallery(images, matches, names, score_thr, pictures),
    )
