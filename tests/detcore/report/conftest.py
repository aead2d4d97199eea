"""A small evaluation with one mistake of every kind."""

from __future__ import annotations

import numpy as np
import pytest
from tests.detcore.report.examples import PlainDataset, image_of

from detcore.report.matching import ImageMatches, match_image
from detcore.report.objects import ImageObjects


@pytest.fixture
def every_mistake() -> ImageObjects:
    """Two classes; one detection of each verdict, in this order:

    hit, duplicate, localisation, class, both, background, ignored. Five objects: one hit, two
    meant by the localisation and the class error, one near the both error, one of class 1 alone.
    """
    return image_of(
        truths=[
            ([0, 0, 10, 10], 0),
            ([100, 0, 110, 10], 0),
            ([200, 0, 210, 10], 0),
            ([300, 0, 310, 10], 0),
            ([400, 0, 410, 10], 1),
        ],
        found=[
            ([0, 0, 10, 10], 0.95, 0),
            ([0, 0, 10, 9], 0.90, 0),  # IoU 0.9 with the object hit
            ([105, 0, 115, 10], 0.85, 0),  # IoU 50 / 150
            ([200, 0, 210, 10], 0.80, 1),
            ([305, 0, 315, 10], 0.75, 1),
            ([500, 0, 510, 10], 0.70, 0),
            ([602, 2, 608, 8], 0.65, 0),
        ],
        ignored=[[600, 0, 650, 50]],
    )


@pytest.fixture
def matched(every_mistake: ImageObjects) -> ImageMatches:
    return match_image(every_mistake)


@pytest.fixture
def plain() -> tuple[PlainDataset, list[list[np.ndarray]]]:
    """A cat found, a dog missed, an image with nothing there and a cat seen."""
    dataset = PlainDataset(
        [
            ("one.jpg", [[0, 0, 10, 10], [20, 20, 40, 40]], [0, 1]),
            ("two.jpg", [], []),
        ]
    )
    none = np.zeros((0, 5), dtype=np.float32)
    cat = np.array([[0, 0, 10, 10, 0.9]], dtype=np.float32)
    ghost = np.array([[5, 5, 30, 30, 0.4]], dtype=np.float32)
    return dataset, [[cat, none], [ghost, none]]
