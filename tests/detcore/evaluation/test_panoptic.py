from __future__ import annotations

import math

import numpy as np
import pytest

from detcore.errors import ShapeError
from detcore.evaluation.panoptic import PanopticTally, Segments


def picture(*rows: str) -> np.ndarray:
    """Digits as segment ids."""
    return np.array([[int(digit) for digit in row] for row in rows], dtype=np.int64)


def tally(found: Segments, truth: Segments, num_classes: int = 3) -> PanopticTally:
    counts = PanopticTally(num_classes)
    counts.add(found, truth)
    return counts


def test_a_case_counted_by_hand() -> None:
    # Class 0 has the true segments 1 (8 pixels) and 2 (4); class 1 has 3 (4).
    truth = Segments(
        picture("1111", "1111", "2222", "3333"),
        {1: 0, 2: 0, 3: 1},
    )
    # 5 covers six pixels of segment 1: IoU 6/8. 6 covers the other two and one of segment 2 is in
    # 7, of class 0, whose other three pixels are missing; 8 covers segment 3, with the wrong class.
    found = Segments(
        picture("5555", "5566", "7770", "8888"),
        {5: 0, 6: 0, 7: 0, 8: 2},
    )
    counts = tally(found, truth)
    assert counts.matched.tolist() == [2, 0, 0]  # 5 with 1 at 6/8, 7 with 2 at 3/4
    assert counts.iou.tolist() == pytest.approx([1.5, 0, 0])
    assert counts.false.tolist() == [1, 0, 1]
    assert counts.missed.tolist() == [0, 1, 0]
    # class 0: 1.5 / (2 + 1/2) = 0.6; classes 1 and 2: 0
    figures = counts.qualities()
    assert figures["PQ"] == pytest.approx(0.6 / 3)
    assert figures["SQ"] == pytest.approx(0.75 / 3)
    assert figures["RQ"] == pytest.approx(0.8 / 3)
    assert counts.qualities([0])["PQ"] == pytest.approx(0.6)


def test_half_is_not_enough_to_match() -> None:
    truth = Segments(picture("1111"), {1: 0})
    counts = tally(Segments(picture("5500"), {5: 0}), truth)  # IoU 2/4
    assert (counts.matched[0], counts.false[0], counts.missed[0]) == (0, 1, 1)


def test_void_pixels_count_neither_in_the_union_nor_against_a_segment() -> None:
    truth = Segments(picture("1100", "0000"), {1: 0})
    # 5 matches: 2 / (6 - 4 on void) = 1. 6 lies on void alone.
    found = Segments(picture("5555", "5566"), {5: 0, 6: 1})
    counts = tally(found, truth)
    assert counts.iou[0] == 1
    assert counts.false.tolist() == [0, 0, 0]


def test_a_crowd_is_neither_missed_nor_wrong() -> None:
    truth = Segments(picture("1111", "2222"), {1: 0, 2: 1}, crowd=frozenset({1}))
    counts = tally(Segments(picture("5566", "7777"), {5: 0, 6: 2, 7: 1}), truth)
    # 5 is of the crowd's class, 6 is not
    assert counts.false.tolist() == [0, 0, 1]
    assert counts.missed.tolist() == [0, 0, 0]
    assert counts.matched.tolist() == [0, 1, 0]


def test_classes_that_do_not_occur_are_left_out_of_the_mean() -> None:
    truth = Segments(picture("11"), {1: 0})
    counts = tally(Segments(picture("11"), {1: 0}), truth)
    assert counts.qualities() == {"PQ": 1, "SQ": 1, "RQ": 1}
    assert np.isnan(counts.per_class()[:, 1:]).all()
    assert all(math.isnan(value) for value in counts.qualities([1, 2]).values())


def test_the_truth_against_itself_is_perfect() -> None:
    draw = np.random.default_rng(0)
    ids = draw.integers(1, 9, (40, 60))
    truth = Segments(ids, {i: i % 3 for i in range(1, 9)})
    assert tally(truth, truth).qualities() == {"PQ": 1, "SQ": 1, "RQ": 1}


def test_maps_of_two_sizes_are_an_error() -> None:
    with pytest.raises(ShapeError, match=r"panoptic map of \(1, 2\) pixels"):
        tally(Segments(picture("11"), {1: 0}), Segments(picture("111"), {1: 0}))
