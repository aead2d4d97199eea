from __future__ import annotations

import numpy as np
import pytest

from detcore.evaluation.cityscapes import CityscapesTally, FoundInstances

CAR = 26


def scene() -> np.ndarray:
    """60 x 100: two cars of 20 x 20, a row of cars, void, and a car of nine pixels."""
    ids = np.full((60, 100), 7)  # road
    ids[0:20, 0:20] = CAR * 1000
    ids[0:20, 40:60] = CAR * 1000 + 1
    ids[40:60, 0:40] = CAR  # instances that nobody told apart
    ids[40:60, 60:80] = 0  # void
    ids[30:33, 90:93] = CAR * 1000 + 2
    return ids


def mask(top: int, left: int, height: int = 20, width: int = 20) -> np.ndarray:
    found = np.zeros((60, 100), dtype=bool)
    found[top : top + height, left : left + width] = True
    return found


def precisions(*found: tuple[float, np.ndarray]) -> np.ndarray:
    tally = CityscapesTally([CAR])
    scores = np.array([score for score, _ in found])
    masks = np.array([each for _, each in found]).reshape(-1, 60, 100)
    tally.add([FoundInstances(scores, masks)], scene())
    return tally.average_precisions()[0]


def test_all_found_is_one_and_nothing_found_is_zero() -> None:
    assert precisions((0.9, mask(0, 0)), (0.8, mask(0, 40))).tolist() == pytest.approx([1] * 10)
    assert precisions().tolist() == [0] * 10


def test_a_mask_beside_lowers_the_area_under_the_curve() -> None:
    figures = precisions((0.9, mask(20, 60)), (0.8, mask(0, 0)))
    # From the lowest score up: precision 1/2, 0, and 1 at the end; recall 1/2, 0, 0.
    # Midpoint rule: 1/2 * (1/2 - 0) / 2 = 1/8, then 0 * 1/4, then 1 * 0.
    assert figures.tolist() == pytest.approx([0.125] * 10)


def test_the_best_of_two_masks_on_one_car_is_right() -> None:
    figures = precisions((0.9, mask(0, 0)), (0.7, mask(0, 0)), (0.8, mask(0, 40)))
    # precision 2/3, 1, 1, 1 and recall 1, 1, 1/2, 0: 0 + 1/4 + 1/2 + 1/4
    assert figures[0] == pytest.approx(1.0)


def test_void_groups_and_tiny_cars_excuse_a_mask() -> None:
    good = ((0.5, mask(0, 0)), (0.4, mask(0, 40)))
    excused = ((0.9, mask(40, 0)), (0.9, mask(40, 60)), (0.9, mask(30, 90, 3, 3)))
    assert precisions(*good, *excused)[0] == pytest.approx(1)
    # Six tenths on void: excused at 0.5 and 0.55 only (0.6 is not above 0.6).
    figures = precisions(*good, (0.9, mask(40, 52)))
    assert figures[:2].tolist() == pytest.approx([1, 1])
    assert (figures[2:] < 0.9).all()


def test_the_overlap_has_to_exceed_the_threshold() -> None:
    figures = precisions((0.9, mask(0, 0, 20, 13)), (0.8, mask(0, 40)))
    # IoU 13/20 = 0.65: right below it, and from there on one of two is found, after a wrong one
    assert figures[:3].tolist() == pytest.approx([1, 1, 1])
    assert (figures[4:] < 0.2).all()


def test_a_class_without_instances_has_no_figure() -> None:
    tally = CityscapesTally([24])
    nothing = FoundInstances(np.zeros(0), np.zeros((0, 60, 100), dtype=bool))
    tally.add([nothing], scene())
    assert np.isnan(tally.average_precisions()).all()
