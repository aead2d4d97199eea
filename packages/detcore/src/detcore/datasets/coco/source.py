"""The json of a COCO file: parsed, and looked up with messages that say where it is wrong."""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
from array import array
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import repeat
from operator import itemgetter
from typing import Any

import numpy as np

from detcore.datasets.coco.columns import (
    append_boxes,
    are_segmentations,
    is_number,
    is_segmentation,
    optional_column,
)
from detcore.datasets.segmentations import Collector, as_array
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
        data = parsed(content)
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


def parsed(content: bytes | str) -> Any:
    """What a json text says.

    Raises:
        ValueError: It is not json, or not UTF-8.
    """
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

    def check_boxes(self, annotations: list[dict[str, Any]]) -> None:
        """Raise unless the ``bbox`` of each is four finite numbers."""
        values = self.column(annotations, "annotations", "bbox")
        numbers = array("d")
        with contextlib.suppress(ValueError):
            append_boxes(numbers, values)
            if np.isfinite(as_array(numbers)).all():
                return
        for annotation, box in zip(annotations, values, strict=True):
            if not is_box(box):
                raise AnnotationError(
                    f"{self.file}: annotation {annotation['id']!r} has bbox {box!r}, which "
                    "should be four finite numbers [x, y, width, height]"
                )

    def check_segmentations(self, annotations: list[dict[str, Any]]) -> None:
        """Raise unless each is a list of polygons, a run-length object or absent."""
        segmentations = optional_column(annotations, "segmentation")
        if not are_segmentations(segmentations):
            i = next(i for i, item in enumerate(segmentations) if not is_segmentation(item))
            raise AnnotationError(
                f"{self.file}: annotation {annotations[i]['id']!r} has a segmentation that is "
                "neither a list of polygons [[x0, y0, ...], ...] nor an object with size and "
                "counts"
            )
        if not _are_numbers(segmentations):
            bad = [i for i, item in enumerate(segmentations) if not _are_numbers([item])]
            raise not_finite(self.file, len(bad), annotations[bad[0]]["id"])


def not_finite(file: str, count: int, first: Hashable) -> AnnotationError:
    """The error of masks that are not made of numbers; ``first`` is the id of the first of them."""
    return AnnotationError(
        f"{file}: {count} annotations have a segmentation with something that is no finite "
        f"number, the first is annotation {first!r}; correct or remove it"
    )


def places_of(values: Iterable[Any], place_of: Mapping[Any, int]) -> np.ndarray:
    """(n,) int64, where each value stands; -1 for those that do not, lists and objects too."""
    keys = (value if isinstance(value, Hashable) else None for value in values)
    return np.fromiter(map(place_of.get, keys, repeat(-1)), np.int64)


def plain_id(value: Any) -> Hashable:
    """An id out of an array as the file has it."""
    return value.item() if isinstance(value, np.generic) else value


def _are_numbers(masks: list[Any]) -> bool:
    try:
        Collector().add(masks)
    except (TypeError, ValueError):
        return False
    return True


def is_box(value: object) -> bool:
    """Four finite numbers."""
    return isinstance(value, list) and len(value) == 4 and all(map(is_number, value))
