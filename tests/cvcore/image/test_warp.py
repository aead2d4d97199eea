from __future__ import annotations

import numpy as np
import pytest

from cvcore.errors import ConfigError
from cvcore.image import imrotate, imshear, imtranslate, warp_affine

IMAGE = np.random.default_rng(0).integers(0, 256, (9, 11, 3), dtype=np.uint8)


def test_a_quarter_turn_clockwise_is_a_turn_of_the_array() -> None:
    square = IMAGE[:9, :9]
    np.testing.assert_array_equal(imrotate(square, 90), np.rot90(square, -1))
    np.testing.assert_array_equal(imrotate(IMAGE, 90, auto_bound=True), np.rot90(IMAGE, -1))


def test_whole_shifts_move_pixels_and_fill_behind_them() -> None:
    moved = imtranslate(IMAGE, 3, border_value=(1, 2, 3))
    np.testing.assert_array_equal(moved[:, 3:], IMAGE[:, :-3])
    np.testing.assert_array_equal(moved[:, :3], np.tile([1, 2, 3], (9, 3, 1)))
    np.testing.assert_array_equal(imtranslate(IMAGE, -2, "vertical")[:-2], IMAGE[2:])


def test_a_shear_of_one_moves_row_y_by_y() -> None:
    sheared = imshear(IMAGE, 1)
    for row in range(9):
        np.testing.assert_array_equal(sheared[row, row:], IMAGE[row, : 11 - row])
        assert not sheared[row, :row].any()


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_the_identity_changes_nothing(interpolation: str, dtype: type) -> None:
    image = IMAGE[..., 0].astype(dtype)
    same = warp_affine(image, np.eye(2, 3), (11, 9), interpolation=interpolation)
    assert same.dtype == dtype
    np.testing.assert_allclose(same, image, atol=2e-3)


def test_nearest_makes_no_new_labels() -> None:
    labels = np.array([[0, 9], [200, 17]], np.uint8).repeat(6, 0).repeat(6, 1)
    turned = imrotate(labels, 33, border_value=255, interpolation="nearest")
    assert set(np.unique(turned)) <= {0, 9, 200, 17, 255}


def test_choices_that_do_not_exist_are_named() -> None:
    with pytest.raises(ConfigError, match="direction"):
        imshear(IMAGE, 0.1, "diagonal")
    with pytest.raises(ConfigError, match="interpolation"):
        imrotate(IMAGE, 10, interpolation="lanczos")
    with pytest.raises(ConfigError, match="border_mode"):
        imrotate(IMAGE, 10, border_mode="transparent")
    with pytest.raises(ConfigError, match="auto_bound"):
        imrotate(IMAGE, 10, center=(1, 1), auto_bound=True)
    with pytest.raises(ConfigError, match="flattens"):
        warp_affine(IMAGE, np.zeros((2, 3)), (5, 5))
