"""Results of a detector in COCO's terms: as arrays for the evaluation, as json for a server."""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as rle

from cvcore.fileio import atomic_write
from detcore.errors import AnnotationError
from detcore.evaluation.coco import CocoObjects


def check_results(results: Sequence[Any], num_images: int, num_classes: int) -> str:
    """The kind of these results: ``"proposal"``, ``"bbox"`` or ``"segm"`` (boxes and masks).

    Raises:
        AnnotationError: the number of images or classes is another than the dataset's, or the
            results are of no known kind.
    """
    if not isinstance(results, list):
        raise AnnotationError(f"results should be a list with one entry an image, not {results!r}")
    if len(results) != num_images:
        raise AnnotationError(
            f"{len(results)} results for {num_images} images; evaluate what the same dataset made"
        )
    if not results or isinstance(results[0], np.ndarray):
        return "proposal" if results else "bbox"
    if not isinstance(results[0], list | tuple):
        raise AnnotationError(
            f"a result is a list with one (n, 5) array a class, a tuple of boxes and masks, or an "
            f"(n, 5) array of proposals, not {type(results[0]).__name__}"
        )
    kind = "segm" if isinstance(results[0], tuple) else "bbox"
    found = len(results[0][0] if kind == "segm" else results[0])
    if found != num_classes:
        raise AnnotationError(
            f"the results have {found} classes and the dataset {num_classes}; num_classes of the "
            "model and classes of the dataset have to agree"
        )
    return kind


def proposals_of(results: Sequence[np.ndarray], image_ids: Sequence[Hashable]) -> CocoObjects:
    """(n, 5) proposals of each image as rows of category 1."""
    ids = [i for i, found in zip(image_ids, results, strict=True) for _ in range(len(found))]
    rows = np.concatenate([np.reshape(found, (-1, 5)) for found in results] or [np.zeros((0, 5))])
    return _objects(ids, [1] * len(ids), rows)


def boxes_of(
    results: Sequence[Any], image_ids: Sequence[Hashable], category_ids: Sequence[Hashable]
) -> CocoObjects:
    """Boxes of each image and class, from results with or without masks."""
    per_image = [result[0] if isinstance(result, tuple) else result for result in results]
    return _objects(*_flatten(per_image, image_ids, category_ids))


def masks_of(
    results: Sequence[Any], image_ids: Sequence[Hashable], category_ids: Sequence[Hashable]
) -> CocoObjects:
    """Masks of each image and class; their own scores where the head gives some."""
    boxes = boxes_of(results, image_ids, category_ids)
    masks: list[dict[str, Any]] = []
    scores: list[np.ndarray] = []
    for _, segments in results:
        own_scores = isinstance(segments, tuple)
        for per_class in segments[0] if own_scores else segments:
            masks.extend(_run_lengths(mask) for mask in per_class)
        if own_scores:
            scores.extend(np.asarray(per_class, dtype=np.float64) for per_class in segments[1])
    if len(masks) != len(boxes):
        raise AnnotationError(f"the results hold {len(boxes)} boxes but {len(masks)} masks")
    return CocoObjects(
        image_ids=boxes.image_ids,
        category_ids=boxes.category_ids,
        boxes=boxes.boxes,
        # Of the mask, not of the box: it decides whether an object is small, medium or large.
        areas=_mask_areas(masks),
        scores=np.concatenate(scores) if scores else boxes.scores,
        masks=masks,
    )


def _flatten(
    per_image: Sequence[Sequence[np.ndarray]],
    image_ids: Sequence[Hashable],
    category_ids: Sequence[Hashable],
) -> tuple[list[Hashable], list[Hashable], np.ndarray]:
    images: list[Hashable] = []
    categories: list[Hashable] = []
    for image_id, classes in zip(image_ids, per_image, strict=True):
        for category_id, found in zip(category_ids, classes, strict=True):
            images += [image_id] * len(found)
            categories += [category_id] * len(found)
    arrays = [found for classes in per_image for found in classes if len(found)]
    return images, categories, np.concatenate(arrays) if arrays else np.zeros((0, 5))


def _objects(images: list[Hashable], categories: list[Hashable], rows: np.ndarray) -> CocoObjects:
    rows = rows.astype(np.float64)
    sizes = rows[:, 2:4] - rows[:, :2]
    return CocoObjects(
        image_ids=images,
        category_ids=categories,
        boxes=np.hstack([rows[:, :2], sizes]),
        areas=sizes.prod(1),
        scores=rows[:, 4],
    )


def _mask_areas(masks: list[dict[str, Any]]) -> np.ndarray:
    """(n,) float64 pixels."""
    # pycocotools 2.0.11 keeps the number of masks in eight bits here.
    pieces = [rle.area(masks[i : i + 255]) for i in range(0, len(masks), 255)]
    return np.concatenate([np.zeros(0), *pieces])


def _run_lengths(mask: Any) -> dict[str, Any]:
    if isinstance(mask, dict):
        return mask
    return rle.encode(np.asfortranarray(mask, dtype=np.uint8))


def write_json(objects: CocoObjects, path: str | Path) -> str:
    """Write detections in COCO's submission format; gives the path back."""
    scores = objects.scores if objects.scores is not None else np.ones(len(objects))
    records: list[dict[str, Any]] = [
        {"image_id": image, "bbox": box, "score": score, "category_id": category}
        for image, category, box, score in zip(
            objects.image_ids,
            objects.category_ids,
            objects.boxes.tolist(),
            scores.tolist(),
            strict=True,
        )
    ]
    if objects.masks is not None:
        for record, mask in zip(records, objects.masks, strict=True):
            counts = mask["counts"]
            text = counts.decode() if isinstance(counts, bytes) else counts
            record["segmentation"] = {"size": list(mask["size"]), "counts": text}
    with atomic_write(path) as file:
        file.write(json.dumps(records).encode())
    return str(path)
