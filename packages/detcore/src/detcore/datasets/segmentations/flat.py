"""Masks of many annotations as flat arrays, which loader processes share."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, pairwise
from typing import Any

import numpy as np
from pycocotools import mask as rle

Segmentation = list[np.ndarray] | dict[str, Any] | None
MIN_NUMBERS = 6  # of a polygon: three points; four numbers would be taken for a box


class Segmentations:
    """Polygons in one array of numbers, run lengths in one of characters.

    Millions of small Python objects would be copied into every loader process, by no more than
    being looked at; arrays are not.

    Args:
        items: For each annotation a list of polygons, a run-length object, or None.

    Raises:
        TypeError: A polygon holds something that is no number.
    """

    def __init__(self, items: Sequence[Any]) -> None:
        runs: list[tuple[int, Any]] = []
        polygons: Sequence[Any] = items
        if not set(map(type, items)) <= {list}:
            polygons = [item if isinstance(item, list) else () for item in items]
            # Comparing types, for asking a million items whether they are mappings takes its time.
            runs = [
                (row, item)
                for row, item in enumerate(items)
                if type(item) is not list and item is not None
            ]
        flat = list(chain.from_iterable(polygons))
        self._first_polygon = _starts(polygons)
        self._first_number = _starts(flat)
        self._numbers = flat_numbers(flat)
        counts = [_compressed(item) for _, item in runs]
        self._run_rows = np.array([row for row, _ in runs], dtype=np.int64)
        self._run_sizes = np.array([item["size"] for _, item in runs], np.int64).reshape(-1, 2)
        self._first_character = _starts(counts)
        self._characters = np.frombuffer(b"".join(counts), dtype=np.uint8)

    def __len__(self) -> int:
        return len(self._first_polygon) - 1

    def __getitem__(self, row: int) -> Segmentation:
        """Polygons as arrays x0 y0 x1 y1 ... in pixels, a compressed run-length dict, or None."""
        first, last = self._first_polygon[row : row + 2]
        if first < last:
            bounds = self._first_number[first : last + 1]
            return [self._numbers[begin:end] for begin, end in pairwise(bounds)]
        place = int(np.searchsorted(self._run_rows, row))
        if place == len(self._run_rows) or self._run_rows[place] != row:
            return None
        begin, end = self._first_character[place : place + 2]
        counts = self._characters[begin:end].tobytes()
        return {"size": self._run_sizes[place].tolist(), "counts": counts}

    def drawable(self) -> np.ndarray:
        """(A,) bool: run lengths, or at least one polygon of three points or more."""
        numbers = np.diff(self._first_number)
        good = np.concatenate([[0], np.cumsum((numbers >= MIN_NUMBERS) & (numbers % 2 == 0))])
        drawable = good[self._first_polygon[1:]] > good[self._first_polygon[:-1]]
        drawable[self._run_rows] = True
        return drawable

    def finite(self) -> np.ndarray:
        """(A,) bool: no polygon holds NaN or an infinite number."""
        if np.isfinite(self._numbers.sum()):  # which it is not with one such number among them
            return np.ones(len(self), dtype=bool)
        bad = np.concatenate([[0], np.cumsum(~np.isfinite(self._numbers))])
        edges = bad[self._first_number][self._first_polygon]
        return edges[1:] == edges[:-1]

    def run_lengths(self) -> tuple[np.ndarray, np.ndarray, list[bytes]]:
        """(k,) rows with run lengths, (k, 2) their heights and widths, and their texts."""
        texts = [
            self._characters[begin:end].tobytes() for begin, end in pairwise(self._first_character)
        ]
        return self._run_rows, self._run_sizes, texts


def flat_numbers(lists: Iterable[list[float]]) -> np.ndarray:
    """(numbers,) float64 of all lists, one after the other.

    Raises:
        OverflowError: A whole number is larger than any float.
        TypeError: Something is no list, or no number.
    """
    numbers = array("d")
    # A list at a time takes a third of what a number at a time does.
    deque(map(numbers.fromlist, lists), maxlen=0)
    return np.frombuffer(numbers) if numbers else np.zeros(0)


def _starts(parts: Sequence[Any]) -> np.ndarray:
    """(len(parts) + 1,) int64: where each begins when all are put together."""
    lengths = np.fromiter(map(len, parts), np.int64, len(parts))
    return np.concatenate([[0], np.cumsum(lengths)])


def _compressed(item: Mapping[str, Any]) -> bytes:
    counts = item["counts"]
    if isinstance(counts, list):
        height, width = item["size"]
        return rle.frPyObjects(dict(item), height, width)["counts"]
    return counts.encode("ascii") if isinstance(counts, str) else bytes(counts)


def to_rle(segmentation: Any, height: int, width: int) -> dict[str, Any]:
    """One compressed run-length mask from polygons or from either kind of run lengths."""
    if isinstance(segmentation, Mapping):
        if isinstance(segmentation["counts"], list):
            return rle.frPyObjects(dict(segmentation), height, width)
        return dict(segmentation)
    polygons = [
        np.asarray(p, dtype=np.float64)
        for p in segmentation
        if len(p) >= MIN_NUMBERS and len(p) % 2 == 0
    ]
    if not polygons:
        return rle.encode(np.zeros((height, width), dtype=np.uint8, order="F"))
    return rle.merge(rle.frPyObjects(polygons, height, width))
