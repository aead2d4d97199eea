"""AP, thresholds, kinds of error and confusion, from the verdicts."""

from __future__ import annotations

import numpy as np
import pytest

from detcore.evaluation import CocoObjects, evaluate_coco
from detcore.report.confusion import confusion_matrix
from detcore.report.errors import error_kinds
from detcore.report.matching import ImageMatches
from detcore.report.objects import ImageObjects
from detcore.report.verdicts import average_precision_50, best_threshold, collect


def test_average_precision_is_that_of_pycocotools() -> None:
    random = np.random.default_rng(0)
    hits = random.random(60) < 0.6
    labels = random.integers(0, 2, 60)
    objects = np.array([hits[labels == label].sum() + 5 for label in (0, 1)])
    # Each detection far from all others, at an object of its own if it hits.
    corners = np.stack([np.arange(60) * 100.0, np.zeros(60)], axis=1)
    boxes = np.hstack([corners, np.full((60, 2), 50.0)])
    lonely = np.hstack([np.stack([np.arange(10) * 100.0, np.full(10, 500.0)], 1), boxes[:10, 2:]])
    truths = np.vstack([boxes[hits], lonely])
    truth_labels = np.concatenate([labels[hits], np.repeat([0, 1], 5)])
    figures = evaluate_coco(
        CocoObjects([0] * len(truths), truth_labels.tolist(), truths, truths[:, 2:].prod(1)),
        CocoObjects(
            [0] * 60, labels.tolist(), boxes, boxes[:, 2:].prod(1), np.linspace(1, 0.1, 60)
        ),
        [0],
        [0, 1],
        proposal_nums=(100,),
    )
    expected = figures.average_precision(0.5)
    assert average_precision_50(hits, labels, objects) == pytest.approx(expected, abs=1e-9)


def test_classes_without_objects_do_not_count() -> None:
    hits, labels = np.array([True, False]), np.array([0, 1])
    assert average_precision_50(hits, labels, np.array([1, -1])) == 1.0


def test_the_best_threshold_is_where_f1_is_largest() -> None:
    """4 objects. F1 after each detection: 2/5, 4/6, 4/7, 6/8, 6/9, so the fourth is best."""
    hits = np.array([True, True, False, True, False])
    best = best_threshold(np.array([0.9, 0.8, 0.7, 0.6, 0.5]), hits, 4)
    assert best is not None
    assert (best.score, best.f1, best.precision, best.recall) == (0.6, 0.75, 0.75, 0.75)


def test_detections_of_one_score_stand_or_fall_together() -> None:
    """A hit and a miss at 0.5: taking the hit alone (F1 1) is no threshold."""
    best = best_threshold(np.array([0.5, 0.5]), np.array([True, False]), 1)
    assert best is not None
    assert best.f1 == pytest.approx(2 / 3)


def test_there_is_no_best_threshold_without_a_hit() -> None:
    assert best_threshold(np.array([0.5]), np.array([False]), 3) is None
    assert best_threshold(np.array([0.5]), np.array([False]), 0) is None


def test_each_error_costs_what_mending_it_alone_gains(
    every_mistake: ImageObjects, matched: ImageMatches
) -> None:
    """Class 0 has 4 objects, class 1 has 1, which nothing finds (AP 0).

    Class 0 in order of score: hit, duplicate, place, background, so its AP is precision 1 up to
    a recall of 1/4: 26 of 101 recalls; the mean of both classes is 13 / 101.
    """
    kinds = {kind.name: kind for kind in error_kinds(collect([every_mistake], [matched]), 2)}
    assert {name: kind.count for name, kind in kinds.items()} == {
        "class": 1,
        "localisation": 1,
        "both": 1,
        "duplicate": 1,
        "background": 1,
        "missed": 2,
    }
    # A duplicate or a false alarm behind the only hit costs nothing.
    assert kinds["duplicate"].gain == pytest.approx(0)
    assert kinds["background"].gain == pytest.approx(0)
    # The place error mended: hit, duplicate, hit. 26 recalls of 1 and 25 of 2/3 (to recall 1/2).
    mended = (26 + 25 * 2 / 3) / 101 / 2
    assert kinds["localisation"].gain == pytest.approx(mended - 13 / 101)
    # The class error mended comes after duplicate and place: hit, x, x, hit: 25 recalls of 1/2.
    assert kinds["class"].gain == pytest.approx((26 + 25 / 2) / 101 / 2 - 13 / 101)
    # Without the two missed, class 0 has 3 objects (34 recalls of 1) and class 1 none to find.
    assert kinds["missed"].gain == pytest.approx((34 / 101 + 1) / 2 - 13 / 101)
    # Missed are the fourth object of class 0, the one of class 1, and none else: those of the
    # place and class errors are meant.
    missed = collect([every_mistake], [matched]).missed()
    assert missed.tolist() == [False, False, False, True, True]


def test_confusion_counts_every_object_once(
    every_mistake: ImageObjects, matched: ImageMatches
) -> None:
    matrix = confusion_matrix([every_mistake], [matched], 2, 0.0)
    # Objects: 1 hit, 1 taken for class 1, 2 not found; of class 1: not found. Of nothing: the
    # duplicate, the place error and the false alarm as class 0, the both error as class 1.
    assert matrix.tolist() == [[1, 1, 2], [0, 0, 1], [3, 1, 0]]
    assert matrix[:2].sum() == len(every_mistake.truth_labels)


def test_confusion_leaves_out_what_is_below_the_threshold(
    every_mistake: ImageObjects, matched: ImageMatches
) -> None:
    matrix = confusion_matrix([every_mistake], [matched], 2, 0.92)
    assert matrix.tolist() == [[1, 0, 3], [0, 0, 1], [0, 0, 0]]
