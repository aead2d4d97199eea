"""How far results are apart."""

from __future__ import annotations

import numpy as np

from detcore.export.verify import compare


def result(*rows: tuple[int, float, float]) -> list[np.ndarray]:
    """Boxes of two classes from (class, left side, score); every box is ten pixels wide."""
    boxes = [
        [(left, 0, left + 10, 10, score) for label, left, score in rows if label == each]
        for each in range(2)
    ]
    return [np.array(part, dtype=np.float32).reshape(-1, 5) for part in boxes]


def test_equal_results_do_not_differ() -> None:
    one = result((0, 5, 0.9), (1, 5, 0.8), (1, 50, 0.2))
    differences = compare([one], [one])
    assert (differences.count, differences.agreeing, differences.box) == (2, 2, 0)
    assert differences.agree
    assert str(differences).startswith("2 of 2 detections above 0.3 agree")


def test_detections_are_held_against_the_nearest_of_their_class() -> None:
    expected = result((0, 5, 0.9), (0, 50, 0.8), (1, 5, 0.7))
    found = result((0, 50.05, 0.8), (0, 5.2, 0.9), (1, 5, 0.75))
    differences = compare([expected], [found])
    # The first is 0.2 pixels off, the second 0.05, and the third scores 0.05 more.
    assert differences.agreeing == 1
    assert abs(differences.box - 0.2) < 1e-4
    assert abs(differences.score - 0.05) < 1e-4
    assert not differences.agree


def test_a_detection_of_another_class_is_none() -> None:
    differences = compare([result((0, 5, 0.9))], [result((1, 5, 0.9))])
    assert (differences.count, differences.agreeing) == (1, 0)


def test_faint_detections_count_where_there_are_no_others() -> None:
    faint = result((0, 5, 0.2))
    differences = compare([faint], [faint])
    assert (differences.count, differences.score_thr) == (1, 0.0)
    nothing = compare([result()], [result()])
    assert nothing.count == 0
    assert nothing.agree


def test_masks_that_differ_in_more_than_one_pixel_of_a_hundred_do_not_agree() -> None:
    mask = np.zeros((20, 20), dtype=bool)
    mask[:10] = True  # 200 pixels
    for changed, agreeing in ((2, 1), (3, 0)):
        other = mask.copy()
        other[15, :changed] = True
        boxes = result((0, 5, 0.9))
        differences = compare([(boxes, [[mask], []])], [(boxes, [[other], []])])
        assert differences.agreeing == agreeing
        assert differences.mask == changed / 200
