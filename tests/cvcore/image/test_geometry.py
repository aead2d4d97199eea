from __future__ import annotations

import numpy as np
import pytest

from cvcore.errors import ConfigError
from cvcore.image import (
    cutout,
    imcrop,
    imflip,
    imflip_,
    impad,
    impad_to_multiple,
    imrescale,
    imresize,
    imresize_like,
    imresize_to_multiple,
    rescale_size,
)

RAMP = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)


@pytest.mark.parametrize(
    ("old", "scale", "new"),
    [
        ((640, 426), (1333, 800), (1202, 800)),  # 800 / 426 = 1.8779 is less than 1333 / 640
        ((640, 426), (800, 1333), (1202, 800)),  # the pair's order does not matter
        ((1000, 100), (1333, 800), (1333, 133)),  # the long edge decides; 133.3
        ((5, 3), 0.5, (3, 2)),  # 2.5 and 1.5 go up
        ((5000, 1), (100, 50), (100, 1)),  # never less than a pixel
    ],
)
def test_rescaled_sizes(old: tuple[int, int], scale: object, new: tuple[int, int]) -> None:
    assert rescale_size(old, scale) == new


def test_rescale_size_tells_the_factor() -> None:
    assert rescale_size((200, 100), (400, 150), return_scale=True) == ((300, 150), 1.5)
    for bad in (-1, 0, "half"):
        with pytest.raises(ConfigError):
            rescale_size((200, 100), bad)


def test_imrescale_and_imresize_agree() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    rescaled, factor = imrescale(image, (45, 30), return_scale=True)
    assert factor == 1.5
    resized, width_factor, height_factor = imresize(image, (45, 30), return_scale=True)
    assert (width_factor, height_factor) == (1.5, 1.5)
    np.testing.assert_array_equal(rescaled, resized)
    np.testing.assert_array_equal(imresize_like(image, resized), resized)
    assert resized.flags.c_contiguous


def test_bilinear_takes_pixel_centres_at_half() -> None:
    # Doubling [0, 100]: places -0.25, 0.25, 0.75, 1.25, the outer ones held at the edge.
    row = np.array([[0, 100]], np.uint8)
    np.testing.assert_array_equal(imresize(row, (4, 1)), [[0, 25, 75, 100]])
    # Float32, one channel and six.
    np.testing.assert_allclose(imresize(row.astype(np.float32), (4, 1)), [[0, 25, 75, 100]])
    many = np.repeat(row[..., None], 6, axis=2)
    np.testing.assert_array_equal(imresize(many, (4, 1))[0, :, 5], [0, 25, 75, 100])


def test_nearest_keeps_labels_of_any_type() -> None:
    labels = np.array([[0, 70000]], np.int64)
    np.testing.assert_array_equal(
        imresize(labels, (4, 1), interpolation="nearest"), [[0, 0, 70000, 70000]]
    )
    flags = np.array([[True, False]])
    np.testing.assert_array_equal(imresize(flags, (4, 1), interpolation="nearest"), [[1, 1, 0, 0]])


def test_area_is_the_mean_of_what_a_pixel_covers() -> None:
    # Three pixels to two: each covers one and a half.
    row = np.array([[0.0, 90.0, 30.0]], np.float32)
    np.testing.assert_allclose(imresize(row, (2, 1), interpolation="area"), [[30, 50]], atol=1e-5)


def test_resizing_writes_to_out_and_copies_when_nothing_changes() -> None:
    out = np.empty((4, 8, 3), np.uint8)
    assert imresize(RAMP, (8, 4), out=out) is out
    same = imresize(RAMP, (4, 2))
    assert same is not RAMP
    np.testing.assert_array_equal(same, RAMP)


def test_read_only_and_flipped_views_resize_without_a_warning() -> None:
    frozen = RAMP.copy()
    frozen.flags.writeable = False
    np.testing.assert_array_equal(imresize(frozen, (8, 4)), imresize(RAMP, (8, 4)))
    np.testing.assert_array_equal(
        imresize(RAMP[:, ::-1], (8, 4)), imresize(np.ascontiguousarray(RAMP[:, ::-1]), (8, 4))
    )


def test_the_pillow_backend_antialiases() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (16, 8))
    assert imresize(stripes, (4, 4), backend="pillow").std() < 20
    with pytest.raises(ConfigError, match="uint8"):
        imresize(stripes.astype(np.float32), (4, 4), backend="pillow")


def test_options_that_do_not_exist_are_named() -> None:
    with pytest.raises(ConfigError, match="interpolation 'linear'"):
        imresize(RAMP, (8, 4), interpolation="linear")
    with pytest.raises(ConfigError, match="backend"):
        imresize(RAMP, (8, 4), backend="turbo")
    with pytest.raises(ConfigError, match="at least one pixel"):
        imresize(RAMP, (0, 4))


