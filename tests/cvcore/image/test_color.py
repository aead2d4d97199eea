from __future__ import annotations

import colorsys

import numpy as np
import pytest

from cvcore import image as I
from cvcore.errors import ConfigError

IMAGE = np.random.default_rng(0).integers(0, 256, (12, 15, 3), dtype=np.uint8)


def test_grey_is_the_weighted_sum_of_colours() -> None:
    # B, G, R = 10, 100, 200: 0.114 * 10 + 0.587 * 100 + 0.299 * 200 = 119.64
    pixel = np.array([[[10, 100, 200]]], np.uint8)
    assert I.bgr2gray(pixel).tolist() == [[120]]
    assert I.rgb2gray(pixel[..., ::-1], keepdim=True).shape == (1, 1, 1)
    np.testing.assert_allclose(I.bgr2gray(pixel.astype(np.float32)), [[119.64]], rtol=1e-6)
    assert I.gray2bgr(np.array([[7]], np.uint8)).tolist() == [[[7, 7, 7]]]


@pytest.mark.parametrize(
    ("bgr", "hsv"),
    [
        ((0, 0, 255), (0, 255, 255)),  # red
        ((0, 255, 0), (60, 255, 255)),  # green, 120 degrees in steps of two
        ((255, 0, 0), (120, 255, 255)),  # blue
        ((0, 128, 255), (15, 255, 255)),  # orange: 60 * 128 / 255 = 30 degrees
        ((90, 90, 90), (0, 0, 90)),  # grey has no hue
    ],
)
def test_hues_of_known_colours(bgr: tuple[int, ...], hsv: tuple[int, ...]) -> None:
    pixel = np.array([[bgr]], np.uint8)
    assert I.bgr2hsv(pixel)[0, 0].tolist() == list(hsv)
    assert np.abs(I.hsv2bgr(np.array([[hsv]], np.uint8)).astype(int) - pixel).max() <= 1


@pytest.mark.parametrize("scale", [1.0, 255.0])
def test_float_hsv_goes_back_whatever_the_range(scale: float) -> None:
    pixels = IMAGE.astype(np.float32) / 255 * scale
    np.testing.assert_allclose(I.hsv2bgr(I.bgr2hsv(pixels)), pixels, atol=1e-4 * scale)


def test_float_hls_goes_back() -> None:
    pixels = IMAGE.astype(np.float32) / 255
    np.testing.assert_allclose(I.hls2bgr(I.bgr2hls(pixels)), pixels, atol=1e-4)


def test_ycbcr_of_black_white_and_back() -> None:
    ends = np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)
    assert I.rgb2ycbcr(ends).tolist() == [[[16, 128, 128], [235, 128, 128]]]
    assert I.bgr2ycbcr(ends, y_only=True).tolist() == [[16, 235]]
    assert np.abs(I.ycbcr2bgr(I.bgr2ycbcr(IMAGE)).astype(int) - IMAGE).max() <= 2
    floats = IMAGE.astype(np.float32) / 255
    np.testing.assert_allclose(I.ycbcr2rgb(I.rgb2ycbcr(floats)), floats, atol=1e-5)


def test_imconvert_goes_by_way_of_bgr() -> None:
    np.testing.assert_array_equal(I.imconvert(IMAGE, "rgb", "hsv"), I.bgr2hsv(IMAGE[..., ::-1]))
    np.testing.assert_array_equal(I.imconvert(IMAGE, "bgr", "bgr"), IMAGE)
    with pytest.raises(ConfigError, match="lab"):
        I.imconvert(IMAGE, "bgr", "lab")


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_normalising_subtracts_divides_and_turns_the_channels(dtype: type) -> None:
    mean, std = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
    expected = (IMAGE[..., ::-1].astype(np.float64) - mean) / std
    normalized = I.imnormalize(IMAGE.astype(dtype), mean, std, to_rgb=True)
    assert normalized.dtype == np.float32
    np.testing.assert_allclose(normalized, expected, atol=1e-6)
    straight = I.imnormalize(IMAGE.astype(dtype), mean, std, to_rgb=False)
    np.testing.assert_allclose(straight, (IMAGE.astype(np.float64) - mean) / std, atol=1e-6)
    np.testing.assert_allclose(
        I.imdenormalize(normalized, mean, std, to_bgr=True), IMAGE, atol=1e-3
    )


