"""A COCO json as flat arrays: read once, checked once, sliced per image."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

import numpy as np
from pycocotools import mask as rle

from detcore.errors import AnnotationError

Segmentation = list[np.ndarray] | dict[str, Any] | None


class Segmentations:
    """Masks of many annotations: polygons in one array, run lengths as they came.

    Millions of small Python lists would fill the memory of every loader process; one array of all
    coordinates is shared between them.
    """

    def __init__(self, items: Sequence[Any]) -> None:
        polygons = [item if isinstance(item, list) else [] for item in items]
        flat = list(chain.from_iterable(polygons))
        self._runs = {i: item for i, item in enumerate(items) if isinstance(item, Mapping)}
        self._first_polygon = np.cumsum([0, *map(len, polygons)])
        self._first_number = np.cumsum([0, *map(len, flat)])
        self._numbers = np.fromiter(chain.from_iterable(flat), np.float64, self._first_number[-1])

    def __len__(self) -> int:
        return len(self._first_polygon) - 1

    def __getitem__(self, row: int) -> Segmentation:
        """Polygons as arrays x0 y0 x1 y1 ... in pixels, a run-length dict, or None."""
        if row in self._runs:
            return dict(self._runs[row])
        first, last = self._first_polygon[row : row + 2]
        bounds = self._first_number[first : last + 1]
        return [self._numbers[begin:end] for begin, end in pairwise(bounds)] or None


ID = ((int, str), "a number or a text")
TEXT = ((str,), "a text")
NUMBER = ((int, float), "a number")


@dataclass(frozen=True, slots=True)
class CocoRecords:
    """The content of a COCO json; annotations are sorted by image, else in the file's order."""

    images: list[dict[str, Any]]  # as in the file, with "filename" added
    category_ids: list[Hashable]
    category_names: list[str]
    offsets: np.ndarray  # (I + 1,) int64: image i has the rows offsets[i]:offsets[i + 1]
    ids: list[Hashable]  # of the annotations
    categories: np.ndarray  # (A,) int64, positions in category_ids
    boxes: np.ndarray  # (A, 4) float64, x y width height in pixels
    areas: np.ndarray  # (A,) float64, square pixels
    crowd: np.ndarray  # (A,) bool
    ignore: np.ndarray  # (A,) bool
    segmentations: Segmentations
    left_out: dict[str, int]  # reason -> annotations that belong to nothing in the file
    category_records: list[dict[str, Any]]  # as in the file, in the order of category_ids

    @property
    def image_of(self) -> np.ndarray:
        """(A,) int64, the position of each annotation's image."""
        return np.repeat(np.arange(len(self.images)), np.diff(self.offsets))

    def names_by_id(self) -> list[str]:
        """The names of the categories in the order of their ids, text after numbers."""
        pairs = zip(self.category_ids, self.category_names, strict=True)
        ordered = sorted(pairs, key=lambda pair: (isinstance(pair[0], str), pair[0]))
        return [name for _, name in ordered]


def read_coco(
    content: bytes | str,
    file: str,
    need_annotations: bool = True,
    file_name: Callable[[dict[str, Any]], str] | None = None,
) -> CocoRecords:
    """Parse and check a COCO json.

    Args:
        content: The text of the file.
        file: Its name, for messages.
        need_annotations: Whether a file without the key ``annotations`` is an error.
        file_name: Finds the path of an image in its record; by default it is ``file_name`` there.

    Raises:
        AnnotationError: not json, not COCO, a key is missing, or ids are not unique.
    """
    data = _parse(content, file)
    for key in ("images", "categories", *(["annotations"] if need_annotations else [])):
        if not isinstance(data.get(key), list):
            raise AnnotationError(
                f"{file}: not a COCO annotation file: the key {key!r} with a list is missing; "
                f"found {', '.join(map(repr, data)) or 'no keys'}. COCO files hold images, "
                "annotations and categories"
            )
    source = _Source(file)
    for part in ("images", "categories", "annotations"):
        source.records(data.get(part, []), part)
    images = [dict(image) for image in data["images"]]
    image_ids = source.column(images, "images", "id", ID)
    for key in ("width", "height"):
        source.column(images, "images", key, NUMBER)
    names = (
        [file_name(i) for i in images]
        if file_name
        else source.column(images, "images", "file_name", TEXT)
    )
    for image, name in zip(images, names, strict=True):
        image["filename"] = name
    category_ids = source.column(data["categories"], "categories", "id", ID)
    source.column(data["categories"], "categories", "name", TEXT)
    source.unique(image_ids, "images")
    source.unique(category_ids, "categories")
    return _annotations(
        source, data.get("annotations", []), images, image_ids, category_ids, data["categories"]
    )