def test_resize_to_multiple_rounds_up() -> None:
    image = np.zeros((100, 150, 3), np.uint8)
    assert imresize_to_multiple(image, 32, size=(130, 65)).shape == (96, 160, 3)
    assert imresize_to_multiple(image, (16, 32), scale_factor=0.5).shape == (64, 80, 3)
    # 150 x 100 into 60 x 60 with the aspect kept is 60 x 40.
    assert imresize_to_multiple(image, 16, size=60, keep_ratio=True).shape == (48, 64, 3)
    with pytest.raises(ConfigError, match="either"):
        imresize_to_multiple(image, 32)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.bool_, np.uint16])
@pytest.mark.parametrize(
    ("direction", "axes"), [("horizontal", (1,)), ("vertical", (0,)), ("diagonal", (0, 1))]
)
def test_flips(direction: str, axes: tuple[int, ...], dtype: type) -> None:
    image = (RAMP % 5).astype(dtype)
    expected = np.flip(image, axes)
    flipped = imflip(image, direction)
    np.testing.assert_array_equal(flipped, expected)
    assert flipped.flags.c_contiguous
    in_place = image.copy()
    assert imflip_(in_place, direction) is in_place
    np.testing.assert_array_equal(in_place, expected)


def test_an_unknown_flip_is_named() -> None:
    with pytest.raises(ConfigError, match="sideways"):
        imflip(RAMP, "sideways")


def test_crops_include_both_ends_and_are_cut_at_the_border() -> None:
    image = np.arange(30).reshape(5, 6)
    np.testing.assert_array_equal(imcrop(image, np.array([1, 2, 3, 3])), image[2:4, 1:4])
    first, second = imcrop(image, np.array([[0, 0, 0, 0], [4, 3, 9, 9]]))
    assert first.tolist() == [[0]]
    np.testing.assert_array_equal(second, image[3:, 4:])


def test_crops_grow_about_their_centre_and_fill_what_is_outside() -> None:
    image = np.ones((4, 4, 3), np.uint8)
    # A 2 x 2 box doubled is 4 x 4: it reaches one pixel out on the upper left.
    patch = imcrop(image, np.array([0, 0, 1, 1]), scale=2, pad_fill=(7, 8, 9))
    assert patch.shape == (4, 4, 3)
    np.testing.assert_array_equal(patch[0, 0], [7, 8, 9])
    np.testing.assert_array_equal(patch[1:, 1:], 1)


def test_padding_to_a_shape_goes_right_and_below() -> None:
    padded = impad(RAMP, shape=(3, 6), pad_val=(1, 2, 3))
    np.testing.assert_array_equal(padded[:2, :4], RAMP)
    np.testing.assert_array_equal(padded[2], np.tile([1, 2, 3], (6, 1)))
    np.testing.assert_array_equal(padded[:, 4:], np.tile([1, 2, 3], (3, 2, 1)))
    assert impad(RAMP, shape=(1, 1)).shape == RAMP.shape


@pytest.mark.parametrize(
    ("padding", "shape"), [(2, (6, 8)), ((1, 2), (6, 6)), ((1, 2, 3, 4), (8, 8))]
)
def test_padding_by_sides(padding: object, shape: tuple[int, int]) -> None:
    assert impad(RAMP, padding=padding).shape[:2] == shape


def test_padding_modes_mirror_with_or_without_the_edge() -> None:
    row = np.array([[1, 2, 3]])
    sides = {"padding": (2, 0, 2, 0)}
    assert impad(row, **sides, padding_mode="edge").tolist() == [[1, 1, 1, 2, 3, 3, 3]]
    assert impad(row, **sides, padding_mode="reflect").tolist() == [[3, 2, 1, 2, 3, 2, 1]]
    assert impad(row, **sides, padding_mode="symmetric").tolist() == [[2, 1, 1, 2, 3, 3, 2]]


def test_padding_needs_one_instruction() -> None:
    for wrong in ({}, {"shape": (3, 3), "padding": 1}, {"padding": (1, 2, 3)}):
        with pytest.raises(ConfigError):
            impad(RAMP, **wrong)
    with pytest.raises(ConfigError, match="padding_mode"):
        impad(RAMP, padding=1, padding_mode="wrap")


def test_padding_to_a_multiple() -> None:
    assert impad_to_multiple(np.zeros((33, 64), np.uint8), 32, 9).shape == (64, 64)


def test_cutout_fills_a_rectangle_cut_at_the_border() -> None:
    image = np.ones((10, 12, 3), np.uint8)
    np.random.seed(0)
    for _ in range(20):
        holed = cutout(image, (4, 6), pad_val=(5, 6, 7))
        hole = np.argwhere(holed[..., 0] == 5)
        height, width = hole.max(0) - hole.min(0) + 1
        assert len(hole) == height * width
        assert height <= 4
        assert width <= 6
    assert image.min() == image.max() == 1
