"""Which detections hit, and what is wrong with those that do not."""

from __future__ import annotations

import numpy as np
from tests.detcore.report.examples import image_of

from detcore.report.matching import ImageMatches, Verdict, match_image


def test_each_kind_of_mistake_is_told_from_the_others(matched: ImageMatches) -> None:
    assert [Verdict(value) for value in matched.verdicts] == [
        Verdict.HIT,
        Verdict.DUPLICATE,
        Verdict.LOCALISATION,
        Verdict.CLASS,
        Verdict.BOTH,
        Verdict.BACKGROUND,
        Verdict.IGNORED,
    ]


def test_hits_class_and_place_errors_name_their_object(matched: ImageMatches) -> None:
    assert matched.targets.tolist() == [0, -1, 1, 2, -1, -1, -1]
    assert matched.hit_by.tolist() == [0, -1, -1, -1, -1]


def test_the_surest_takes_the_object_and_the_next_the_free_one() -> None:
    """Both detections overlap the left object most; the second may have the right one."""
    image = image_of(
        truths=[([0, 0, 10, 10], 0), ([3, 0, 13, 10], 0)],
        found=[([0, 0, 10, 10], 0.9, 0), ([1, 0, 11, 10], 0.8, 0)],
    )
    match = match_image(image)
    assert match.targets.tolist() == [0, 1]  # IoU of the second pair: 80 / 120


def test_an_image_without_objects_has_only_background() -> None:
    match = match_image(image_of([], [([0, 0, 5, 5], 0.9, 1)]))
    assert match.verdicts.tolist() == [Verdict.BACKGROUND]
    assert match.hit_by.shape == (0,)


def test_an_image_without_detections_has_only_objects() -> None:
    match = match_image(image_of([([0, 0, 5, 5], 0)], []))
    assert match.verdicts.shape == (0,)
    assert np.array_equal(match.hit_by, [-1])
