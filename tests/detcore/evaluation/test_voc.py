from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from detcore.errors import OptionError
from detcore.evaluation import average_precision, eval_map, tpfp_default

OBJECT = [0.0, 0.0, 10.0, 10.0]


def truth(boxes: Any = (OBJECT,), labels: Any = (0,), **more: Any) -> dict[str, Any]:
    boxes = np.array(boxes, dtype=np.float32).reshape(-1, 4)
    return {"bboxes": boxes, "labels": np.array(labels, dtype=np.int64), **more}


def found(*rows: list[float]) -> np.ndarray:
    return np.array(rows, dtype=np.float32).reshape(-1, 5)


def test_the_area_under_the_curve_is_that_of_its_envelope() -> None:
    recalls, precisions = np.array([0.25, 0.5, 0.5, 0.75]), np.array([1, 0.5, 0.33, 0.6])
    # Steps of 0.25: precisions to the right are at most 1, 0.6 and 0.6.
    assert average_precision(recalls, precisions) == pytest.approx(0.25 * (1 + 0.6 + 0.6))
    # Recalls 0, 0.1, 0.2 see 1; 0.3 to 0.7 see 0.6; the other three see nothing.
    eleven = average_precision(recalls, precisions, "11points")
    assert eleven == pytest.approx((3 * 1 + 5 * 0.6) / 11)
    both = average_precision(np.stack([recalls] * 2), np.stack([precisions] * 2))
    assert both.shape == (2,)
    with pytest.raises(OptionError, match="mode='all'"):
        average_precision(recalls, precisions, "all")


def test_the_better_of_two_hits_counts_and_the_other_is_wrong() -> None:
    detections = found([0, 0, 10, 9, 0.5], [0, 0, 10, 10, 0.9], [50, 50, 60, 60, 0.7])
    hit, wrong = tpfp_default(detections, np.array([OBJECT]), iou_thr=0.5)
    assert hit.tolist() == [[0, 1, 0]]
    assert wrong.tolist() == [[1, 0, 1]]


def test_hits_of_ignored_objects_are_neither() -> None:
    detections = found([0, 0, 10, 10, 0.9], [20, 20, 30, 30, 0.8])
    ignored = np.array([[20.0, 20, 30, 30]])
    hit, wrong = tpfp_default(detections, np.array([OBJECT]), ignored)
    assert (hit.tolist(), wrong.tolist()) == ([[1, 0]], [[0, 0]])


def test_objects_of_another_size_are_ignored_and_misses_count_within_the_range() -> None:
    small, large = [0, 0, 10, 10], [20, 20, 60, 60]
    detections = found([*small, 0.9], [*large, 0.8], [70, 70, 80, 80, 0.7])
    hit, wrong = tpfp_default(
        detections, np.array([small, large]), area_ranges=[(0, 400), (400, 10000)]
    )
    assert hit.tolist() == [[1, 0, 0], [0, 1, 0]]
    assert wrong.tolist() == [[0, 0, 1], [0, 0, 0]]


def test_mean_over_the_classes_that_have_objects() -> None:
    annotations = [truth([OBJECT, OBJECT], [0, 1]), truth([OBJECT], [1])]
    results = [
        [found([*OBJECT, 0.9]), found([*OBJECT, 0.8]), found([*OBJECT, 0.7])],
        [found(), found(), found()],
    ]
    mean, per_class = eval_map(results, annotations, logger="silent")
    # Class 0: 1. Class 1: one of two objects, precision 1 up to recall 0.5. Class 2: no object.
    assert mean == pytest.approx((1 + 0.5) / 2)
    assert [figures["num_gts"] for figures in per_class] == [1, 2, 0]
    assert [figures["num_dets"] for figures in per_class] == [1, 1, 1]
    assert per_class[1]["recall"].tolist() == [0.5]


def test_voc07_takes_eleven_points() -> None:
    results = [[found([*OBJECT, 0.9])]]
    annotations = [truth([OBJECT, [50, 50, 60, 60]], [0, 0])]
    # Precision 1 at recalls up to 0.5: six of eleven points.
    by_mode, _ = eval_map(results, annotations, eval_mode="11points", logger="silent")
    assert by_mode == pytest.approx(6 / 11)
    by_area, _ = eval_map(results, annotations, logger="silent")
    assert by_area == pytest.approx(0.5)


def test_ignored_boxes_of_a_class_are_used_with_their_labels() -> None:
    ignored = np.array([[50, 50, 60, 60]], dtype=np.float32)
    results = [[found([*OBJECT, 0.5], [50, 50, 60, 60, 0.9])]]
    plain, _ = eval_map(results, [truth(bboxes_ignore=ignored)], logger="silent")
    assert plain == pytest.approx(0.5)  # without labels_ignore, the first detection is wrong
    labelled = truth(bboxes_ignore=ignored, labels_ignore=np.array([0]))
    assert eval_map(results, [labelled], logger="silent")[0] == pytest.approx(1.0)


def test_figures_may_be_split_by_size(capsys: pytest.CaptureFixture[str]) -> None:
    large = [20.0, 20.0, 80.0, 80.0]
    results = [[found([*OBJECT, 0.9])]]
    mean, per_class = eval_map(
        results,
        [truth([OBJECT, large], [0, 0])],
        scale_ranges=[(0, 32), (32, 100)],
        dataset=["cat"],
    )
    assert mean == [pytest.approx(1.0), 0.0]
    assert per_class[0]["num_gts"].tolist() == [1, 1]
    out = capsys.readouterr().out
    assert "sizes (0, 32)" in out
    assert "cat" in out


def test_nothing_found_and_nothing_there_is_zero() -> None:
    assert eval_map([[found()]], [truth((), ())], logger="silent")[0] == 0.0
    with pytest.raises(ValueError, match="1 results for 2 annotated images"):
        eval_map([[found()]], [truth()] * 2)
