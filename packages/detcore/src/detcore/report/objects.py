"""What the annotators said and what the model said, image by image, as plain arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from detcore.errors import DetcoreError


@dataclass(frozen=True, slots=True)
class ImageObjects:
    """One image's annotations and detections; boxes are x1 y1 x2 y2 in pixels of the image."""

    name: str  # file name, as the annotations have it
    path: Path  # where the image lies
    truth_boxes: np.ndarray  # (g, 4)
    truth_labels: np.ndarray  # (g,) int64
    ignored_boxes: np.ndarray  # (k, 4) crowds and their like: detections there do not count
    boxes: np.ndarray  # (d, 4), the surest first
    scores: np.ndarray  # (d,)
    labels: np.ndarray  # (d,) int64


def objects_of(dataset: Any, results: Sequence[Any]) -> list[ImageObjects]:
    """Annotations of ``dataset`` and ``results`` brought together.

    Args:
        dataset: Has ``CLASSES``, ``data_infos`` and ``get_ann_info``, or is several of these in
            ``datasets``.
        results: One entry an image: per class an (n, 5) array, or a tuple of that and masks.

    Raises:
        DetcoreError: The results are of another kind or number.
    """
    if not getattr(dataset, "CLASSES", None):
        raise DetcoreError(f"{type(dataset).__name__} has no class names to report on")
    places = list(_places(dataset))
    if len(places) != len(results):
        raise DetcoreError(f"{len(results)} results for {len(places)} images of the dataset")
    return [
        _image(part, index, result, len(dataset.CLASSES))
        for (part, index), result in zip(places, results, strict=True)
    ]


def _places(dataset: Any) -> Iterator[tuple[Any, int]]:
    """The plain dataset and the position in it, of each image."""
    if hasattr(dataset, "datasets"):
        for part in dataset.datasets:
            yield from _places(part)
    elif hasattr(dataset, "get_ann_info") and hasattr(dataset, "data_infos"):
        yield from ((dataset, index) for index in range(len(dataset)))
    else:
        raise DetcoreError(f"{type(dataset).__name__} gives no annotations to report on")


def _image(dataset: Any, index: int, result: Any, num_classes: int) -> ImageObjects:
    annotation = dataset.get_ann_info(index)
    name = str(dataset.data_infos[index]["filename"])
    rows, labels = _flat(result, num_classes)
    return ImageObjects(
        name=name,
        path=Path(dataset.img_prefix or "") / name,
        truth_boxes=np.asarray(annotation["bboxes"], dtype=np.float64).reshape(-1, 4),
        truth_labels=np.asarray(annotation["labels"], dtype=np.int64),
        ignored_boxes=np.asarray(annotation.get("bboxes_ignore", ()), float).reshape(-1, 4),
        boxes=rows[:, :4],
        scores=rows[:, 4],
        labels=labels,
    )


def _flat(result: Any, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """(d, 5) float64 and (d,) labels, the surest first."""
    per_class = result[0] if isinstance(result, tuple) else result
    if not isinstance(per_class, list) or len(per_class) != num_classes:
        raise DetcoreError(
            f"a result is one (n, 5) array for each of the {num_classes} classes, or a tuple of "
            f"that and masks, not {type(result).__name__}"
        )
    rows = np.concatenate([np.reshape(found, (-1, 5)) for found in per_class]).astype(np.float64)
    labels = np.concatenate([np.full(len(found), i) for i, found in enumerate(per_class)])
    order = np.argsort(-rows[:, 4], kind="stable")
    return rows[order], labels[order].astype(np.int64)
