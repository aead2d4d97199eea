"""The json of a COCO file: parsed, and looked up with messages that say where it is wrong."""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np

from detcore.datasets.segmentations import flat_numbers
from detcore.errors import AnnotationError

try:  # the extra "fast": half the time, the same content
    orjson: Any = importlib.import_module("orjson")
except ModuleNotFoundError:
    orjson = None

Kind = tuple[tuple[type, ...], str]  # types, and what a message calls them
ID: Kind = ((int, str), "a number or a text")
TEXT: Kind = ((str,), "a text")
NUMBER: Kind = ((int, float), "a number")

_GZIP = b"\x1f\x8b"
_BLOCK = 4096  # boxes that are read at a time


def parse_json(content: bytes | str, file: str) -> dict[str, Any]:
    """The object of a json text; a byte-order mark is passed over.

    Raises:
        AnnotationError: It is compressed, not json, not UTF-8, or not an object.
    """
    if isinstance(content, bytes) and content.startswith(_GZIP):
        raise AnnotationError(
            f"{file}:1:1: compressed by gzip, where json is expected; unpack it with: gzip -d"
        )
    try:
        data = _parsed(content)
    except json.JSONDecodeError as error:
        raise AnnotationError(
            f"{file}:{error.lineno}:{error.colno}: not valid json: {error.msg}; "
            "the file may be cut short, write or fetch it again"
        ) from error
    except UnicodeDecodeError as error:
        raise AnnotationError(f"{file}: not a text file in UTF-8: {error}") from error
    if not isinstance(data, dict):
        raise AnnotationError(
            f"{file}: not a COCO annotation file: the json holds a {type(data).__name__}, where "
            "COCO has an object with images, annotations and categories"
        )
    return data


def _parsed(content: bytes | str) -> Any:
    if orjson is not None:
        # It is stricter about numbers and vaguer about places: json has the last word.
        with contextlib.suppress(orjson.JSONDecodeError):
            return orjson.loads(content)
    return json.loads(content)


@contextlib.contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Nothing of a json is garbage, and looking for some takes half of the time of reading it."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@dataclass(frozen=True, slots=True)
class Source:
    """Looks values up in the records of one file, and says where one is wrong."""

    file: str

    def records(self, records: Any, part: str) -> None:
        """Raise unless ``records`` is a list of objects."""
        if not isinstance(records, list):
            raise AnnotationError(f"{self.file}: {part} is {records!r:.80}, not a list")
        if set(map(type, records)) <= {dict}:
            return
        i = next(i for i, record in enumerate(records) if not isinstance(record, dict))
        raise AnnotationError(f"{self.file}: {part}[{i}] is {records[i]!r}, not an object")

    def column(
        self, records: list[dict[str, Any]], part: str, key: str, kind: Kind | None = None
    ) -> list[Any]:
        """``record[key]`` of every record, all of one kind."""
        try:
            values = list(map(itemgetter(key), records))
        except KeyError:
            raise self._missing(records, part, key) from None
        if kind is not None and not set(map(type, values)) <= set(kind[0]):
            i = next(i for i, value in enumerate(values) if type(value) not in kind[0])
            raise AnnotationError(
                f"{self.file}: {part}[{i}] has the {key} {values[i]!r:.80}, which should be "
                f"{kind[1]}"
            )
        return values

    def _missing(self, records: list[dict[str, Any]], part: str, key: str) -> AnnotationError:
        i = next(i for i, record in enumerate(records) if key not in record)
        known = f" (id {records[i]['id']!r})" if "id" in records[i] else ""
        return AnnotationError(
            f"{self.file}: {part}[{i}]{known} has no key {key!r}; every record of {part} needs it"
        )

    def unique(self, ids: list[Hashable], part: str) -> None:
        """Raise unless no id comes twice."""
        if len(set(ids)) == len(ids):
            return
        twice = [key for key, count in Counter(ids).items() if count > 1]
        shown = ", ".join(map(repr, twice[:10])) + (", ..." if len(twice) > 10 else "")
        raise AnnotationError(
            f"{self.file}: {len(twice)} ids of {part} are not unique: {shown}; "
            "number them anew (merging two files without doing so is the usual cause)"
        )

    def known(self, places: np.ndarray, ids: list[Hashable], values: list[Any], part: str) -> None:
        """Raise if a place is -1, naming the annotation and what it refers to."""
        lost = np.flatnonzero(places < 0)
        if len(lost):
            first = int(lost[0])
            raise AnnotationError(
                f"{self.file}: {len(lost)} annotations refer to {part} that the file does not "
                f"list, the first is annotation {ids[first]!r} with {values[first]!r}; add the "
                f"missing {part}, or remove these annotations"
            )

    def boxes(self, annotations: list[dict[str, Any]]) -> np.ndarray:
        """(A, 4) float64 of the key ``bbox``."""
        values = self.column(annotations, "annotations", "bbox")
        boxes = _flat_boxes(values)
        if boxes is not None and np.isfinite(boxes).all():
            return boxes
        for annotation, box in zip(annotations, values, strict=True):
            if not is_box(box):
                raise AnnotationError(
                    f"{self.file}: annotation {annotation['id']!r} has bbox {box!r}, which "
                    "should be four finite numbers [x, y, width, height]"
                )
        raise AssertionError("the boxes failed, yet every one is four numbers")

    def check_segmentations(
        self, annotations: list[dict[str, Any]], segmentations: list[Any]
    ) -> None:
        """Raise unless each is a list of polygons, a run-length object or absent."""
        kinds = set(map(type, segmentations))
        if kinds <= {list, type(None)}:
            lists = segmentations if kinds == {list} else filter(None, segmentations)
            if set(map(type, chain.from_iterable(lists))) <= {list}:
                return
        for annotation, item in zip(annotations, segmentations, strict=True):
            if not is_segmentation(item):
                raise AnnotationError(
                    f"{self.file}: annotation {annotation['id']!r} has a segmentation that is "
                    "neither a list of polygons [[x0, y0, ...], ...] nor an object with size and "
                    "counts"
                )


def _flat_boxes(values: list[Any]) -> np.ndarray | None:
    """(len(values), 4) float64; None if one of them is not a list of four numbers."""
    parts = []
    # Some at a time, so that what is checked is still in the processor's cache when it is copied.
    for start in range(0, len(values), _BLOCK):
        part = values[start : start + _BLOCK]
        if set(map(type, part)) != {list} or set(map(len, part)) != {4}:
            return None
        if not set(map(type, chain.from_iterable(part))) <= {int, float}:
            return None
        try:
            parts.append(flat_numbers(part))
        except OverflowError:
            return None
    return np.concatenate(parts).reshape(-1, 4) if parts else np.zeros((0, 4))


def optional_column(records: list[dict[str, Any]], key: str) -> list[Any]:
    """``record.get(key)`` of every record."""
    try:
        return list(map(itemgetter(key), records))  # half the time, where every record has it
    except KeyError:
        return [record.get(key) for record in records]


def is_number(value: object) -> bool:
    """A finite int or float, and not a bool."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return plain and bool(np.isfinite(value))


def is_box(value: object) -> bool:
    """Four finite numbers."""
    return isinstance(value, list) and len(value) == 4 and all(map(is_number, value))


def is_segmentation(item: object) -> bool:
    """A list of polygons, a run-length object or None."""
    if isinstance(item, list):
        return all(isinstance(polygon, list) for polygon in item)
    if isinstance(item, dict):
        size = item.get("size")
        sized = isinstance(size, list) and len(size) == 2 and all(map(is_number, size))
        return sized and isinstance(item.get("counts"), list | str | bytes)
    return item is None
