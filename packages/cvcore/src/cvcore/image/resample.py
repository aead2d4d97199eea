"""Resampling by taps: each output pixel is a weighted sum of a few input pixels along each axis."""

from __future__ import annotations

import numpy as np

CUBIC_A = -0.75  # OpenCV's, sharper than the usual -0.5


def resample_nearest(img: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Nearest neighbour: output pixel i takes input pixel floor(i * input / output)."""
    columns = nearest_places(img.shape[1], size[0])
    return img.take(columns, axis=1).take(nearest_places(img.shape[0], size[1]), axis=0)


def nearest_places(old: int, new: int) -> np.ndarray:
    """(new,) input pixels that the output pixels of one axis take; they never decrease."""
    return np.minimum(np.arange(new) * (old / new), old - 1).astype(np.intp)


def resample_taps(img: np.ndarray, size: tuple[int, int], kernel: str) -> np.ndarray:
    """Resize with the kernel ``'bilinear'``, ``'bicubic'``, ``'area'`` or ``'lanczos'``.

    Args:
        img: (h, w) or (h, w, c) of any numeric type.
        size: (width, height) of the result.
        kernel: As OpenCV defines it: no antialiasing, but for area, where a smaller image takes
            the mean of the input pixels that an output pixel covers.
    """
    pixels = img.astype(np.float64 if img.dtype.itemsize > 4 else np.float32)
    if kernel == "area" and (size[0] > img.shape[1] or size[1] > img.shape[0]):
        kernel = "ramp"  # as in OpenCV, where one growing axis decides for both
    for axis, length in ((0, size[1]), (1, size[0])):
        if length != img.shape[axis]:
            places, weights = _taps(img.shape[axis], length, kernel)
            pixels = _apply_taps(pixels, places, weights.astype(pixels.dtype), axis)
    return _to_type(pixels, img.dtype)


def _to_type(pixels: np.ndarray, dtype: np.dtype) -> np.ndarray:
    if dtype.kind not in "iu":
        return pixels.astype(dtype)
    limits = np.iinfo(dtype)
    return np.clip(np.rint(pixels), limits.min, limits.max).astype(dtype)


def _apply_taps(
    pixels: np.ndarray, places: np.ndarray, weights: np.ndarray, axis: int
) -> np.ndarray:
    shape = [1] * pixels.ndim
    shape[axis] = len(places)
    total = np.zeros(())
    for tap in range(places.shape[1]):
        total = total + pixels.take(places[:, tap], axis) * weights[:, tap].reshape(shape)
    return total


def _taps(old: int, new: int, kernel: str) -> tuple[np.ndarray, np.ndarray]:
    """Input places (new, taps) and their weights, which sum to one."""
    scale = old / new
    if kernel == "area":
        return _area_taps(old, new, scale)
    if kernel == "ramp":
        return _ramp_taps(old, new, scale)
    centre = (np.arange(new) + 0.5) * scale - 0.5
    first = np.floor(centre)
    fraction = (centre - first)[:, None]
    reach = {"bilinear": 1, "bicubic": 2, "lanczos": 4}[kernel]
    steps = np.arange(1 - reach, reach + 1)
    distance = np.abs(fraction - steps)
    if kernel == "bilinear":
        weights = 1 - distance
    elif kernel == "bicubic":
        weights = _cubic(distance)
    else:
        weights = np.sinc(distance) * np.sinc(distance / 4)
        weights /= weights.sum(axis=1, keepdims=True)
    places = np.clip(first[:, None] + steps, 0, old - 1).astype(np.intp)
    return places, weights


def _cubic(distance: np.ndarray) -> np.ndarray:
    near = ((CUBIC_A + 2) * distance - (CUBIC_A + 3)) * distance**2 + 1
    far = CUBIC_A * (((distance - 5) * distance + 8) * distance - 4)
    return np.where(distance <= 1, near, far)


def _area_taps(old: int, new: int, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Shares of the input pixels that an output pixel covers."""
    start = np.arange(new) * scale
    end = np.minimum(start + scale, old)
    places = np.floor(start)[:, None] + np.arange(int(np.ceil(scale)) + 1)
    covered = np.minimum(places + 1, end[:, None]) - np.maximum(places, start[:, None])
    weights = np.maximum(covered, 0)
    weights /= weights.sum(axis=1, keepdims=True)
    return np.clip(places, 0, old - 1).astype(np.intp), weights


def _ramp_taps(old: int, new: int, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Flat pixels with a linear ramp, one output pixel wide, between them."""
    first = np.floor(np.arange(new) * scale)
    fraction = np.arange(1, new + 1) - (first + 1) / scale
    fraction = np.where(fraction <= 0, 0, fraction - np.floor(fraction))
    places = first[:, None] + np.arange(2)
    weights = np.stack((1 - fraction, fraction), axis=1)
    return np.clip(places, 0, old - 1).astype(np.intp), weights
