"""Results that were written as COCO json, back in the form in which a detector gives them."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from detcore.datasets.coco.source import places_of
from detcore.errors import AnnotationError

_KEYS = ("image_id", "category_id", "bbox", "score")


def read_results(
    content: bytes | str,
    file: str,
    image_ids: Sequence[Hashable],
    category_ids: Sequence[Hashable],
) -> list[Any]:
    """One entry an image: (n, 5) float64 arrays by class, with run-length masks if there are some.

    Boxes are x1 y1 x2 y2 score, in the order of the file, so that the figures come out the same.
    A file whose name says ``proposal`` gives one array an image.

    Args:
        content: The text of the file.
        file: Its name, which messages show.
        image_ids: The dataset's images, in its order.
        category_ids: The categories in label order.

    Raises:
        AnnotationError: The file is no list of detections, or speaks of an image or category that
            the dataset does not have.
    """
    records = _records(content, file)
    image_at = {image_id: i for i, image_id in enumerate(image_ids)}
    proposals = "proposal" in file.rpartition("/")[2]
    label_of = {c: label for label, c in enumerate([1] if proposals else category_ids)}
    images = _places(records, "image_id", image_at, file)
    labels = _places(records, "category_id", label_of, file)
    rows = _rows(records, file)
    if proposals:
        return [rows[images == i] for i in range(len(image_ids))]
    # Stable, so that equal scores keep their order.
    order = np.lexsort((labels, images))
    keys = images[order] * len(category_ids) + labels[order]
    bounds = np.searchsorted(keys, np.arange(len(image_ids) * len(category_ids) + 1))
    pieces = [order[bounds[i] : bounds[i + 1]] for i in range(len(bounds) - 1)]
    with_masks = bool(records) and all("segmentation" in record for record in records)
    number = len(category_ids)
    results: list[Any] = []
    for i in range(len(image_ids)):
        own = pieces[i * number : (i + 1) * number]
        boxes = [rows[piece] for piece in own]
        if with_masks:
            masks = [[_runs(records[k]["segmentation"]) for k in piece.tolist()] for piece in own]
            results.append((boxes, masks))
        else:
            results.append(boxes)
    return results


def _records(content: bytes | str, file: str) -> list[dict[str, Any]]:
    try:
        records = json.loads(content)
    except ValueError as error:
        raise AnnotationError(f"{file}: not valid json: {error}") from error
    if not isinstance(records, list) or not all(isinstance(each, Mapping) for each in records):
        raise AnnotationError(f"{file}: COCO results are a list of objects with {_KEYS}")
    for i, record in enumerate(records):
        missing = [key for key in _KEYS if key not in record]
        if missing:
            raise AnnotationError(f"{file}: detection {i} has no {missing[0]!r}")
    return records


def _places(
    records: Sequence[Mapping[str, Any]], key: str, place_of: Mapping[Any, int], file: str
) -> np.ndarray:
    places = places_of((record[key] for record in records), place_of)
    unknown = np.flatnonzero(places < 0)
    if len(unknown):
        raise AnnotationError(
            f"{file}: {len(unknown)} detections are of a {key} that the dataset does not have, the "
            f"first of {records[unknown[0]][key]!r}; give the config of the data they were made on"
        )
    return places


def _rows(records: Sequence[Mapping[str, Any]], file: str) -> np.ndarray:
    """(n, 5) float64 x1 y1 x2 y2 score."""
    try:
        boxes = np.array([record["bbox"] for record in records], dtype=np.float64).reshape(-1, 4)
        scores = np.array([record["score"] for record in records], dtype=np.float64)
        if len(boxes) != len(scores):
            raise ValueError("a bbox has four numbers")
    except (TypeError, ValueError) as error:
        raise AnnotationError(f"{file}: {error}") from error
    return np.column_stack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:], scores])


def _runs(segmentation: Mapping[str, Any]) -> dict[str, Any]:
    counts = segmentation["counts"]
    return {
        "size": list(segmentation["size"]),
        "counts": counts.encode() if isinstance(counts, str) else counts,
    }
