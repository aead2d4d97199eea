"""Bitmaps kept as windows around what is set: an object covers a small part of its image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cvcore.image.resample import nearest_places
from cvcore.parallel.plain import register_batch_type


@register_batch_type
class Windows:
    """Bitmaps of one height and width, each kept as one part of it; all else is 0.

    The parts are nobody else's: methods make new ones, or share those that stay as they are.

    Args:
        parts: (h, w) each, (0, 0) of a bitmap where nothing is set; all of one type.
        corners: (n, 2) int, the row and the column that each part begins at.
        height: of the whole bitmaps, in pixels.
        width: of the whole bitmaps, in pixels.
    """

    def __init__(
        self, parts: Sequence[np.ndarray], corners: np.ndarray, height: int, width: int
    ) -> None:
        self.parts = list(parts)
        self.corners = corners
        self.height = height
        self.width = width

    @classmethod
    def of(cls, masks: np.ndarray) -> Windows:
        """The smallest windows of (n, h, w) bitmaps."""
        # A maximum down the rows is many times as fast as one along them, which then is short.
        columns = masks.max(axis=1, initial=0) if masks.size else np.zeros((len(masks), 0))
        parts, corners = [], np.zeros((len(masks), 2), dtype=np.int64)
        for number, present in enumerate(columns != 0):
            if not present.any():
                parts.append(np.zeros((0, 0), dtype=masks.dtype))
                continue
            left, right = _extent(present)
            top, bottom = _extent(masks[number, :, left:right].any(axis=1))
            parts.append(masks[number, top:bottom, left:right].copy())
            corners[number] = top, left
        return cls(parts, corners, *masks.shape[1:])

    def __len__(self) -> int:
        return len(self.parts)

    def take(self, numbers: np.ndarray) -> Windows:
        """The bitmaps of these numbers."""
        parts = [self.parts[number] for number in numbers.tolist()]
        return Windows(parts, self.corners[numbers], self.height, self.width)

    def dense(self) -> np.ndarray:
        """(n, height, width) bitmaps."""
        dtype = self.parts[0].dtype if self.parts else np.uint8
        masks = np.zeros((len(self), self.height, self.width), dtype=dtype)
        for mask, part, (top, left) in zip(masks, self.parts, self.corners.tolist(), strict=True):
            mask[top : top + part.shape[0], left : left + part.shape[1]] = part
        return masks

    def areas(self) -> np.ndarray:
        """(n,) pixels that are set."""
        return np.array([part.sum() for part in self.parts])

    def resize_nearest(self, height: int, width: int) -> Windows:
        """Each pixel that of the nearest one."""
        rows, columns = nearest_places(self.height, height), nearest_places(self.width, width)
        begin, size = self.corners, np.array([part.shape for part in self.parts]).reshape(-1, 2)
        # Places never decrease, so that those inside a window are neighbours.
        down = np.searchsorted(rows, np.stack([begin[:, 0], begin[:, 0] + size[:, 0]], 1))
        across = np.searchsorted(columns, np.stack([begin[:, 1], begin[:, 1] + size[:, 1]], 1))
        parts = [
            part.take(columns[left:right] - first_column, axis=1).take(
                rows[top:bottom] - first_row, axis=0
            )
            for part, (first_row, first_column), (top, bottom), (left, right) in zip(
                self.parts, begin.tolist(), down.tolist(), across.tolist(), strict=True
            )
        ]
        return Windows(parts, np.stack([down[:, 0], across[:, 0]], 1), height, width)

    def flip(self, horizontal: bool, vertical: bool) -> Windows:
        """Mirrored along one axis or both."""
        size = np.array([part.shape for part in self.parts]).reshape(-1, 2)
        corners = self.corners.copy()
        if vertical:
            corners[:, 0] = self.height - corners[:, 0] - size[:, 0]
        if horizontal:
            corners[:, 1] = self.width - corners[:, 1] - size[:, 1]
        down, across = -1 if vertical else 1, -1 if horizontal else 1
        parts = [part[::down, ::across] for part in self.parts]
        return Windows(parts, corners, self.height, self.width)

    def pad(self, height: int, width: int) -> Windows:
        """On a larger canvas, at its top left."""
        return Windows(self.parts, self.corners, height, width)


def _extent(present: np.ndarray) -> tuple[int, int]:
    """The first place that is true, and the one behind the last."""
    return int(present.argmax()), len(present) - int(present[::-1].argmax())
