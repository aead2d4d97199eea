from __future__ import annotations

import math

import numpy as np
import pytest

from detcore.evaluation.open_images import (
    OpenImagesRules,
    OpenImagesTruth,
    evaluate_open_images,
    match_open_images,
)

A, B = [0, 0, 10, 10], [20, 0, 30, 10]
CROWD = [0, 20, 100, 60]


def boxes(*rows: list[float]) -> np.ndarray:
    return np.array(rows, dtype=np.float32).reshape(-1, len(rows[0]) if rows else 4)


def test_the_second_detection_of_an_object_is_wrong() -> None:
    detections = boxes([*A, 0.9], [*A, 0.8], [*B, 0.7])
    hit, wrong = match_open_images(detections, boxes(A), np.array([False]), OpenImagesRules())
    assert hit.tolist() == [True, False, False]
    assert wrong.tolist() == [False, True, True]


def test_a_group_is_found_once_and_forgives_the_rest() -> None:
    inside = [[10, 30, 20, 40, 0.9], [30, 30, 40, 40, 0.8]]
    half_outside = [95, 30, 115, 40, 0.7]  # a quarter of it is inside
    detections = boxes(*inside, half_outside)
    hit, wrong = match_open_images(detections, boxes(CROWD), np.array([True]), OpenImagesRules())
    assert hit.tolist() == [True, False, False]
    assert wrong.tolist() == [False, False, True]


def truth(
    labels: list[int], where: np.ndarray, judged: list[bool] | None = None
) -> OpenImagesTruth:
    return OpenImagesTruth(
        boxes=where,
        labels=np.array(labels, dtype=np.int64),
        groups=np.zeros(len(labels), dtype=bool),
        judged=None if judged is None else np.array(judged),
    )


# class 0 is an animal, class 1 a cat and thus an animal, class 2 a chair
TREE = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1]], dtype=bool)
NOTHING = np.zeros((0, 5), dtype=np.float32)


def test_an_object_counts_for_the_classes_above_it_and_so_does_a_detection() -> None:
    results = [[NOTHING, boxes([*A, 0.9]), NOTHING]]
    mean, figures = evaluate_open_images(results, [truth([1], boxes(A))], TREE)
    assert [figure.num_gts for figure in figures] == [1, 1, 0]
    assert [figure.ap for figure in figures[:2]] == [1, 1]
    assert math.isnan(figures[2].ap)  # no chair: left out of the mean
    assert mean == 1


def test_a_class_of_which_nothing_is_known_is_not_judged() -> None:
    cat = truth([1], boxes(A), judged=[True, True, False])
    chair = truth([2], boxes(A), judged=[False, False, True])
    results = [
        [NOTHING, boxes([*A, 0.5]), boxes([*B, 0.9])],  # is there a chair? nobody said
        [NOTHING, NOTHING, boxes([*A, 0.8])],
    ]
    assert evaluate_open_images(results, [cat, chair], TREE)[0] == 1
    everything = [
        OpenImagesTruth(each.boxes, each.labels, each.groups, None) for each in (cat, chair)
    ]
    # judged everywhere, the first chair is wrong and comes first: precision 1/2
    assert evaluate_open_images(results, everything, TREE)[0] == pytest.approx((1 + 1 + 0.5) / 3)


def test_groups_are_plain_objects_if_so_asked() -> None:
    group = OpenImagesTruth(boxes(CROWD), np.array([2]), np.array([True]), None)
    results = [[NOTHING, NOTHING, boxes([10, 30, 20, 40, 0.9])]]
    assert evaluate_open_images(results, [group], TREE)[0] == 1
    rules = OpenImagesRules(use_group_of=False)
    assert evaluate_open_images(results, [group], TREE, rules)[0] == 0


def test_without_detections_it_is_zero() -> None:
    assert evaluate_open_images([[NOTHING] * 3], [truth([1], boxes(A))], TREE)[0] == 0
