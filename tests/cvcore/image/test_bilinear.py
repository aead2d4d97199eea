from __future__ import annotations

import numpy as np
import pytest

from cvcore.image.bilinear import resize_bilinear_uint8


def test_weights_have_eleven_bits_and_every_pass_cuts_off() -> None:
    img = np.array([[10, 201]], dtype=np.uint8)
    # Centres at (i + 0.5) * 2 / 3 - 0.5 = -1/6, 1/2, 7/6: the ends take their pixel alone. In the
    # middle (10 + 201) * 1024 = 216064, over 16 is 13504; the one row counts twice, with weights
    # 2048 and 0: 13504 * 2048 / 65536 = 422, and (422 + 2) / 4 = 106.
    assert resize_bilinear_uint8(img, (3, 1)).tolist() == [[10, 106, 201]]


def test_rows_above_the_first_centre_are_cut_off_once_for_each_half() -> None:
    # One row onto two: the first lies a quarter above, so that the row counts 512 and 1536 times.
    img = np.array([[201]], dtype=np.uint8)
    # 201 * 2048 / 16 = 25728; over 65536 times 512 is 201, times 1536 is 603: (804 + 2) / 4 = 201.
    assert resize_bilinear_uint8(img, (1, 2)).tolist() == [[201], [201]]


def test_half_the_size_is_the_rounded_mean_of_four() -> None:
    img = np.array([[1, 2, 0, 0], [3, 4, 0, 1]], dtype=np.uint8)
    assert resize_bilinear_uint8(img, (2, 1)).tolist() == [[3, 0]]  # 10 / 4 = 2.5 and 0.25


@pytest.mark.parametrize("size", [(31, 70), (90, 50), (7, 5)])
@pytest.mark.parametrize("channels", [(), (1,), (3,), (5,)])
def test_it_is_within_a_grey_level_of_real_numbers(
    size: tuple[int, int], channels: tuple[int, ...]
) -> None:
    img = np.random.default_rng(0).integers(0, 256, (40, 60, *channels), dtype=np.uint8)
    expected = img.astype(float)
    for axis, length in ((0, size[1]), (1, size[0])):
        old = img.shape[axis]
        centre = np.clip((np.arange(length) + 0.5) * old / length - 0.5, 0, old - 1)
        near = np.floor(centre).astype(int)
        far = np.minimum(near + 1, old - 1)
        way = (centre - near).reshape([-1 if i == axis else 1 for i in range(img.ndim)])
        expected = expected.take(near, axis) * (1 - way) + expected.take(far, axis) * way
    resized = resize_bilinear_uint8(img, size)
    assert resized.shape == (size[1], size[0], *channels)
    assert resized.dtype == np.uint8
    assert np.abs(resized - expected).max() <= 1


@pytest.mark.parametrize("channels", [(), (1,), (2,), (3,), (4,), (5,)])
def test_channels_are_resized_as_if_each_were_alone(channels: tuple[int, ...]) -> None:
    draw = np.random.default_rng(0)
    for height, width, new_height, new_width in draw.integers(1, 60, (20, 4)).tolist():
        img = draw.integers(0, 256, (height, width, *channels), dtype=np.uint8)
        resized = resize_bilinear_uint8(img, (new_width, new_height))
        alone = [
            resize_bilinear_uint8(np.ascontiguousarray(each), (new_width, new_height))
            for each in np.moveaxis(img.reshape(height, width, -1), -1, 0)
        ]
        expected = np.stack(alone, axis=-1).reshape(resized.shape)
        np.testing.assert_array_equal(resized, expected)


def test_mirrored_views_are_resized_like_copies() -> None:
    img = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    view = img[::-1, ::-1, ::-1]
    expected = resize_bilinear_uint8(view.copy(), (41, 53))
    np.testing.assert_array_equal(resize_bilinear_uint8(view, (41, 53)), expected)
