"""Masks of many annotations as flat arrays, which loader processes share."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
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
        arrays: As `Collector.arrays` gives them.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._first_polygon = arrays["first_polygon"]
        self._first_number = arrays["first_number"]
        self._numbers = arrays["numbers"]
        self._run_rows = arrays["run_rows"]
        self._run_sizes = arrays["run_sizes"]
        self._first_character = arrays["first_character"]
        self._characters = arrays["characters"]

    def arrays(self) -> dict[str, np.ndarray]:
        """What another object of the same masks can be made from."""
        return {
            "first_polygon": self._first_polygon,
            "first_number": self._first_number,
            "numbers": self._numbers,
            "run_rows": self._run_rows,
            "run_sizes": self._run_sizes,
            "first_character": self._first_character,
            "characters": self._characters,
        }

    def take(self, rows: np.ndarray) -> Segmentations:
        """The masks of these rows, in their order."""
        polygons, first_polygon = _parts(self._first_polygon, rows)
        numbers, first_number = _parts(self._first_number, polygons)
        place_of = np.full(len(self), -1)
        place_of[self._run_rows] = np.arange(len(self._run_rows))
        runs = place_of[rows]
        run_rows = np.flatnonzero(runs >= 0)
        runs = runs[run_rows]
        characters, first_character = _parts(self._first_character, runs)
        return Segmentations(
            {
                "first_polygon": first_polygon,
                "first_number": first_number,
                "numbers": self._numbers[numbers],
                "run_rows": run_rows,
                "run_sizes": self._run_sizes[runs],
                "first_character": first_character,
                "characters": self._characters[characters],
            }
        )

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


def _parts(starts: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places of the members of the chosen parts, and where each part begins among them."""
    lengths = np.diff(starts)[chosen]
    begins = np.concatenate([[0], np.cumsum(lengths)])
    return np.arange(begins[-1]) + np.repeat(starts[:-1][chosen] - begins[:-1], lengths), begins


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
