"""Bilinear resizing of uint8 images in whole numbers, bit for bit as OpenCV does it.

Rounding in another way moves a fifth of the pixels by one grey level, which no eye sees but which
moves detections of a network whose weights came from images resized by OpenCV.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import torch

_ONE = 2048  # a weight of 1: 11 bits after the point
# Output rows worked on at once, so that what is in between stays in the processor's cache.
_ROWS = 24
_SIZES = 64  # whose places and weights are remembered; most photographs have one of few sizes


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
    across, down = _columns(width, new_width, channels), _rows(height, new_height)
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


@dataclass(frozen=True, slots=True)
class _Columns:
    """From rows of input pixels to rows of output pixels, 128 a grey level."""

    channels: int
    near: np.ndarray  # (n,) the pixel before each output pixel
    near_weight: torch.Tensor  # (n * channels,) int32
    far_weight: torch.Tensor  # of the pixel behind it; 0 where there is none

    def mix(self, rows: np.ndarray) -> np.ndarray:
        """(r, n * channels) int32 from (r, width * channels) uint8."""
        near, far = (pixels.astype(np.int32) for pixels in self._neighbours(rows))
        torch.from_numpy(near).mul_(self.near_weight)
        torch.from_numpy(near).addcmul_(torch.from_numpy(far), self.far_weight)
        near >>= 4
        return near

    def _neighbours(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(r, n * channels) uint8 each: the pixels before and behind the output pixels."""
        if self.channels == 3:
            return _threes(rows, self.near)
        pixels = rows.reshape(len(rows), -1, self.channels)
        near, far = (
            pixels.take(place, axis=1, mode="clip") for place in (self.near, self.near + 1)
        )
        return near.reshape(len(rows), -1), far.reshape(len(rows), -1)


def _threes(rows: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of three bytes, and those behind them, as words of eight: numpy moves such at once.

    Args:
        rows: (r, width * 3) uint8.
        places: (n,) of the pixels in a row. Behind the last pixel there may be anything.

    Returns:
        Two of (r, n * 3) uint8.
    """
    height, width = len(rows), rows.shape[1] // 3
    # Two pixels to a word, and two bytes that do not matter; the last word ends behind the rows.
    content = np.zeros(rows.size + 5, dtype=np.uint8)
    content[:-5].reshape(rows.shape)[...] = rows
    words = np.ndarray((height, width), np.uint64, content, strides=(3 * width, 3))
    number = height * len(places)
    found = np.empty(number + 1, dtype=np.uint64)
    words.take(places, axis=1, mode="clip", out=found[:-1].reshape(height, -1))
    parts = []
    for offset in (0, 3):
        # Words are written three bytes apart, in order: each covers what the one before it has
        # too much.
        packed = np.empty(number * 3 + 5, dtype=np.uint8)
        words = np.ndarray(number, np.uint64, packed, strides=(3,))
        words[...] = np.ndarray(number, np.uint64, found, offset, strides=(8,))
        parts.append(packed[:-5].reshape(height, -1))
    return parts[0], parts[1]


@dataclass(frozen=True, slots=True)
class _Rows:
    """From rows of 128 a grey level to output rows between them."""

    near: np.ndarray  # (n,) the row before each output row
    far: np.ndarray  # and the one behind it
    near_weight: torch.Tensor  # (n, 1) int32
    far_weight: torch.Tensor

    def mix(self, rows: np.ndarray, block: slice, start: int) -> np.ndarray:
        """(b, n) int32 grey levels of output rows `block`; `rows` begin at input row `start`."""
        total = rows.take(self.near[block] - start, axis=0)
        other = rows.take(self.far[block] - start, axis=0)
        torch.from_numpy(total).mul_(self.near_weight[block])
        # Both products lose their lower 16 bits before they are added. Of the second one they may
        # stay, as they carry nothing over to what is left of the first.
        total &= -1 << 16
        torch.from_numpy(total).addcmul_(torch.from_numpy(other), self.far_weight[block])
        total += 2 << 16
        total >>= 18
        return total


@functools.lru_cache(_SIZES)
def _columns(width: int, new_width: int, channels: int) -> _Columns:
    first, fraction = _places(width, new_width)
    # A place before the first or behind the last pixel takes that pixel alone.
    fraction[(first < 0) | (first >= width - 1)] = 0
    weights = (torch.from_numpy(np.repeat(each, channels)) for each in _weights(fraction))
    return _Columns(channels, np.clip(first, 0, width - 1), *weights)


@functools.lru_cache(_SIZES)
def _rows(height: int, new_height: int) -> _Rows:
    first, fraction = _places(height, new_height)
    near, far = np.clip(first, 0, height - 1), np.clip(first + 1, 0, height - 1)
    return _Rows(near, far, *(torch.from_numpy(each)[:, None] for each in _weights(fraction)))


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
