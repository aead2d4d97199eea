"""Bilinear resizing of uint8 images in whole numbers, bit for bit as OpenCV does it.

Rounding in another way moves a fifth of the pixels by one grey level, which no eye sees but which
moves detections of a network whose weights came from images resized by OpenCV.
"""

from __future__ import annotations

import numpy as np
import torch

_ONE = 2048  # a weight of 1: 11 bits after the point
# Output rows worked on at once, so that what is in between stays in the processor's cache.
_ROWS = 16


def resize_bilinear_uint8(img: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize without antialiasing, pixel centres at half.

    Args:
        img: (h, w) or (h, w, c) uint8.
        size: (width, height) of the result.
    """
    height, width = img.shape[:2]
    new_width, new_height = size
    if (width, height) == (2 * new_width, 2 * new_height):
        return _halve(img)
    channels = img[0, 0].size
    rows = img.reshape(height, width * channels)
    across, down = _Columns(width, new_width, channels), _Rows(height, new_height)
    result = np.empty((new_height, new_width * channels), dtype=np.uint8)
    for start in range(0, new_height, _ROWS):
        block = slice(start, min(start + _ROWS, new_height))
        needed = slice(down.near[block][0], down.far[block][-1] + 1)
        result[block] = down.mix(across.mix(rows[needed]), block, needed.start)
    return result.reshape(new_height, new_width, *img.shape[2:])


def _halve(img: np.ndarray) -> np.ndarray:
    """The rounded mean of 2 x 2 pixels, which OpenCV takes at exactly half the size."""
    wide = img.astype(np.uint16)
    four = wide[::2, ::2] + wide[1::2, ::2] + wide[::2, 1::2] + wide[1::2, 1::2]
    return ((four + 2) >> 2).astype(np.uint8)


class _Columns:
    """From rows of input pixels to rows of output pixels, 128 a grey level."""

    def __init__(self, width: int, new_width: int, channels: int) -> None:
        first, fraction = _places(width, new_width)
        # A place before the first or behind the last pixel takes that pixel alone.
        fraction[(first < 0) | (first >= width - 1)] = 0
        first = np.clip(first, 0, width - 1)
        self.near, self.far = (
            (np.clip(place, 0, width - 1)[:, None] * channels + np.arange(channels)).ravel()
            for place in (first, first + 1)
        )
        self.near_weight, self.far_weight = (
            torch.from_numpy(np.repeat(weight, channels)) for weight in _weights(fraction)
        )

    def mix(self, rows: np.ndarray) -> np.ndarray:
        """(r, new_width * channels) int32 from (r, width * channels) uint8."""
        block = rows.astype(np.int32)
        total = _times(block.take(self.near, axis=1, mode="clip"), self.near_weight)
        total += _times(block.take(self.far, axis=1, mode="clip"), self.far_weight)
        total >>= 4
        return total


class _Rows:
    """From rows of 128 a grey level to output rows between them."""

    def __init__(self, height: int, new_height: int) -> None:
        first, fraction = _places(height, new_height)
        self.near, self.far = np.clip(first, 0, height - 1), np.clip(first + 1, 0, height - 1)
        self.near_weight, self.far_weight = (
            torch.from_numpy(weight)[:, None] for weight in _weights(fraction)
        )

    def mix(self, rows: np.ndarray, block: slice, start: int) -> np.ndarray:
        """(b, n) int32 grey levels of output rows `block`; `rows` begin at input row `start`."""
        total = _times(rows.take(self.near[block] - start, axis=0), self.near_weight[block])
        total >>= 16
        other = _times(rows.take(self.far[block] - start, axis=0), self.far_weight[block])
        other >>= 16
        total += other
        total += 2
        total >>= 2
        return total


def _times(pixels: np.ndarray, weights: torch.Tensor) -> np.ndarray:
    """In place; torch multiplies whole numbers several at a time, numpy one by one."""
    torch.from_numpy(pixels).mul_(weights)
    return pixels


def _places(old: int, new: int) -> tuple[np.ndarray, np.ndarray]:
    """For each output pixel, the input pixel before it and the (float32) way to the next."""
    centre = ((np.arange(new) + 0.5) * (1.0 / (new / old)) - 0.5).astype(np.float32)
    first = np.floor(centre)
    return first.astype(np.intp), centre - first


def _weights(fraction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) int32 weights of the pixel before and of the one behind."""
    return (
        np.rint((1 - fraction) * _ONE).astype(np.int32),
        np.rint(fraction * _ONE).astype(np.int32),
    )
