from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps

from cvcore import image as I
from cvcore.errors import ConfigError

IMAGE = np.random.default_rng(0).integers(20, 200, (12, 15, 3), dtype=np.uint8)


def test_brightness_multiplies_and_saturates() -> None:
    values = np.array([[0, 100, 201]], np.uint8)
    # 150 and 301.5, cut at 255; 50 and 100.5, rounded down.
    assert I.adjust_brightness(values, 1.5).tolist() == [[0, 150, 255]]
    assert I.adjust_brightness(values, 0.5).tolist() == [[0, 50, 100]]
    assert I.adjust_brightness(values.astype(np.float32), 0.5).tolist() == [[0, 50, 100.5]]


def test_contrast_moves_away_from_the_mean_grey() -> None:
    image = np.array([[[50] * 3, [150] * 3]], np.uint8)  # mean 100
    assert I.adjust_contrast(image, 1.5)[0, :, 0].tolist() == [25, 175]
    assert I.adjust_contrast(image, 0)[0, :, 0].tolist() == [100, 100]


def test_colour_from_grey_to_itself() -> None:
    grey = I.gray2bgr(I.bgr2gray(IMAGE))
    np.testing.assert_array_equal(I.adjust_color(IMAGE, 0), grey)
    np.testing.assert_array_equal(I.adjust_color(IMAGE, 1), IMAGE)
    brighter = I.adjust_color(IMAGE, 1, 0, gamma=10)
    np.testing.assert_array_equal(brighter, IMAGE + 10)
    assert I.adjust_color(IMAGE.astype(np.float32), 3).max() <= 255


def test_sharpness_of_a_dot() -> None:
    dot = np.zeros((5, 5), np.uint8)
    dot[2, 2] = 130
    smooth = I.adjust_sharpness(dot, 0)
    assert smooth[2, 2] == 50  # 130 * 5 / 13
    assert smooth[1, 1] == smooth[2, 3] == 10  # 130 / 13
    np.testing.assert_array_equal(I.adjust_sharpness(dot, 1), dot)
    assert I.adjust_sharpness(dot, 1.5)[2, 2] == 170  # 130 + 0.5 * (130 - 50)


def test_lighting_shifts_along_the_eigenvectors() -> None:
    eigval, eigvec = [1.0, 2.0, 3.0], np.eye(3)
    np.random.seed(0)
    alpha = np.random.normal(0, 10, 3)
    np.random.seed(0)
    shifted = I.adjust_lighting(IMAGE, eigval, eigvec, alphastd=10)
    expected = np.clip(IMAGE[..., ::-1] + alpha * eigval, 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(shifted, expected)
    assert I.adjust_lighting(IMAGE, eigval, eigvec, 0.0, to_rgb=False).tolist() == IMAGE.tolist()


def test_hue_turns_colours_and_leaves_greys() -> None:
    red = np.array([[[250, 0, 0], [90, 90, 90]]], np.uint8)
    turned = I.adjust_hue(red, 1 / 3)[0]  # a third of the circle: green
    assert turned[0].argmax() == 1
    assert turned[1].tolist() == [90, 90, 90]
    with pytest.raises(ConfigError, match=r"not 0\.7"):
        I.adjust_hue(red, 0.7)


def test_equalising_is_pillows() -> None:
    pillow = np.asarray(ImageOps.equalize(Image.fromarray(IMAGE)))
    np.testing.assert_array_equal(I.imequalize(IMAGE), pillow)
    flat = np.full((3, 3), 7, np.uint8)
    np.testing.assert_array_equal(I.imequalize(flat), flat)


@pytest.mark.parametrize("cutoff", [0, 5, (2, 10)])
def test_auto_contrast_is_pillows(cutoff: object) -> None:
    # One percent of 300 pixels is a whole number, so that both cut alike.
    image = np.random.default_rng(1).integers(20, 200, (15, 20, 3), dtype=np.uint8)
    pillow = np.asarray(ImageOps.autocontrast(Image.fromarray(image), cutoff))
    assert np.abs(I.auto_contrast(image, cutoff).astype(int) - pillow).max() <= 1
    flat = np.full((3, 3, 3), 7, np.uint8)
    np.testing.assert_array_equal(I.auto_contrast(flat), flat)


def test_posterize_solarize_and_tables() -> None:
    values = np.array([[0, 100, 200, 255]], np.uint8)
    assert I.posterize(values, 2).tolist() == [[0, 64, 192, 192]]
    assert I.solarize(values, 128).tolist() == [[0, 100, 55, 0]]
    table = np.arange(256)[::-1] * 2
    assert I.lut_transform(values, table).tolist() == [[510, 310, 110, 0]]
    with pytest.raises(ConfigError, match="uint8"):
        I.lut_transform(values.astype(int), table)


def test_clahe_takes_one_grey_channel() -> None:
    with pytest.raises(ConfigError, match="clahe"):
        I.clahe(IMAGE)
