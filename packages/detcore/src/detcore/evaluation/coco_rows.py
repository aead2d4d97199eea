"""Objects and detections as the counting libraries are given them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Arrays = tuple[np.ndarray, np.ndarray]  # precision (T, R, K, A, M), recall (T, K, A, M)
_PIXELS = 1  # the libraries want images to have a size, and do not look at it


@dataclass(frozen=True, slots=True)
class Rows:
    """Objects or detections of all images; ids are numbers from 1 in the order of counting."""

    images: np.ndarray  # (n,) int64
    categories: np.ndarray  # (n,) int64
    boxes: np.ndarray  # (n, 4) float64, x y width height
    areas: np.ndarray  # (n,) float64
    crowd: np.ndarray  # (n,) bool
    scores: np.ndarray | None  # (n,) float64, of detections
    masks: list[dict[str, Any]] | None  # compressed run lengths

    def records(self) -> list[dict[str, Any]]:
        """One dict a row, ids from 1."""
        columns: dict[str, Any] = {
            "image_id": self.images.tolist(),
            "category_id": self.categories.tolist(),
            "bbox": self.boxes.tolist(),
            "area": self.areas.tolist(),
            "iscrowd": self.crowd.astype(int).tolist(),
            "id": range(1, len(self.images) + 1),
        }
        if self.scores is not None:
            columns["score"] = self.scores.tolist()
        if self.masks is not None:
            columns["segmentation"] = self.masks
        names = tuple(columns)
        return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def table(self) -> np.ndarray:
        """(n, 7) float64 image, box, score (1 where there is none) and category."""
        scores = np.ones(len(self.images)) if self.scores is None else self.scores
        return np.column_stack([self.images, self.boxes, scores, self.categories])


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be counted."""

    truths: Rows
    detections: Rows
    num_images: int
    num_categories: int
    iou_type: str  # bbox or segm
    max_dets: list[int]  # ascending
    thresholds: np.ndarray | None
    class_agnostic: bool

    def settle(self, params: Any) -> None:
        """Write the options into a library's parameters."""
        params.imgIds = list(range(1, self.num_images + 1))
        params.catIds = list(range(1, self.num_categories + 1))
        params.maxDets = list(self.max_dets)
        params.useCats = int(not self.class_agnostic)
        if self.thresholds is not None:
            params.iouThrs = self.thresholds

    def document(self, rows: Rows) -> dict[str, Any]:
        """The rows as a COCO json has them."""
        return {
            "images": [
                {"id": i, "width": _PIXELS, "height": _PIXELS}
                for i in range(1, self.num_images + 1)
            ],
            "categories": [{"id": i, "name": str(i)} for i in range(1, self.num_categories + 1)],
            "annotations": rows.records(),
        }
