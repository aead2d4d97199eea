"""Instance masks as polygons."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from pycocotools import mask as coco_mask

from cvcore.parallel.plain import register_batch_type
from detcore.errors import OptionError, ShapeError, check_option
from detcore.structures.bitmap_masks import BitmapMasks
from detcore.structures.masks import BaseInstanceMasks

# (points, 2) x y to (points, 2) x y
_PointTransform = Callable[[np.ndarray], np.ndarray]


@register_batch_type
class PolygonMasks(BaseInstanceMasks):
    """One list of polygons an object.

    Args:
        masks: for every object its polygons, each (2 * points,) float: x, y, x, y ... in pixels.
        height: in pixels.
        width: in pixels.
    """

    def __init__(self, masks: Sequence[Sequence[np.ndarray]], height: int, width: int) -> None:
        if len(masks) and not isinstance(masks[0], (list, tuple)):
            raise ShapeError(
                "PolygonMasks: an object is a list of polygons; put the polygons of one object in "
                "a list of their own"
            )
        self.height = height
        self.width = width
        self.masks = [list(polygons) for polygons in masks]

    def __len__(self) -> int:
        return len(self.masks)

    def __getitem__(self, index: Any) -> PolygonMasks:
        places = np.arange(len(self.masks))[index].reshape(-1)
        return PolygonMasks([self.masks[place] for place in places], self.height, self.width)

    def __iter__(self) -> Iterator[list[np.ndarray]]:
        return iter(self.masks)

    def _moved(self, move: _PointTransform, height: int, width: int) -> PolygonMasks:
        """All points through one function, in an image of a new size."""
        masks = [
            [move(polygon.reshape(-1, 2)).reshape(-1) for polygon in polygons]
            for polygons in self.masks
        ]
        return PolygonMasks(masks, height, width)

    def resize(self, out_shape: tuple[int, int], interpolation: str = "nearest") -> PolygonMasks:
        height, width = out_shape
        scale = np.array([width / self.width, height / self.height])
        return self._moved(lambda points: (points * scale).astype(points.dtype), height, width)

    def flip(self, flip_direction: str = "horizontal") -> PolygonMasks:
        signs = {"horizontal": (-1, 1), "vertical": (1, -1), "diagonal": (-1, -1)}
        check_option("PolygonMasks", "flip_direction", flip_direction, tuple(signs))
        sign = np.array(signs[flip_direction])
        origin = np.where(sign < 0, [self.width, self.height], 0)
        return self._moved(
            lambda points: (origin + sign * points).astype(points.dtype), self.height, self.width
        )

    def pad(self, out_shape: tuple[int, int], pad_val: int = 0) -> PolygonMasks:
        return PolygonMasks(self.masks, out_shape[0], out_shape[1])

    def crop(self, bbox: np.ndarray) -> PolygonMasks:
        limits = [self.width, self.height, self.width, self.height]
        x1, y1, x2, y2 = np.clip(bbox, 0, limits)
        x1, y1 = min(x1, self.width - 1), min(y1, self.height - 1)
        # Points outside stay where they are: rasterising cuts them off.
        return self._moved(
            lambda points: (points - [x1, y1]).astype(points.dtype),
            int(max(y2 - y1, 1)),
            int(max(x2 - x1, 1)),
        )

    def crop_and_resize(
        self,
        bboxes: np.ndarray,
        out_shape: tuple[int, int],
        inds: np.ndarray,
        device: torch.device | str = "cpu",
        interpolation: str = "bilinear",
        binarize: bool = True,
    ) -> PolygonMasks:
        if not binarize:
            raise OptionError(
                "PolygonMasks: polygons have no soft parts; load masks with poly2mask=True, or "
                "leave binarize=True"
            )
        height, width = out_shape
        parts = []
        for box, index in zip(np.asarray(bboxes), np.asarray(inds), strict=True):
            x1, y1, x2, y2 = box
            size = np.maximum([x2 - x1, y2 - y1], 1)
            scale = np.array([width, height]) / np.maximum(size, 0.1)
            parts.append(
                [
                    ((polygon.reshape(-1, 2) - [x1, y1]) * scale).astype(polygon.dtype).reshape(-1)
                    for polygon in self.masks[int(index)]
                ]
            )
        return PolygonMasks(parts, height, width)

    def expand(self, expanded_h: int, expanded_w: int, top: int, left: int) -> PolygonMasks:
        shift = np.array([left, top])
        return self._moved(
            lambda points: (points + shift).astype(points.dtype), expanded_h, expanded_w
        )

    def translate(
        self,
        out_shape: tuple[int, int],
        offset: int,
        direction: str = "horizontal",
        fill_val: int = 0,
        interpolation: str = "bilinear",
    ) -> PolygonMasks:
        self._check_fill(fill_val)
        check_option("PolygonMasks", "direction", direction, ("horizontal", "vertical"))
        shift = np.array([offset, 0] if direction == "horizontal" else [0, offset])
        return self._warped(lambda points: points + shift, out_shape)

    def shear(
        self,
        out_shape: tuple[int, int],
        magnitude: float,
        direction: str = "horizontal",
        border_value: int = 0,
        interpolation: str = "bilinear",
    ) -> PolygonMasks:
        self._check_fill(border_value)
        check_option("PolygonMasks", "direction", direction, ("horizontal", "vertical"))
        matrix = np.eye(2)
        matrix[(0, 1) if direction == "horizontal" else (1, 0)] = magnitude
        return self._warped(lambda points: points @ matrix.T, out_shape)

    def rotate(
        self,
        out_shape: tuple[int, int],
        angle: float,
        center: tuple[float, float] | None = None,
        scale: float = 1.0,
        fill_val: int = 0,
        interpolation: str = "bilinear",
    ) -> PolygonMasks:
        self._check_fill(fill_val)
        pivot = np.array(center or ((self.width - 1) * 0.5, (self.height - 1) * 0.5))
        cos, sin = math.cos(math.radians(angle)) * scale, math.sin(math.radians(angle)) * scale
        matrix = np.array([[cos, -sin], [sin, cos]])  # clockwise, since y runs downwards
        return self._warped(lambda points: (points - pivot) @ matrix.T + pivot, out_shape)

    def _warped(self, move: _PointTransform, out_shape: tuple[int, int]) -> PolygonMasks:
        """All points through one function, then onto the border where they left the image."""
        height, width = out_shape
        return self._moved(
            lambda points: np.clip(move(points), 0, [width, height]).astype(points.dtype),
            height,
            width,
        )

    def _check_fill(self, value: int | None) -> None:
        if value:
            raise OptionError(
                f"PolygonMasks: new area is never inside a polygon, so its value is 0, not {value}"
            )

    def to_bitmap(self) -> BitmapMasks:
        """The same masks as bitmaps of bool."""
        return BitmapMasks(self.to_ndarray(), self.height, self.width)

    @property
    def areas(self) -> np.ndarray:
        return np.array([sum(map(_polygon_area, polygons)) for polygons in self.masks])

    def to_ndarray(self) -> np.ndarray:
        if not self.masks:
            return np.empty((0, self.height, self.width), dtype=np.uint8)
        return np.stack(
            [polygon_to_bitmap(polygons, self.height, self.width) for polygons in self.masks]
        )

    def get_bboxes(self) -> np.ndarray:
        boxes = np.zeros((len(self), 4), dtype=np.float32)
        for box, polygons in zip(boxes, self.masks, strict=True):
            points = np.concatenate(polygons).reshape(-1, 2)
            box[:2], box[2:] = points.min(axis=0), points.max(axis=0)
        return boxes

    @classmethod
    def cat(cls, masks: Sequence[PolygonMasks]) -> PolygonMasks:
        if not masks:
            raise ShapeError("PolygonMasks.cat: nothing to put together; give at least one")
        together = [polygons for part in masks for polygons in part.masks]
        return cls(together, masks[0].height, masks[0].width)

    @classmethod
    def random(
        cls,
        num_masks: int = 3,
        height: int = 32,
        width: int = 32,
        n_verts: int = 5,
        dtype: Any = np.float32,
        rng: np.random.Generator | int | None = None,
    ) -> PolygonMasks:
        """Polygons about random centres, for trying things out."""
        draw = np.random.default_rng(rng)
        masks = []
        for _ in range(num_masks):
            angles = np.sort(draw.random(n_verts)) * 2 * math.pi
            radii = draw.uniform(0.1, 0.5, n_verts)
            circle = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii[:, None]
            points = np.clip(draw.uniform(0.25, 0.75, 2) + circle, 0, 1) * [width, height]
            masks.append([points.astype(dtype).reshape(-1)])
        return cls(masks, height, width)


def polygon_to_bitmap(polygons: Sequence[np.ndarray], height: int, width: int) -> np.ndarray:
    """(height, width) bool of one object's polygons, as the COCO tools draw them."""
    runs = coco_mask.frPyObjects([polygon.tolist() for polygon in polygons], height, width)
    return coco_mask.decode(coco_mask.merge(runs)).astype(bool)


def _polygon_area(polygon: np.ndarray) -> float:
    x, y = polygon[0::2], polygon[1::2]
    return float(0.5 * np.abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))))
