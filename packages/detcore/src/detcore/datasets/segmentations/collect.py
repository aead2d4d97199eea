"""Masks as annotation files hold them, put flat a block at a time."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from pycocotools import mask as rle


class Collector:
    """Takes the masks of some annotations after another; what was given is not kept."""

    def __init__(self) -> None:
        self._numbers = array("d")
        self._lengths = array("q")  # numbers of each polygon
        self._polygons = array("q")  # of each annotation
        self._run_rows = array("q")
        self._run_sizes = array("q")
        self._characters: list[bytes] = []

    def add(self, items: Sequence[Any]) -> None:
        """Append masks: for each annotation a list of polygons, a run-length object, or None.

        Raises:
            TypeError: A polygon holds something that is no number, or too large for a float.
        """
        polygons = items
        if not set(map(type, items)) <= {list}:
            polygons = [item if isinstance(item, list) else () for item in items]
            for row, item in enumerate(items, start=len(self._polygons)):
                # Comparing types, for asking a million items whether they are mappings takes time.
                if type(item) is not list and item is not None:
                    self._run_rows.append(row)
                    self._run_sizes.extend(item["size"])
                    self._characters.append(_compressed(item))
        flat = list(chain.from_iterable(polygons))
        self._polygons.extend(map(len, polygons))
        self._lengths.extend(map(len, flat))
        _append_numbers(self._numbers, flat)

    def extend(self, other: Collector) -> None:
        """Append what another one took."""
        row = len(self._polygons)
        self._run_rows.extend(row + each for each in other._run_rows)
        self._run_sizes.extend(other._run_sizes)
        self._characters.extend(other._characters)
        self._polygons.extend(other._polygons)
        self._lengths.extend(other._lengths)
        self._numbers.extend(other._numbers)

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything so far, by the names that `Segmentations` has for it."""
        lengths = np.fromiter(map(len, self._characters), np.int64, len(self._characters))
        return {
            "numbers": as_array(self._numbers),
            "first_number": _starts(as_array(self._lengths)),
            "first_polygon": _starts(as_array(self._polygons)),
            "run_rows": as_array(self._run_rows),
            "run_sizes": as_array(self._run_sizes).reshape(-1, 2),
            "first_character": _starts(lengths),
            "characters": np.frombuffer(b"".join(self._characters), dtype=np.uint8),
        }


class _Packers(dict[int, Callable[..., bytes]]):
    """Number of floats -> what turns so many into bytes."""

    def __missing__(self, number: int) -> Callable[..., bytes]:
        self[number] = struct.Struct(f"{number}d").pack
        return self[number]


_PACKERS = _Packers()


def _append_numbers(numbers: array[float], lists: Iterable[list[float]]) -> None:
    """Append the numbers of all lists, one after the other.

    Raises:
        TypeError: Something is no number, or a whole one that is larger than any float.
    """
    # A list at a time takes a third of what a number at a time, or `array.fromlist`, does.
    try:
        numbers.frombytes(b"".join([_PACKERS[len(each)](*each) for each in lists]))
    except struct.error as error:
        raise TypeError(str(error)) from error


def as_array(numbers: array[Any]) -> np.ndarray:
    """The same memory as an array of its type."""
    return np.frombuffer(numbers, dtype=numbers.typecode) if numbers else _EMPTY[numbers.typecode]


_EMPTY = {code: np.zeros(0, dtype=code) for code in "dqB"}


def _starts(lengths: np.ndarray) -> np.ndarray:
    """(len(lengths) + 1,) int64: where each part begins when all are put together."""
    starts = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=starts[1:])
    return starts


def _compressed(item: Mapping[str, Any]) -> bytes:
    counts = item["counts"]
    if isinstance(counts, list):
        height, width = item["size"]
        return rle.frPyObjects(dict(item), height, width)["counts"]
    return counts.encode("ascii") if isinstance(counts, str) else bytes(counts)
