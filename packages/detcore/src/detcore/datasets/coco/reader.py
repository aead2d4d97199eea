"""A COCO json as flat arrays: read once, checked once, sliced per image."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools import mask as rle

from detcore.datasets.coco.blocks import split
from detcore.datasets.coco.collecting import collect, collect_stretch
from detcore.datasets.coco.columns import Columns, compact_ids
from detcore.datasets.coco.records import CocoRecords
from detcore.datasets.coco.source import (
    ID,
    NUMBER,
    TEXT,
    Source,
    no_garbage_collection,
    not_finite,
    parse_json,
    places_of,
    plain_id,
)
from detcore.datasets.segmentations import Segmentations, to_rle
from detcore.datasets.segmentations.run_lengths import covered_pixels
from detcore.errors import AnnotationError

__all__ = ["CocoRecords", "Segmentations", "parse_coco", "read_coco", "to_rle"]

FileName = Callable[[dict[str, Any]], str]
_LOST = "annotations: of an image that the file does not list"
_FAULTS = (AnnotationError, EOFError, KeyError, OSError, OverflowError, TypeError, ValueError)


def read_coco(
    content: bytes | str | dict[str, Any],
    file: str,
    need_annotations: bool = True,
    file_name: FileName | None = None,
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
    records, names = parse_coco(content, file, need_annotations, file_name)
    records.name_images(names)
    return records


@no_garbage_collection()
def parse_coco(
    content: bytes | str | dict[str, Any],
    file: str,
    need_annotations: bool = True,
    file_name: FileName | None = None,
) -> tuple[CocoRecords, list[str]]:
    """As `read_coco`, with the names that images are to have beside them."""
    source = Source(file)
    parts = split(content) if isinstance(content, bytes) else None
    if parts is not None:
        try:
            head = _head(source, parts[0], file_name)
            columns = collect_stretch(parts[1], head.image_places, head.category_places)
            return _records(source, head, columns), head.names
        except _FAULTS:
            pass  # The whole document tells what is wrong, if it is not only unusual.
    data = content if isinstance(content, dict) else parse_json(content, file)
    for key in ("images", "categories", *(["annotations"] if need_annotations else [])):
        if not isinstance(data.get(key), list):
            raise AnnotationError(
                f"{file}: not a COCO annotation file: the key {key!r} with a list is missing; "
                f"found {', '.join(map(repr, data)) or 'no keys'}. COCO files hold images, "
                "annotations and categories"
            )
    head = _head(source, data, file_name)
    annotations = _sound(source, data.get("annotations", []), head)
    lost = len(data.get("annotations", [])) - len(annotations)
    columns = collect([annotations], head.image_places, head.category_places)
    return _records(source, head, columns, lost), head.names


@dataclass(frozen=True, slots=True)
class _Head:
    """What a document says of images and categories."""

    images: list[dict[str, Any]]
    names: list[str]  # of the images' files
    image_places: dict[Hashable, int]
    categories: list[dict[str, Any]]
    category_places: dict[Hashable, int]


def _head(source: Source, data: dict[str, Any], file_name: FileName | None) -> _Head:
    """Images and categories, checked."""
    for part in ("images", "categories", "annotations"):
        source.records(data.get(part, []), part)
    images, categories = [dict(image) for image in data["images"]], data["categories"]
    image_ids = source.column(images, "images", "id", ID)
    for key in ("width", "height"):
        for place, value in enumerate(source.column(images, "images", key, NUMBER)):
            if value < 0:
                raise AnnotationError(
                    f"{source.file}: images[{place}].{key} (id {image_ids[place]}) is {value}; "
                    "it should be the image's size in pixels"
                )
    names = names_of(images, source.file, file_name)
    category_ids = source.column(categories, "categories", "id", ID)
    source.column(categories, "categories", "name", TEXT)
    source.unique(image_ids, "images")
    source.unique(category_ids, "categories")
    return _Head(images, names, _place_of(image_ids), categories, _place_of(category_ids))


def names_of(images: list[dict[str, Any]], file: str, file_name: FileName | None) -> list[str]:
    """The path of every image.

    Raises:
        AnnotationError: One has no name.
    """
    if file_name is not None:
        return [file_name(image) for image in images]
    return Source(file).column(images, "images", "file_name", TEXT)


def _place_of(ids: list[Hashable]) -> dict[Hashable, int]:
    return {value: place for place, value in enumerate(ids)}


def _sound(source: Source, annotations: list[dict[str, Any]], head: _Head) -> list[dict[str, Any]]:
    """The annotations of images that are listed, by image; raises at the first fault."""
    ids = source.column(annotations, "annotations", "id", ID)
    source.unique(ids, "annotations")
    owners = places_of(source.column(annotations, "annotations", "image_id", ID), head.image_places)
    named = source.column(annotations, "annotations", "category_id")
    source.known(places_of(named, head.category_places), ids, named, "categories")
    source.check_boxes(annotations)
    rows = np.argsort(owners, kind="stable")[int((owners < 0).sum()) :]
    kept = [annotations[row] for row in rows.tolist()]
    source.check_segmentations(kept)
    return kept


def _records(source: Source, head: _Head, columns: Columns, lost: int = 0) -> CocoRecords:
    """The annotations of the columns, by image.

    Raises:
        AnnotationError: A mask has a number that is not finite, or is not of its image's size.
        ValueError: Ids come twice, a category is not listed, a box is not finite.
    """
    ids, boxes, flags = columns.ids(), columns.boxes(), columns.flags()
    owners, categories = columns.places()
    if not (_are_unique(ids) and np.isfinite(boxes).all() and (categories >= 0).all()):
        raise ValueError("annotations contradict each other, or the categories")
    masks, areas = Segmentations(columns.segmentations.arrays()), columns.areas()
    if not (owners[:-1] <= owners[1:]).all() or (owners < 0).any():
        lost += int((owners < 0).sum())
        rows = np.argsort(owners, kind="stable")[int((owners < 0).sum()) :]
        ids = ids[rows] if isinstance(ids, np.ndarray) else compact_ids([ids[i] for i in rows])
        owners, categories, boxes, areas = owners[rows], categories[rows], boxes[rows], areas[rows]
        flags = {name: flag[rows] for name, flag in flags.items()}
        masks = masks.take(rows)
    _check_masks(source.file, masks, ids, head.images, owners)
    derived = {
        "area": _work_out(areas, masks, boxes, head.images, owners),
        "iscrowd": int(flags["uncounted"].sum()),
    }
    per_image = np.bincount(owners, minlength=len(head.images))
    return CocoRecords(
        images=head.images,
        category_ids=list(head.category_places),
        category_names=[category["name"] for category in head.categories],
        offsets=np.concatenate([[0], np.cumsum(per_image)]),
        ids=ids,
        categories=categories,
        boxes=boxes,
        areas=areas,
        crowd=flags["crowd"],
        ignore=flags["ignore"],
        segmentations=masks,
        left_out={_LOST: lost} if lost else {},
        category_records=head.categories,
        unmasked=flags["unmasked"],
        derived={key: count for key, count in derived.items() if count},
    )


def _are_unique(ids: np.ndarray | list[Hashable]) -> bool:
    if isinstance(ids, np.ndarray):
        return bool((ids[:-1] < ids[1:]).all()) or len(np.unique(ids)) == len(ids)
    return len(set(ids)) == len(ids)


def _check_masks(
    file: str,
    masks: Segmentations,
    ids: np.ndarray | list[Hashable],
    images: list[dict[str, Any]],
    owners: np.ndarray,
) -> None:
    """Raise where a mask has a number that is not finite, or is not of its image's size."""
    bad = np.flatnonzero(~masks.finite())
    if len(bad):
        raise not_finite(file, len(bad), plain_id(ids[bad[0]]))
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
            f"annotation {plain_id(ids[rows[first]])!r}: its size is {sizes[first].tolist()}, "
            f"its runs add up to {totals[first]} pixels, and the image has the height {height} and "
            f"width {width} ({height * width} pixels); write the mask anew from the image"
        )


def _work_out(
    areas: np.ndarray,
    masks: Segmentations,
    boxes: np.ndarray,
    images: list[dict[str, Any]],
    owners: np.ndarray,
) -> int:
    """Put areas in the place of NaN, of the mask or else of the box; gives their number."""
    missing = np.flatnonzero(np.isnan(areas)).tolist()
    for row in missing:
        mask = masks[row]
        if mask is None:
            areas[row] = boxes[row, 2] * boxes[row, 3]
        else:
            image = images[owners[row]]
            areas[row] = float(rle.area(to_rle(mask, image["height"], image["width"])))
    return len(missing)