def _annotations(
    source: _Source,
    annotations: list[dict[str, Any]],
    images: list[dict[str, Any]],
    image_ids: list[Hashable],
    category_ids: list[Hashable],
    categories: list[dict[str, Any]],
) -> CocoRecords:
    ids = source.column(annotations, "annotations", "id", ID)
    source.unique(ids, "annotations")
    image_at = {image_id: i for i, image_id in enumerate(image_ids)}
    category_at = {category_id: i for i, category_id in enumerate(category_ids)}
    of_image = np.array(
        [image_at.get(i, -1) for i in source.column(annotations, "annotations", "image_id", ID)],
        dtype=np.int64,
    )
    of_category = np.array(
        [
            category_at.get(i, -1)
            for i in source.column(annotations, "annotations", "category_id", ID)
        ],
        dtype=np.int64,
    )
    boxes = source.boxes(annotations)
    left_out = {
        "annotations: of an image that the file does not list": int((of_image < 0).sum()),
        "annotations: of a category that the file does not list": int(
            ((of_image >= 0) & (of_category < 0)).sum()
        ),
    }
    rows = np.argsort(of_image, kind="stable")
    rows = rows[(of_image[rows] >= 0) & (of_category[rows] >= 0)]
    kept = [annotations[row] for row in rows.tolist()]
    segmentations = [annotation.get("segmentation") for annotation in kept]
    source.check_segmentations(kept, segmentations)
    counts = np.bincount(of_image[rows], minlength=len(images))
    return CocoRecords(
        images=images,
        category_ids=category_ids,
        category_names=[category["name"] for category in categories],
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        ids=[annotation["id"] for annotation in kept],
        categories=of_category[rows],
        boxes=boxes[rows],
        areas=_areas(kept, segmentations, boxes[rows], [images[i] for i in of_image[rows]]),
        crowd=np.array([bool(annotation.get("iscrowd", 0)) for annotation in kept], dtype=bool),
        ignore=np.array([bool(annotation.get("ignore", False)) for annotation in kept], dtype=bool),
        segmentations=Segmentations(segmentations),
        left_out={reason: count for reason, count in left_out.items() if count},
        category_records=categories,
    )


def _areas(
    annotations: list[dict[str, Any]],
    segmentations: list[Any],
    boxes: np.ndarray,
    images: list[dict[str, Any]],
) -> np.ndarray:
    """(A,) the stated areas; where one is missing, that of the mask, else that of the box."""
    areas = np.array([_number(a.get("area")) for a in annotations], dtype=np.float64)
    for row in np.flatnonzero(np.isnan(areas)).tolist():
        if segmentations[row]:
            image, number = images[row], annotations[row]["id"]
            try:
                mask = to_rle(segmentations[row], int(image["height"]), int(image["width"]))
                areas[row] = float(rle.area(mask))
            except (TypeError, ValueError, KeyError, OverflowError, MemoryError) as error:
                raise AnnotationError(
                    f"annotation {number!r} has no area, and its segmentation cannot be read: "
                    f"{error}"
                ) from error
        else:
            areas[row] = boxes[row, 2] * boxes[row, 3]
    return areas


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")


def to_rle(segmentation: Any, height: int, width: int) -> dict[str, Any]:
    """One compressed run-length mask from polygons or from either kind of run lengths."""
    if isinstance(segmentation, Mapping):
        if isinstance(segmentation["counts"], list):
            return rle.frPyObjects(dict(segmentation), height, width)
        return dict(segmentation)
    # Fewer than three points enclose nothing, and four numbers would be taken for a box.
    polygons = [
        np.asarray(p, dtype=np.float64) for p in segmentation if len(p) >= 6 and len(p) % 2 == 0
    ]
    if not polygons:
        return rle.encode(np.zeros((height, width), dtype=np.uint8, order="F"))
    return rle.merge(rle.frPyObjects(polygons, height, width))


