"""A COCO json as flat arrays: read once, checked once, sliced per image."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np
from pycocotools import mask as rle

from detcore.datasets.coco.source import (
    ID,
    NUMBER,
    TEXT,
    Source,
    no_garbage_collection,
    optional_column,
    parse_json,
)
from detcore.datasets.segmentations import Segmentations, to_rle
from detcore.datasets.segmentations.run_lengths import covered_pixels
from detcore.errors import AnnotationError

__all__ = ["CocoRecords", "Segmentations", "read_coco", "to_rle"]

_LOST = "annotations: of an image that the file does not list"


@dataclass(frozen=True, slots=True)
class CocoRecords:
    """The content of a COCO json; annotations are sorted by image, else in the file's order."""

    images: list[dict[str, Any]]  # as in the file, with "filename" added
    category_ids: list[Hashable]
    category_names: list[str]
    offsets: np.ndarray  # (I + 1,) int64: image i has the rows offsets[i]:offsets[i + 1]
    ids: np.ndarray | list[Hashable]  # (A,) of the annotations: int64, or a list of text
    categories: np.ndarray  # (A,) int64, positions in category_ids
    boxes: np.ndarray  # (A, 4) float64, x y width height in pixels
    areas: np.ndarray  # (A,) float64, square pixels
    crowd: np.ndarray  # (A,) bool
    ignore: np.ndarray  # (A,) bool
    segmentations: Segmentations
    left_out: dict[str, int]  # reason -> annotations that belong to nothing in the file
    category_records: list[dict[str, Any]]  # as in the file, in the order of category_ids
    unmasked: np.ndarray  # (A,) bool: the key segmentation is absent or null
    derived: dict[str, int]  # key -> annotations that lack it, so that a value was worked out

    @property
    def image_of(self) -> np.ndarray:
        """(A,) int64, the position of each annotation's image."""
        return np.repeat(np.arange(len(self.images)), np.diff(self.offsets))

    def names_by_id(self) -> list[str]:
        """The names of the categories in the order of their ids, text after numbers."""
        pairs = zip(self.category_ids, self.category_names, strict=True)
        ordered = sorted(pairs, key=lambda pair: (isinstance(pair[0], str), pair[0]))
        return [name for _, name in ordered]


@no_garbage_collection()
def read_coco(
    content: bytes | str | dict[str, Any],
    file: str,
    need_annotations: bool = True,
    file_name: Callable[[dict[str, Any]], str] | None = None,
) -> CocoRecords:
    """Parse and check a COCO json.

    Args:
        content: The text of the file, or what it says.
        file: Its name, for messages.
        need_annotations: Whether a file without the key ``annotations`` is an error.
        file_name: Finds the path of an image in its record; by default it is ``file_name`` there.

    Raises:
        AnnotationError: not json, not COCO, a key is missing, or ids are not unique.
    """
    data = content if isinstance(content, dict) else parse_json(content, file)
    for key in ("images", "categories", *(["annotations"] if need_annotations else [])):
        if not isinstance(data.get(key), list):
            raise AnnotationError(
                f"{file}: not a COCO annotation file: the key {key!r} with a list is missing; "
                f"found {', '.join(map(repr, data)) or 'no keys'}. COCO files hold images, "
                "annotations and categories"
            )
    source = Source(file)
    for part in ("images", "categories", "annotations"):
        source.records(data.get(part, []), part)
    images = [dict(image) for image in data["images"]]
    image_ids = source.column(images, "images", "id", ID)
    for key in ("width", "height"):
        for place, value in enumerate(source.column(images, "images", key, NUMBER)):
            if value < 0:
                raise AnnotationError(
                    f"{file}: images[{place}].{key} (id {image_ids[place]}) is {value}; "
                    "it should be the image's size in pixels"
                )
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
    source: Source,
    annotations: list[dict[str, Any]],
    images: list[dict[str, Any]],
    image_ids: list[Hashable],
    category_ids: list[Hashable],
    categories: list[dict[str, Any]],
) -> CocoRecords:
    ids = source.column(annotations, "annotations", "id", ID)
    source.unique(ids, "annotations")
    of_image = _places(source.column(annotations, "annotations", "image_id", ID), image_ids)
    named = source.column(annotations, "annotations", "category_id", ID)
    of_category = _places(named, category_ids)
    source.known(of_category, ids, named, "categories")
    boxes = source.boxes(annotations)
    lost = int((of_image < 0).sum())
    rows = np.argsort(of_image, kind="stable")[lost:]
    kept, kept_ids = _at(annotations, rows), _at(ids, rows)
    owners = of_image[rows]
    segmentations = optional_column(kept, "segmentation")
    source.check_segmentations(kept, segmentations)
    masks = _masks(source.file, segmentations, kept, images, owners)
    crowd = optional_column(kept, "iscrowd")
    areas, num_derived = _areas(kept, segmentations, boxes[rows], images, owners)
    derived = {"area": num_derived, "iscrowd": crowd.count(None)}
    return CocoRecords(
        images=images,
        category_ids=category_ids,
        category_names=[category["name"] for category in categories],
        offsets=np.concatenate([[0], np.cumsum(np.bincount(owners, minlength=len(images)))]),
        ids=_compact(kept_ids),
        categories=of_category[rows],
        boxes=boxes[rows],
        areas=areas,
        crowd=np.fromiter(map(bool, crowd), bool, len(kept)),
        ignore=np.fromiter(map(bool, optional_column(kept, "ignore")), bool, len(kept)),
        segmentations=masks,
        left_out={_LOST: lost} if lost else {},
        unmasked=np.fromiter((item is None for item in segmentations), bool, len(kept)),
        derived={key: count for key, count in derived.items() if count},
        category_records=categories,
    )


