"""A COCO json in the making."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from pycocotools import mask as rle

Document = dict[str, Any]


class CocoDocument:
    """Collects images and objects, and numbers them from 1.

    Args:
        categories: Class names in label order; they get the ids 1, 2, ...
    """

    def __init__(self, categories: Iterable[str] = ()) -> None:
        self._names = {name: i for i, name in enumerate(categories, start=1)}
        self.images: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []

    def add_image(self, file_name: str, width: int, height: int) -> int:
        """Add an image, and give its id."""
        image_id = len(self.images) + 1
        self.images.append(
            {"id": image_id, "file_name": file_name, "width": int(width), "height": int(height)}
        )
        return image_id

    def category_id(self, name: str) -> int:
        """The id of a class; a name that is new gets the next one."""
        return self._names.setdefault(name, len(self._names) + 1)

    def add_box(self, image_id: int, name: str, corners: Sequence[float], **more: Any) -> None:
        """Add an object by its box x1 y1 x2 y2, in pixels."""
        x1, y1, x2, y2 = (float(value) for value in corners)
        self._add(image_id, name, [x1, y1, x2 - x1, y2 - y1], (x2 - x1) * (y2 - y1), more)

    def add_polygons(
        self, image_id: int, name: str, polygons: Sequence[np.ndarray], **more: Any
    ) -> None:
        """Add an object by polygons of (points, 2) pixels each; its box encloses them."""
        points = np.concatenate(polygons)
        low, high = points.min(0), points.max(0)
        area = sum(polygon_area(polygon) for polygon in polygons)
        segmentation = [polygon.reshape(-1).tolist() for polygon in polygons]
        box = [*low.tolist(), *(high - low).tolist()]
        self._add(image_id, name, box, area, {"segmentation": segmentation, **more})

    def add_mask(self, image_id: int, name: str, mask: np.ndarray, **more: Any) -> None:
        """Add an object by its (height, width) mask, stored as run lengths."""
        runs = rle.encode(np.asfortranarray(mask, dtype=np.uint8))
        box, area = rle.toBbox(runs).tolist(), float(rle.area(runs))
        segmentation = {"size": list(runs["size"]), "counts": runs["counts"].decode()}
        self._add(image_id, name, box, area, {"segmentation": segmentation, **more})

    def _add(
        self, image_id: int, name: str, box: list[float], area: float, more: dict[str, Any]
    ) -> None:
        annotation = {
            "id": len(self.annotations) + 1,
            "image_id": image_id,
            "category_id": self.category_id(name),
            "bbox": box,
            "area": float(area),
            "iscrowd": 0,
        }
        self.annotations.append({**annotation, **more})

    def as_dict(self) -> Document:
        """Images, annotations and categories, as COCO json has them."""
        categories = [{"id": i, "name": name} for name, i in self._names.items()]
        return {
            "images": self.images,
            "annotations": self.annotations,
            "categories": categories,
        }


def polygon_area(points: np.ndarray) -> float:
    """Area inside a polygon of (points, 2), by the shoelace formula."""
    x, y = points[:, 0], points[:, 1]
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)
