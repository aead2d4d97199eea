from __future__ import annotations

import numpy as np
import pytest

from cvcore.errors import ConfigError
from cvcore.image import class_color, draw_instances

BLACK = np.zeros((120, 160, 3), np.uint8)
RED = [(255, 0, 0)]


def test_box_and_mask_have_the_class_colour_and_the_picture_stays() -> None:
    mask = np.zeros((1, 120, 160), bool)
    mask[0, 50:80, 40:70] = True
    drawn = draw_instances(
        BLACK, np.array([[30.0, 40, 90, 100]]), np.array([0]), masks=mask, palette=RED
    )
    assert drawn[100, 60].tolist() == [0, 0, 255]  # the lower edge, BGR
    assert drawn[60, 50].tolist() == [0, 0, 115]  # 0.45 of 255 inside the mask, plus a half
    assert drawn[50, 50].tolist() == [0, 0, 255]  # the mask's outline
    assert drawn[95, 85].tolist() == [0, 0, 0]
    assert not BLACK.any()


def test_masks_are_painted_within_their_box_only() -> None:
    mask = np.ones((1, 120, 160), bool)
    drawn = draw_instances(
        BLACK, np.array([[30, 40, 50, 60]]), np.array([0]), masks=mask, palette=RED
    )
    assert not drawn[100:, 100:].any()


def test_masks_alone_need_no_box() -> None:
    masks = np.zeros((2, 120, 160), bool)
    masks[0, 100:110, 100:110] = True
    drawn = draw_instances(BLACK, None, np.array([0, 0]), masks=masks, palette=RED)
    assert drawn[105, 105].any()


@pytest.mark.parametrize("box", [(-50, -50, -10, -10), (150, 0, 400, 30), (0, 110, 159, 119)])
def test_captions_stay_inside_the_picture(box: tuple[int, ...]) -> None:
    drawn = draw_instances(
        BLACK,
        np.array([box], float),
        np.array([0]),
        scores=np.array([0.5]),
        class_names=["cat"],
        palette=[(10, 250, 10)],
    )
    ground = (drawn == [10, 250, 10]).all(-1)
    rows, columns = np.flatnonzero(ground.any(1)), np.flatnonzero(ground.any(0))
    # A caption is wide and dark letters stand on it.
    assert len(rows) >= 9
    assert len(columns) >= 30
    assert drawn[rows[0] : rows[-1], columns[0] : columns[-1]].max(-1).min() < 80


def test_tiny_pictures_grey_ones_and_no_instances_are_drawn() -> None:
    tiny = draw_instances(BLACK[:2, :2], np.array([[0, 0, 1, 1.0]]), np.array([3]))
    assert tiny.shape == (2, 2, 3)
    grey = draw_instances(np.full((30, 30), 9, np.uint8), np.zeros((0, 4)), np.zeros(0, int))
    assert (grey == 9).all()
    assert grey.shape == (30, 30, 3)


def test_a_box_that_is_not_finite_or_turned_round_draws_without_an_error() -> None:
    boxes = np.array([[90, 90, 20, 20.0], [5, 5, 20, 20]])
    drawn = draw_instances(BLACK, boxes, np.array([0, 0]), palette=RED)
    assert drawn[20, 50].tolist() == [0, 0, 255]


def test_counts_must_agree() -> None:
    with pytest.raises(ConfigError, match="2 boxes for 1 labels"):
        draw_instances(BLACK, np.zeros((2, 4)), np.zeros(1, int))


def test_eighty_classes_have_eighty_colours() -> None:
    colors = {class_color(index) for index in range(80)}
    assert len(colors) == 80
    neighbours = [np.abs(np.subtract(class_color(i), class_color(i + 1))).sum() for i in range(79)]
    assert min(neighbours) > 100
