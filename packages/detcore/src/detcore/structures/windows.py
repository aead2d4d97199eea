"""Bitmaps handled where they are set: an object covers a small part of its image as a rule."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cvcore.image.resample import nearest_places

Window = tuple[slice, slice]  # rows, columns


def windows(masks: np.ndarray) -> Iterator[tuple[int, Window]]:
    """Number and window of each bitmap of (n, h, w) that has anything set."""
    # A maximum down the rows is many times as fast as one along them, which then is short.
    columns = masks.max(axis=1, initial=0) if masks.size else np.zeros((len(masks), 0))
    for number, present in enumerate(columns != 0):
        if not present.any():
            continue
        left, right = int(present.argmax()), len(present) - int(present[::-1].argmax())
        rows = masks[number, :, left:right].any(axis=1)
        top, bottom = int(rows.argmax()), len(rows) - int(rows[::-1].argmax())
        yield number, (slice(top, bottom), slice(left, right))


def resize_nearest(masks: np.ndarray, height: int, width: int) -> np.ndarray:
    """(n, height, width) of (n, h, w) bitmaps, each pixel that of the nearest one."""
    rows, columns = nearest_places(masks.shape[1], height), nearest_places(masks.shape[2], width)
    resized = np.zeros((len(masks), height, width), dtype=masks.dtype)
    for number, (down, across) in windows(masks):
        # Places never decrease, so that those inside the window are neighbours.
        top, bottom = np.searchsorted(rows, (down.start, down.stop))
        left, right = np.searchsorted(columns, (across.start, across.stop))
        wide = masks[number, down].take(columns[left:right], axis=1)
        resized[number, top:bottom, left:right] = wide.take(rows[top:bottom] - down.start, axis=0)
    return resized


def flip(masks: np.ndarray, horizontal: bool, vertical: bool) -> np.ndarray:
    """(n, h, w) bitmaps mirrored along one axis or both."""
    height, width = masks.shape[1:]
    flipped = np.zeros_like(masks)
    for number, (down, across) in windows(masks):
        part = masks[number, down, across]
        top, left = down.start, across.start
        if vertical:
            part, top = part[::-1], height - down.stop
        if horizontal:
            part, left = part[:, ::-1], width - across.stop
        flipped[number, top : top + len(part), left : left + part.shape[1]] = part
    return flipped


def pad(masks: np.ndarray, height: int, width: int) -> np.ndarray:
    """(n, height, width): (n, h, w) bitmaps on a larger canvas, at its top left."""
    padded = np.zeros((len(masks), height, width), dtype=masks.dtype)
    for number, (down, across) in windows(masks):
        padded[number, down, across] = masks[number, down, across]
    return padded