def _parse(content: bytes | str, file: str) -> dict[str, Any]:
    try:
        data = json.loads(content)
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


@dataclass(frozen=True, slots=True)
class _Source:
    """Looks values up in the records of one file, and says where one is wrong."""

    file: str

    def records(self, records: Any, part: str) -> None:
        """Raise unless ``records`` is a list of objects."""
        if not isinstance(records, list):
            raise AnnotationError(f"{self.file}: {part} is {records!r:.80}, not a list")
        for i, record in enumerate(records):
            if not isinstance(record, dict):
                raise AnnotationError(f"{self.file}: {part}[{i}] is {record!r:.80}, not an object")

    def column(
        self,
        records: list[dict[str, Any]],
        part: str,
        key: str,
        kind: tuple[tuple[type, ...], str] | None = None,
    ) -> list[Any]:
        """``record[key]`` of every record, all of one kind: its types, and what they are called."""
        try:
            values = [record[key] for record in records]
        except KeyError:
            values = None
        if values is not None:
            self._check_kind(values, part, key, kind)
            return values
        for i, record in enumerate(records):
            if key not in record:
                known = f" (id {record['id']!r})" if "id" in record else ""
                raise AnnotationError(
                    f"{self.file}: {part}[{i}]{known} has no key {key!r}; every record of "
                    f"{part} needs it"
                )
        raise AssertionError("a column failed, yet every record has the key")

    def _check_kind(
        self, values: list[Any], part: str, key: str, kind: tuple[tuple[type, ...], str] | None
    ) -> None:
        if kind is None or {type(value) for value in values} <= set(kind[0]):
            return
        i = next(i for i, value in enumerate(values) if type(value) not in kind[0])
        raise AnnotationError(
            f"{self.file}: {part}[{i}] has the {key} {values[i]!r:.80}, which should be {kind[1]}"
        )

    def unique(self, ids: list[Hashable], part: str) -> None:
        """Raise unless no id comes twice."""
        if len(set(ids)) == len(ids):
            return
        twice = [key for key, count in Counter(ids).items() if count > 1]
        raise AnnotationError(
            f"{self.file}: {len(twice)} ids of {part} are not unique, the first is {twice[0]!r}; "
            "number them anew (merging two files without doing so is the usual cause)"
        )

    def boxes(self, annotations: list[dict[str, Any]]) -> np.ndarray:
        """(A, 4) float64 of the key ``bbox``."""
        values = self.column(annotations, "annotations", "bbox")
        try:
            boxes = np.array(values, dtype=np.float64).reshape(-1, 4)
            good = len(boxes) == len(values) and bool(np.isfinite(boxes).all())
        except (ValueError, TypeError):
            good = False
        if good:
            return boxes
        for annotation, box in zip(annotations, values, strict=True):
            numbers = isinstance(box, list) and all(isinstance(v, int | float) for v in box)
            if not (numbers and len(box) == 4 and np.isfinite(box).all()):
                raise AnnotationError(
                    f"{self.file}: annotation {annotation['id']!r} has bbox {box!r}, which "
                    "should be four finite numbers [x, y, width, height]"
                )
        raise AssertionError("the boxes failed, yet every one is four numbers")

    def check_segmentations(
        self, annotations: list[dict[str, Any]], segmentations: list[Any]
    ) -> None:
        """Raise unless each is a list of polygons, a run-length object or absent."""
        for annotation, item in zip(annotations, segmentations, strict=True):
            if isinstance(item, list):
                good = all(isinstance(polygon, list) for polygon in item)
            elif isinstance(item, dict):
                good = "counts" in item and "size" in item
            else:
                good = item is None
            if not good:
                raise AnnotationError(
                    f"{self.file}: annotation {annotation['id']!r} has a segmentation that is "
                    "neither a list of polygons [[x0, y0, ...], ...] nor an object with size and "
                    "counts"
                )
