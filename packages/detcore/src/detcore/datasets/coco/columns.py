"""The annotations of a COCO json as columns of numbers, taken from records a block at a time.

A block is read while it is in the processor's cache, and its objects are gone before the next one
is parsed: those of a million annotations would take gigabytes, which costs as much as parsing.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Hashable, Mapping, Sequence
from itertools import chain, repeat, starmap
from operator import itemgetter
from typing import Any

import numpy as np

from detcore.datasets.segmentations import Collector, as_array

Record = Mapping[str, Any]
_ID_TYPES = {int, str}  # exactly: bool is an int of another meaning
_NUMBER_TYPES = {int, float}
_FOUR = struct.Struct("4d").pack


class Columns:
    """Collects annotations.

    Args:
        image_places: Image id -> its position.
        category_places: Category id -> its position.
    """

    def __init__(
        self, image_places: Mapping[Hashable, int], category_places: Mapping[Hashable, int]
    ) -> None:
        self._image_places = image_places
        self._category_places = category_places
        self._ids: list[np.ndarray | list[Hashable]] = []
        self._images = array("q")
        self._categories = array("q")
        self._boxes = array("d")
        self._areas = array("d")
        self._crowd = array("B")
        self._ignore = array("B")
        self._unmasked = array("B")
        self._uncounted = array("q")  # rows without iscrowd
        self.segmentations = Collector()

    def add(self, records: Sequence[Record]) -> None:
        """Append a block.

        Raises:
            KeyError, OverflowError, TypeError, ValueError: Something is not as COCO has it. Nothing
                is said of what and where; what was collected is of no further use.
        """
        ids = list(map(itemgetter("id"), records))
        image_ids = list(map(itemgetter("image_id"), records))
        category_ids = map(itemgetter("category_id"), records)
        if not set(map(type, chain(ids, image_ids))) <= _ID_TYPES:
            raise TypeError("ids are numbers or texts")
        row = len(self._images)
        self._ids.append(compact_ids(ids))
        self._images.extend(map(self._image_places.get, image_ids, repeat(-1)))
        self._categories.extend(map(self._category_places.get, category_ids, repeat(-1)))
        append_boxes(self._boxes, list(map(itemgetter("bbox"), records)))
        areas = optional_column(records, "area")
        if not set(map(type, areas)) <= _NUMBER_TYPES:
            areas = [_number(value) for value in areas]
        self._areas.fromlist(areas)
        crowd = optional_column(records, "iscrowd")
        if None in crowd:
            self._uncounted.extend(i for i, value in enumerate(crowd, row) if value is None)
        self._crowd.frombytes(bytes(map(bool, crowd)))
        self._ignore.frombytes(bytes(map(bool, optional_column(records, "ignore"))))
        masks = optional_column(records, "segmentation")
        if not are_segmentations(masks):
            raise TypeError("segmentations are lists of lists, run lengths or None")
        self._unmasked.frombytes(bytes([mask is None for mask in masks]))
        self.segmentations.add(masks)

    def extend(self, other: Columns) -> None:
        """Append what others collected."""
        row = len(self._images)
        self._uncounted.extend(row + each for each in other._uncounted)
        self._ids.extend(other._ids)
        self._images.extend(other._images)
        self._categories.extend(other._categories)
        self._boxes.extend(other._boxes)
        self._areas.extend(other._areas)
        self._crowd.extend(other._crowd)
        self._ignore.extend(other._ignore)
        self._unmasked.extend(other._unmasked)
        self.segmentations.extend(other.segmentations)

    def ids(self) -> np.ndarray | list[Hashable]:
        """(A,) int64; a list where one is a text, or where there are none."""
        if self._ids and all(isinstance(part, np.ndarray) for part in self._ids):
            return np.concatenate(self._ids)
        return [each for part in self._ids for each in _plain(part)]

    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """(A,) int64 positions of images and of categories; -1 where the file lists none."""
        return as_array(self._images), as_array(self._categories)

    def boxes(self) -> np.ndarray:
        """(A, 4) float64, as in the file."""
        return as_array(self._boxes).reshape(-1, 4)

    def areas(self) -> np.ndarray:
        """(A,) float64; NaN where none is stated."""
        return as_array(self._areas)

    def flags(self) -> dict[str, np.ndarray]:
        """(A,) bool each: ``crowd``, ``ignore``, ``unmasked``, and ``uncounted``: no iscrowd."""
        uncounted = np.zeros(len(self._images), dtype=bool)
        uncounted[as_array(self._uncounted)] = True
        return {
            "crowd": as_array(self._crowd).view(bool),
            "ignore": as_array(self._ignore).view(bool),
            "unmasked": as_array(self._unmasked).view(bool),
            "uncounted": uncounted,
        }


def append_boxes(numbers: array[float], boxes: Sequence[Any]) -> None:
    """Append the numbers of boxes.

    Raises:
        ValueError: One is not a list of four numbers.
    """
    if not set(map(type, boxes)) <= {list}:
        raise ValueError("boxes are lists")
    try:
        packed = b"".join(starmap(_FOUR, boxes))
    except struct.error as error:
        raise ValueError(str(error)) from error
    values = np.frombuffer(packed).reshape(-1, 4)
    # A bool passes for 0 or 1, which are rare: only there is it looked for.
    for row, column in np.argwhere((values == 0) | (values == 1)).tolist():
        if isinstance(boxes[row][column], bool):
            raise ValueError("boxes hold numbers")
    numbers.frombytes(packed)


def optional_column(records: Sequence[Record], key: str) -> list[Any]:
    """``record.get(key)`` of every record."""
    try:
        return list(map(itemgetter(key), records))  # half the time, where every record has it
    except KeyError:
        return [record.get(key) for record in records]


def are_segmentations(items: Sequence[Any]) -> bool:
    """Whether each is a list of polygons, a run-length object or None."""
    kinds = set(map(type, items))
    if kinds <= {list, type(None)}:
        lists = items if kinds == {list} else filter(None, items)
        return set(map(type, chain.from_iterable(lists))) <= {list}
    return all(map(is_segmentation, items))


def is_segmentation(item: object) -> bool:
    """A list of polygons, a run-length object or None."""
    if isinstance(item, list):
        return all(isinstance(polygon, list) for polygon in item)
    if isinstance(item, dict):
        size = item.get("size")
        sized = isinstance(size, list) and len(size) == 2 and all(map(is_number, size))
        return sized and isinstance(item.get("counts"), list | str | bytes)
    return item is None


def is_number(value: object) -> bool:
    """A finite int or float, and not a bool."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return plain and bool(np.isfinite(value))


def compact_ids(ids: list[Hashable]) -> np.ndarray | list[Hashable]:
    """Numbers as an array; an int of the json would keep the memory about it from being freed."""
    array = np.array(ids)
    return array.astype(np.int64, copy=False) if array.dtype.kind == "i" else ids


def _plain(ids: np.ndarray | list[Hashable]) -> list[Hashable]:
    return ids.tolist() if isinstance(ids, np.ndarray) else ids


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")