def test_normalising_in_place_and_one_channel() -> None:
    image = IMAGE.astype(np.float32)
    expected = I.imnormalize(IMAGE, [1, 2, 3], [4, 5, 6])
    assert I.imnormalize_(image, [1, 2, 3], [4, 5, 6]) is image
    np.testing.assert_allclose(image, expected, atol=1e-5)
    with pytest.raises(ConfigError, match="float32"):
        I.imnormalize_(IMAGE.copy(), [1, 2, 3], [4, 5, 6])
    grey = I.imnormalize(IMAGE[..., 0], [10], [2], to_rgb=False)
    np.testing.assert_allclose(grey, (IMAGE[..., 0] - 10.0) / 2)


def test_inverting() -> None:
    np.testing.assert_array_equal(I.iminvert(IMAGE), 255 - IMAGE)


def test_tensors_become_images_again() -> None:
    import torch

    mean, std = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
    batch = torch.from_numpy(I.imnormalize(IMAGE, mean, std)).permute(2, 0, 1)[None]
    (back,) = I.tensor2imgs(batch, mean, std)
    assert np.abs(back.astype(int) - IMAGE).max() <= 1  # truncated, as the contract has it
    assert back.flags.c_contiguous
    with pytest.raises(ConfigError):
        I.tensor2imgs(batch[:, :2])
    with pytest.raises(ConfigError, match="one channel"):
        I.tensor2imgs(batch[:, :1])
    assert I.tensor2imgs(torch.full((2, 1, 3, 4), 300.0), to_rgb=False)[1].max() == 255


PIXELS = np.random.default_rng(5).random((40, 3)).astype(np.float32)


def test_hue_saturation_value_are_those_of_the_standard_library() -> None:
    expected = np.array([colorsys.rgb_to_hsv(*map(float, pixel)) for pixel in PIXELS])
    expected[:, 0] *= 360
    bgr = np.ascontiguousarray(PIXELS[None, :, ::-1])
    np.testing.assert_allclose(I.bgr2hsv(bgr)[0], expected, atol=1e-3)
    np.testing.assert_allclose(I.hsv2bgr(expected[None].astype(np.float32)), bgr, atol=1e-5)


def test_hue_lightness_saturation_are_those_of_the_standard_library() -> None:
    expected = np.array([colorsys.rgb_to_hls(*map(float, pixel)) for pixel in PIXELS])
    expected[:, 0] *= 360
    bgr = np.ascontiguousarray(PIXELS[None, :, ::-1])
    np.testing.assert_allclose(I.bgr2hls(bgr)[0], expected, atol=1e-3)
    np.testing.assert_allclose(I.hls2bgr(expected[None].astype(np.float32)), bgr, atol=1e-5)


def test_exchanging_red_and_blue_twice_changes_nothing() -> None:
    image = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)  # a fourth channel stays
    swapped = I.bgr2rgb(image)
    np.testing.assert_array_equal(swapped, image[..., [2, 1, 0, 3]])
    np.testing.assert_array_equal(I.rgb2bgr(swapped), image)
    assert swapped.flags["C_CONTIGUOUS"]
    np.testing.assert_array_equal(I.gray2rgb(image[..., 0])[..., 2], image[..., 0])


@pytest.mark.parametrize("convert", [I.rgb2ycbcr, I.ycbcr2rgb])
def test_ycbcr_follows_the_equations_of_bt_601(convert: object) -> None:
    # Y is 16 + 65.481 R + 128.553 G + 24.966 B for values of 0 to 1; Cb and Cr are the colour
    # differences B - Y' and R - Y', 224 wide about 128.
    image = np.random.default_rng(2).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    luma = image @ np.array([0.299, 0.587, 0.114])
    y = 16 + luma * 219 / 255
    cb = 128 + (image[..., 2] - luma) / (2 * (1 - 0.114)) * 224 / 255
    cr = 128 + (image[..., 0] - luma) / (2 * (1 - 0.299)) * 224 / 255
    ycbcr = np.stack((y, cb, cr), axis=2)
    if convert is I.rgb2ycbcr:
        assert np.abs(convert(image) - ycbcr).max() < 0.6  # half a level, and digits of the table
    else:
        unit = (ycbcr / 255).astype(np.float32)
        assert np.abs(convert(unit) * 255 - image).max() < 0.1