def _places(values: list[Hashable], ids: list[Hashable]) -> np.ndarray:
    """(len(values),) int64, where each stands among the ids; -1 for those that do not."""
    place_of = {value: place for place, value in enumerate(ids)}
    return np.fromiter(map(place_of.get, values, repeat(-1)), np.int64, len(values))


def _at(items: list[Any], rows: np.ndarray) -> list[Any]:
    """The items at these places."""
    if np.array_equal(rows, np.arange(len(items))):  # as most files have them
        return items
    return [items[row] for row in rows.tolist()]


def _masks(
    file: str,
    segmentations: list[Any],
    annotations: list[dict[str, Any]],
    images: list[dict[str, Any]],
    owners: np.ndarray,
) -> Segmentations:
    """The masks as arrays; raises where one has no numbers or is not of its image's size."""
    try:
        masks = Segmentations(segmentations)
        bad = np.flatnonzero(~masks.finite())
    except (OverflowError, TypeError, ValueError):
        bad = np.array([row for row, item in enumerate(segmentations) if not _has_numbers(item)])
    if len(bad):
        raise AnnotationError(
            f"{file}: {len(bad)} annotations have a segmentation with something that is no finite "
            f"number, the first is annotation {annotations[bad[0]]['id']!r}; correct or remove it"
        )
    rows, sizes, texts = masks.run_lengths()
    extent = np.array(
        [(images[i]["height"], images[i]["width"]) for i in owners[rows].tolist()], dtype=np.int64
    ).reshape(-1, 2)
    totals = covered_pixels(texts)
    wrong = np.flatnonzero((sizes != extent).any(1) | (totals != sizes.prod(1)))
    if len(wrong):
        first = int(wrong[0])
        height, width = extent[first].tolist()
        raise AnnotationError(
            f"{file}: {len(wrong)} run-length masks are not of their image's size; the first is "
            f"annotation {annotations[rows[first]]['id']!r}: its size is {sizes[first].tolist()}, "
            f"its runs add up to {totals[first]} pixels, and the image has the height {height} and "
            f"width {width} ({height * width} pixels); write the mask anew from the image"
        )
    return masks


def _compact(ids: list[Hashable]) -> np.ndarray | list[Hashable]:
    """Numbers as an array; an int of the json would keep the memory about it from being freed."""
    array = np.array(ids)
    return array if array.dtype.kind == "i" else ids


def _has_numbers(item: Any) -> bool:
    if not isinstance(item, list):
        return True
    return all(isinstance(n, int | float) for polygon in item for n in polygon)


def _areas(
    annotations: list[dict[str, Any]],
    segmentations: list[Any],
    boxes: np.ndarray,
    images: list[dict[str, Any]],
    owners: np.ndarray,
) -> tuple[np.ndarray, int]:
    """(A,) the stated areas, and how many are not; those are of the mask, else of the box."""
    stated = optional_column(annotations, "area")
    if not set(map(type, stated)) <= {int, float}:
        stated = [_number(value) for value in stated]
    areas = np.fromiter(stated, np.float64, len(stated))
    missing = np.flatnonzero(np.isnan(areas)).tolist()
    for row in missing:
        if segmentations[row]:
            image = images[owners[row]]
            areas[row] = float(
                rle.area(to_rle(segmentations[row], image["height"], image["width"]))
            )
        else:
            areas[row] = boxes[row, 2] * boxes[row, 3]
    return areas, len(missing)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")
