"""Rotating, shearing and shifting: affine maps with OpenCV's sampling.

Places are rounded to a 32nd of a pixel before interpolation, as OpenCV does, so that images are
the same to one grey level.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional as F

from cvcore.errors import ConfigError

BORDER_MODES = ("constant", "replicate", "reflect", "wrap", "reflect_101")
WARP_INTERPOLATIONS = ("nearest", "bilinear", "bicubic")
_FINE = 1024  # steps of a pixel in which places are added up
_COARSE = 32  # steps of a pixel to which they are rounded

Fill = float | Sequence[float]


def imrotate(
    img: np.ndarray,
    angle: float,
    center: tuple[float, float] | None = None,
    scale: float = 1.0,
    border_value: Fill = 0,
    interpolation: str = "bilinear",
    auto_bound: bool = False,
    border_mode: str = "constant",
) -> np.ndarray:
    """Rotate about a point.

    Args:
        img: (h, w) or (h, w, c), uint8 or float32.
        angle: Degrees, clockwise.
        center: (x, y) in pixels; by default the middle of the image.
        scale: Enlarge by this as well.
        border_value: Fills what lies outside the image: a number, or one a channel.
        interpolation: ``'nearest'``, ``'bilinear'`` or ``'bicubic'``.
        auto_bound: Let the result be as large as the whole rotated image; about its middle only.
        border_mode: ``'constant'``, ``'replicate'``, ``'reflect'``, ``'reflect_101'`` or
            ``'wrap'``.
    """
    if center is not None and auto_bound:
        raise ConfigError("imrotate: auto_bound turns the image about its middle; leave out center")
    height, width = img.shape[:2]
    if center is None:
        center = ((width - 1) * 0.5, (height - 1) * 0.5)
    matrix = rotation_matrix(center, -angle, scale)
    size = (width, height)
    if auto_bound:
        cosine, sine = abs(matrix[0, 0]), abs(matrix[0, 1])
        new_width = height * sine + width * cosine
        new_height = height * cosine + width * sine
        matrix[:, 2] += ((new_width - width) * 0.5, (new_height - height) * 0.5)
        size = (round(new_width), round(new_height))
    return warp_affine(img, matrix, size, border_value, interpolation, border_mode)


def rotation_matrix(center: tuple[float, float], angle: float, scale: float) -> np.ndarray:
    """(2, 3): turns by ``angle`` degrees, counter-clockwise, about ``center``."""
    cosine = scale * math.cos(math.radians(angle))
    sine = scale * math.sin(math.radians(angle))
    x, y = center
    return np.array(
        [
            [cosine, sine, (1 - cosine) * x - sine * y],
            [-sine, cosine, sine * x + (1 - cosine) * y],
        ]
    )


def imshear(
    img: np.ndarray,
    magnitude: float,
    direction: str = "horizontal",
    border_value: Fill = 0,
    interpolation: str = "bilinear",
) -> np.ndarray:
    """Shift each row (or column) by ``magnitude`` times its number.

    Args:
        img: (h, w) or (h, w, c), uint8 or float32.
        magnitude: Pixels of shift per pixel.
        direction: ``'horizontal'`` moves rows, ``'vertical'`` columns.
        border_value: Fills what comes in from outside: a number, or one a channel.
        interpolation: ``'nearest'``, ``'bilinear'`` or ``'bicubic'``.
    """
    matrix = np.eye(2, 3)
    matrix[(0, 1) if _is_horizontal(direction) else (1, 0)] = magnitude
    return warp_affine(img, matrix, img.shape[1::-1], border_value, interpolation)


def imtranslate(
    img: np.ndarray,
    offset: float,
    direction: str = "horizontal",
    border_value: Fill = 0,
    interpolation: str = "bilinear",
) -> np.ndarray:
    """Shift by ``offset`` pixels to the right (``'horizontal'``) or down (``'vertical'``).

    Args:
        img: (h, w) or (h, w, c), uint8 or float32.
        offset: Pixels, not necessarily whole.
        direction: ``'horizontal'`` or ``'vertical'``.
        border_value: Fills what comes in from outside: a number, or one a channel.
        interpolation: ``'nearest'``, ``'bilinear'`` or ``'bicubic'``.
    """
    matrix = np.eye(2, 3)
    matrix[0 if _is_horizontal(direction) else 1, 2] = offset
    return warp_affine(img, matrix, img.shape[1::-1], border_value, interpolation)


def _is_horizontal(direction: str) -> bool:
    if direction not in ("horizontal", "vertical"):
        raise ConfigError(f"direction is 'horizontal' or 'vertical', not {direction!r}")
    return direction == "horizontal"


def warp_affine(
    img: np.ndarray,
    matrix: np.ndarray,
    size: Sequence[int],
    border_value: Fill = 0,
    interpolation: str = "bilinear",
    border_mode: str = "constant",
) -> np.ndarray:
    """Move the pixel at (x, y) to ``matrix @ (x, y, 1)``.

    Args:
        img: (h, w) or (h, w, c), uint8 or float32.
        matrix: (2, 3), from the image to the result.
        size: (width, height) of the result.
        border_value: Fills what lies outside the image: a number, or one a channel.
        interpolation: ``'nearest'``, ``'bilinear'`` or ``'bicubic'``.
        border_mode: What lies outside; one of :data:`BORDER_MODES`.
    """
    if interpolation not in WARP_INTERPOLATIONS:
        raise ConfigError(
            f"interpolation {interpolation!r} is not for warping; choose of {WARP_INTERPOLATIONS}"
        )
    if border_mode not in BORDER_MODES:
        raise ConfigError(f"border_mode {border_mode!r} is unknown; choose of {BORDER_MODES}")
    pixels = img[..., None] if img.ndim == 2 else img
    fill = np.broadcast_to(np.asarray(border_value, np.float32), (pixels.shape[2],))
    steps = 1 if interpolation == "nearest" else _COARSE
    x, y = _source_places(np.asarray(matrix, np.float64), size, steps)
    if interpolation == "nearest":
        warped = _pick(pixels, x, y, fill, border_mode)
    else:
        warped = _sample(pixels, x / steps, y / steps, fill, interpolation, border_mode)
    return warped[..., 0] if img.ndim == 2 else warped


def _source_places(
    matrix: np.ndarray, size: Sequence[int], steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """(height, width) int64 places in the image, in ``steps`` of a pixel, rounded as by OpenCV."""
    full = np.vstack((matrix, (0, 0, 1)))
    if abs(np.linalg.det(full)) < 1e-12:
        raise ConfigError(f"warp_affine: the map {matrix.tolist()} flattens the image")
    inverse = np.linalg.inv(full)
    columns, rows = np.arange(size[0]), np.arange(size[1])
    half_step = _FINE // steps // 2
    places = []
    for across, down, shift in inverse[:2]:
        by_column = np.rint(across * columns * _FINE).astype(np.int64)
        by_row = np.rint((down * rows + shift) * _FINE).astype(np.int64) + half_step
        places.append((by_row[:, None] + by_column) // (_FINE // steps))
    return places[0], places[1]


def _wrapped(places: np.ndarray, length: int, border_mode: str) -> np.ndarray:
    """Whole places outside the image, led back into it."""
    if border_mode == "replicate":
        return np.clip(places, 0, length - 1)
    if border_mode == "wrap":
        return places % length
    if border_mode == "reflect":
        return np.minimum(places % (2 * length), 2 * length - 1 - places % (2 * length))
    period = max(2 * (length - 1), 1)
    return np.minimum(places % period, period - places % period)


def _pick(
    pixels: np.ndarray, x: np.ndarray, y: np.ndarray, fill: np.ndarray, border_mode: str
) -> np.ndarray:
    height, width = pixels.shape[:2]
    if border_mode != "constant":
        return pixels[_wrapped(y, height, border_mode), _wrapped(x, width, border_mode)]
    picked = pixels[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]
    picked[(x < 0) | (x >= width) | (y < 0) | (y >= height)] = fill.astype(pixels.dtype)
    return picked


def _sample(
    pixels: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    fill: np.ndarray,
    interpolation: str,
    border_mode: str,
) -> np.ndarray:
    if border_mode != "constant":
        # A frame wide enough for every sample turns the border into plain pixels.
        pixels, x, y = _framed(pixels, x, y, border_mode)
        fill = np.zeros_like(fill)
    height, width = pixels.shape[:2]
    # Outside its input grid_sample reads 0, so the fill is made 0 for a while.
    planes = torch.from_numpy(pixels.astype(np.float32) - fill).permute(2, 0, 1)[None]
    grid = np.stack(((2 * x + 1) / width - 1, (2 * y + 1) / height - 1), axis=-1)
    sampled = F.grid_sample(
        planes.contiguous(),
        torch.from_numpy(grid.astype(np.float32))[None],
        mode=interpolation,
        padding_mode="zeros",
        align_corners=False,
    )
    warped = sampled[0].permute(1, 2, 0).numpy() + fill
    if pixels.dtype == np.uint8:
        return np.clip(np.floor(warped + 0.5), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(warped.astype(pixels.dtype))


def _framed(
    pixels: np.ndarray, x: np.ndarray, y: np.ndarray, border_mode: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    margin = 2  # what a cubic reads beyond its pixel
    left, top = int(np.floor(x.min())) - margin, int(np.floor(y.min())) - margin
    columns = np.arange(left, int(np.ceil(x.max())) + margin + 1)
    rows = np.arange(top, int(np.ceil(y.max())) + margin + 1)
    height, width = pixels.shape[:2]
    columns, rows = _wrapped(columns, width, border_mode), _wrapped(rows, height, border_mode)
    return pixels[rows[:, None], columns], x - left, y - top
