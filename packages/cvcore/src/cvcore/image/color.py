"""Colour spaces and normalisation; values and roundings are OpenCV's.

uint8 images have 0 to 255 in every channel, but hue 0 to 179. float32 images are 0 to 1 (hue 0 to
360), and functions that are linear take any range.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cvcore.errors import ConfigError
from cvcore.image.codec import swap_red_and_blue

_STRIP = 32  # rows normalised at once, so that they stay in the processor's cache

# Luma of ITU-R BT.601, in 1 / 2**15 for uint8.
_RED, _GREEN, _BLUE = 0.299, 0.587, 0.114
_RED_FIXED, _GREEN_FIXED, _BLUE_FIXED = 9798, 19235, 3735

# Rows R, G, B; columns Y, Cb, Cr, for values of 0 to 255 (ITU-R BT.601, studio range).
_YCBCR = np.array([[65.481, -37.797, 112.0], [128.553, -74.203, -93.786], [24.966, 112.0, -18.214]])
_YCBCR_SHIFT = np.array([16.0, 128.0, 128.0])


def _float(img: np.ndarray) -> np.ndarray:
    if img.dtype == np.uint8:
        return img.astype(np.float32)
    if img.dtype == np.float32:
        return img
    raise ConfigError(f"colour conversion takes a uint8 or float32 image, not {img.dtype}")


def _luma(blue: np.ndarray, green: np.ndarray, red: np.ndarray) -> np.ndarray:
    if blue.dtype == np.uint8:
        total = red.astype(np.int32) * _RED_FIXED
        total += green.astype(np.int32) * _GREEN_FIXED
        total += blue.astype(np.int32) * _BLUE_FIXED
        total += 1 << 14
        return (total >> 15).astype(np.uint8)
    weights = np.array([_RED, _GREEN, _BLUE], dtype=blue.dtype)
    return red * weights[0] + green * weights[1] + blue * weights[2]


def bgr2gray(img: np.ndarray, keepdim: bool = False) -> np.ndarray:
    """(h, w, 3) BGR to grey (h, w), or (h, w, 1) with ``keepdim``."""
    grey = _luma(img[..., 0], img[..., 1], img[..., 2])
    return grey[..., None] if keepdim else grey


def rgb2gray(img: np.ndarray, keepdim: bool = False) -> np.ndarray:
    """(h, w, 3) RGB to grey (h, w), or (h, w, 1) with ``keepdim``."""
    grey = _luma(img[..., 2], img[..., 1], img[..., 0])
    return grey[..., None] if keepdim else grey


def gray2bgr(img: np.ndarray) -> np.ndarray:
    """Grey (h, w) or (h, w, 1) to three equal channels."""
    grey = img[..., None] if img.ndim == 2 else img
    return np.repeat(grey, 3, axis=2)


gray2rgb = gray2bgr


def bgr2rgb(img: np.ndarray) -> np.ndarray:
    """Exchange the first and third channel."""
    return swap_red_and_blue(img)


rgb2bgr = bgr2rgb


def bgr2hsv(img: np.ndarray) -> np.ndarray:
    """BGR to hue, saturation, value."""
    pixels = _float(img)
    blue, green, red = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    value = np.maximum(np.maximum(blue, green), red)
    chroma = value - np.minimum(np.minimum(blue, green), red)
    hsv = np.empty_like(pixels)
    hsv[..., 0] = _hue(blue, green, red, value, chroma)
    tiny = np.finfo(np.float32).eps
    hsv[..., 1] = chroma / (np.abs(value) + tiny)
    hsv[..., 2] = value
    if img.dtype == np.uint8:
        return _hue_based_to_uint8(hsv, (1,))
    return hsv


def _hue(
    blue: np.ndarray, green: np.ndarray, red: np.ndarray, top: np.ndarray, chroma: np.ndarray
) -> np.ndarray:
    """Degrees, 0 to 360; ``top`` is the largest channel."""
    per_chroma = np.float32(60) / (chroma + np.finfo(np.float32).eps)
    is_red, is_green = top == red, top == green
    difference = np.where(is_red, green - blue, np.where(is_green, blue - red, red - green))
    shift = np.where(is_red, np.float32(0), np.where(is_green, np.float32(120), np.float32(240)))
    hue = difference * per_chroma + shift
    return np.where(hue < 0, hue + np.float32(360), hue)


def _hue_based_to_uint8(pixels: np.ndarray, unit_channels: Sequence[int]) -> np.ndarray:
    """Hue halved to fit, ``unit_channels`` from 0..1 to 0..255; in place, then rounded."""
    pixels[..., 0] *= 0.5
    for channel in unit_channels:
        pixels[..., channel] *= 255
    rounded = np.rint(pixels)
    rounded[..., 0] %= 180
    return np.clip(rounded, 0, 255).astype(np.uint8)


def hsv2bgr(img: np.ndarray) -> np.ndarray:
    """Hue, saturation, value to BGR."""
    pixels = _float(img)
    hue, saturation, value = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    if img.dtype == np.uint8:
        hue, saturation = hue * np.float32(2), saturation / np.float32(255)
    bgr = np.empty_like(pixels)
    # Each channel is the value less a trapezoid of the hue, so no case by sector is needed.
    sector = hue / np.float32(60)
    chroma = value * saturation
    for channel, turn in ((0, 1), (1, 3), (2, 5)):
        place = np.mod(sector + np.float32(turn), np.float32(6))
        ramp = np.clip(np.minimum(place, 4 - place), 0, 1)
        bgr[..., channel] = value - chroma * ramp
    return _rounded(bgr) if img.dtype == np.uint8 else bgr


def _rounded(pixels: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def bgr2hls(img: np.ndarray) -> np.ndarray:
    """BGR to hue, lightness, saturation."""
    pixels = _float(img)
    if img.dtype == np.uint8:
        pixels = pixels / np.float32(255)
    blue, green, red = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    top = np.maximum(np.maximum(blue, green), red)
    bottom = np.minimum(np.minimum(blue, green), red)
    chroma, total = top - bottom, top + bottom
    tiny = np.finfo(np.float32).eps
    hls = np.empty_like(pixels)
    hls[..., 1] = total / 2
    room = np.where(total < 1, total, 2 - total)
    coloured = chroma > tiny
    hls[..., 2] = np.where(coloured, chroma / np.where(coloured, room, 1), 0)
    hls[..., 0] = np.where(coloured, _hue(blue, green, red, top, chroma), 0)
    return _hue_based_to_uint8(hls, (1, 2)) if img.dtype == np.uint8 else hls


def hls2bgr(img: np.ndarray) -> np.ndarray:
    """Hue, lightness, saturation to BGR."""
    pixels = _float(img)
    hue, lightness, saturation = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    if img.dtype == np.uint8:
        hue, lightness, saturation = hue * 2, lightness / 255, saturation / 255
    reach = saturation * np.minimum(lightness, 1 - lightness)
    bgr = np.empty_like(pixels)
    for channel, turn in ((0, 4), (1, 8), (2, 0)):
        place = np.mod(hue / 30 + turn, 12)
        bgr[..., channel] = lightness - reach * np.clip(np.minimum(place - 3, 9 - place), -1, 1)
    return _rounded(bgr * 255) if img.dtype == np.uint8 else bgr


def rgb2ycbcr(img: np.ndarray, y_only: bool = False) -> np.ndarray:
    """RGB to YCbCr of ITU-R BT.601 (Y is 16 to 235 of 255), as Matlab has it.

    Args:
        img: (h, w, 3), uint8, or float32 of 0 to 1; the result is of the same type.
        y_only: Return Y alone, (h, w).
    """
    columns = slice(0, 1) if y_only else slice(0, 3)
    scaled = _unit(img) @ _YCBCR[:, columns] + _YCBCR_SHIFT[columns]
    result = _from_255(scaled, img.dtype)
    return result[..., 0] if y_only else result


def bgr2ycbcr(img: np.ndarray, y_only: bool = False) -> np.ndarray:
    """BGR to YCbCr; see :func:`rgb2ycbcr`."""
    return rgb2ycbcr(img[..., ::-1], y_only)


def ycbcr2rgb(img: np.ndarray) -> np.ndarray:
    """The inverse of :func:`rgb2ycbcr`."""
    shifted = _unit(img) * 255 - _YCBCR_SHIFT
    return _from_255(shifted @ np.linalg.inv(_YCBCR) * 255, img.dtype)


def ycbcr2bgr(img: np.ndarray) -> np.ndarray:
    """The inverse of :func:`bgr2ycbcr`."""
    return bgr2rgb(ycbcr2rgb(img))


def _unit(img: np.ndarray) -> np.ndarray:
    pixels = _float(img)
    return pixels / 255 if img.dtype == np.uint8 else pixels


def _from_255(pixels: np.ndarray, dtype: np.dtype) -> np.ndarray:
    return _rounded(pixels) if dtype == np.uint8 else (pixels / 255).astype(dtype)


_CONVERSIONS = {
    ("bgr", "rgb"): bgr2rgb,
    ("rgb", "bgr"): rgb2bgr,
    ("bgr", "gray"): bgr2gray,
    ("rgb", "gray"): rgb2gray,
    ("gray", "bgr"): gray2bgr,
    ("gray", "rgb"): gray2rgb,
    ("bgr", "hsv"): bgr2hsv,
    ("hsv", "bgr"): hsv2bgr,
    ("bgr", "hls"): bgr2hls,
    ("hls", "bgr"): hls2bgr,
}


def imconvert(img: np.ndarray, src: str, dst: str) -> np.ndarray:
    """From ``src`` to ``dst``: each of bgr, rgb, gray, hsv and hls."""
    known = {name for pair in _CONVERSIONS for name in pair}
    if src not in known or dst not in known:
        raise ConfigError(f"imconvert from {src!r} to {dst!r}: choose of {sorted(known)}")
    if src == dst:
        return img.copy()
    if (src, dst) in _CONVERSIONS:
        return _CONVERSIONS[src, dst](img)
    return imconvert(imconvert(img, src, "bgr"), "bgr", dst)


def imnormalize(
    img: np.ndarray,
    mean: Sequence[float] | np.ndarray,
    std: Sequence[float] | np.ndarray,
    to_rgb: bool = True,
) -> np.ndarray:
    """``(img - mean) / std`` as float32, in a new array.

    Args:
        img: (h, w, c), uint8 or float.
        mean: One a channel, in the order after ``to_rgb``.
        std: One a channel, likewise.
        to_rgb: Exchange the first and third channel first.
    """
    normalized = np.empty(img.shape, dtype=np.float32)
    normalize_into(normalized, img, mean, std, to_rgb)
    return normalized


def normalize_into(
    canvas: np.ndarray,
    img: np.ndarray,
    mean: Sequence[float] | np.ndarray,
    std: Sequence[float] | np.ndarray,
    to_rgb: bool = True,
) -> None:
    """Write :func:`imnormalize` of an image to the top left of a canvas.

    Args:
        canvas: (H, W, c) float32, contiguous, at least as large as the image.
        img: (h, w, c), uint8 or float.
        mean: One a channel, in the order after ``to_rgb``.
        std: One a channel, likewise.
        to_rgb: Exchange the first and third channel first.
    """
    height, width = img.shape[:2]
    channels = 1 if img.ndim == 2 else img.shape[2]
    shift = np.broadcast_to(np.asarray(mean, dtype=np.float64).reshape(-1), channels)
    scale = np.broadcast_to(1 / np.asarray(std, dtype=np.float64).reshape(-1), channels)
    # Whole rows of channel after channel: three times as fast as three numbers at a time.
    shifts, scales = (np.tile(each.astype(np.float32), width) for each in (shift, scale))
    rows = canvas.reshape(len(canvas), -1)[:height, : width * channels]
    for start in range(0, height, _STRIP):
        strip = slice(start, start + _STRIP)
        pixels = swap_red_and_blue(img[strip]) if to_rgb and channels >= 3 else img[strip]
        normalized = rows[strip]
        normalized[...] = pixels.reshape(len(pixels), width * channels)
        normalized -= shifts
        normalized *= scales


def imnormalize_(
    img: np.ndarray,
    mean: Sequence[float] | np.ndarray,
    std: Sequence[float] | np.ndarray,
    to_rgb: bool = True,
) -> np.ndarray:
    """:func:`imnormalize` into a float32 image in place."""
    if img.dtype != np.float32:
        raise ConfigError(f"imnormalize_ works in place on float32 images, not {img.dtype}")
    img[...] = imnormalize(img, mean, std, to_rgb)
    return img


def imdenormalize(
    img: np.ndarray,
    mean: Sequence[float] | np.ndarray,
    std: Sequence[float] | np.ndarray,
    to_bgr: bool = True,
) -> np.ndarray:
    """``img * std + mean`` as float32, then RGB to BGR unless ``to_bgr`` is False."""
    if img.dtype == np.uint8:
        raise ConfigError("imdenormalize takes a normalised float image, not uint8")
    pixels = img * np.asarray(std, np.float32).reshape(-1)
    pixels += np.asarray(mean, np.float32).reshape(-1)
    return bgr2rgb(pixels) if to_bgr else pixels


def iminvert(img: np.ndarray) -> np.ndarray:
    """255 less the image."""
    return np.full_like(img, 255) - img
