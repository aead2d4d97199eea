"""A panoptic json as flat records, and panoptic maps as segments."""

from __future__ import annotations

import json
from collections.abc import Hashable
from pathlib import PurePath
from typing import Any

import numpy as np

from detcore.errors import AnnotationError
from detcore.evaluation.panoptic import Segments
from detcore.structures.panoptic import INSTANCE_OFFSET


def panoptic_records(
    content: bytes | str, file: str
) -> tuple[dict[str, Any], np.ndarray, dict[Hashable, str]]:
    """A COCO panoptic json as an ordinary COCO document, one annotation a segment.

    Args:
        content: The text of the file.
        file: Its name, for messages.

    Returns:
        The document; (annotations + 1,) int64, at the id of each annotation its segment's number
        in the png; image id -> name of the png.

    Raises:
        AnnotationError: It is not json of this form.
    """
    try:
        data = json.loads(content)
        maps = {entry["image_id"]: str(entry["file_name"]) for entry in data["annotations"]}
        segments = [
            (entry["image_id"], segment)
            for entry in data["annotations"]
            for segment in entry["segments_info"]
        ]
        numbers = np.array([0, *(segment["id"] for _, segment in segments)], dtype=np.int64)
        annotations = [
            {
                "id": i,
                "image_id": image_id,
                "category_id": segment["category_id"],
                "bbox": segment["bbox"],
                "area": segment.get("area"),
                "iscrowd": segment.get("iscrowd", 0),
            }
            for i, (image_id, segment) in enumerate(segments, start=1)
        ]
        images = [dict(image) for image in data["images"]]
        categories = data["categories"]
    except (ValueError, KeyError, TypeError) as error:
        raise AnnotationError(
            f"{file}: not a COCO panoptic file ({type(error).__name__}: {error}); it has images, "
            "categories, and annotations with image_id, file_name and segments_info"
        ) from error
    for image in images:
        maps.setdefault(image["id"], f"{PurePath(image['file_name']).stem}.png")
    return (
        {"images": images, "annotations": annotations, "categories": categories},
        numbers,
        maps,
    )


def found_segments(panoptic_map: np.ndarray, num_classes: int) -> Segments:
    """The segments of a map of label + 1000 * instance; they are numbered from 1.

    Pixels whose label is `num_classes` or above belong to none.
    """
    values, where = np.unique(panoptic_map, return_inverse=True)
    labels = values % INSTANCE_OFFSET
    numbers = np.arange(1, len(values) + 1)
    known = labels < num_classes
    ids = np.where(known, numbers, 0)[where.reshape(panoptic_map.shape)]
    return Segments(ids, dict(zip(numbers[known].tolist(), labels[known].tolist(), strict=True)))
