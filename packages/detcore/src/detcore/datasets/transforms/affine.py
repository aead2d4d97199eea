"""A random affine map of the whole image."""

from __future__ import annotations

from typing import Any

import numpy as np

from cvcore.dist.seed import generator
from cvcore.image.warp import warp_affine
from detcore.datasets.transforms.fields import (
    clip_boxes,
    inside_image,
    keep_objects,
    reasonable_boxes,
    warp_boxes,
)
from detcore.errors import OptionError
from detcore.registries import PIPELINES

Results = dict[str, Any]


@PIPELINES.register_module()
class RandomAffine:
    """Turn, scale, shear and move the image and its boxes at once.

    Ge et al., "YOLOX: Exceeding YOLO Series in 2021".

    Args:
        max_rotate_degree: Largest turn either way.
        max_translate_ratio: Largest move, as a fraction of the result's sides.
        scaling_ratio_range: Lowest and highest factor.
        max_shear_degree: Largest shear along each axis.
        border: Pixels (height, width) that the result grows by on every side; negative to shrink,
            as after `Mosaic`.
        border_val: Fill of what is uncovered.
        min_bbox_size: Least side of a box, with `skip_filter` off.
        min_area_ratio: Least share of its area that a box keeps, likewise.
        max_aspect_ratio: Largest ratio of the sides of a box, likewise.
        bbox_clip_border: Clip boxes to the result.
        skip_filter: Keep boxes of any size and shape.
    """

    def __init__(
        self,
        max_rotate_degree: float = 10.0,
        max_translate_ratio: float = 0.1,
        scaling_ratio_range: tuple[float, float] = (0.5, 1.5),
        max_shear_degree: float = 2.0,
        border: tuple[int, int] = (0, 0),
        border_val: tuple[float, float, float] = (114, 114, 114),
        min_bbox_size: float = 2,
        min_area_ratio: float = 0.2,
        max_aspect_ratio: float = 20,
        bbox_clip_border: bool = True,
        skip_filter: bool = True,
    ) -> None:
        if not 0 <= max_translate_ratio <= 1:
            raise OptionError(f"RandomAffine: max_translate_ratio={max_translate_ratio} is 0 to 1")
        if not 0 < scaling_ratio_range[0] <= scaling_ratio_range[1]:
            raise OptionError(
                f"RandomAffine: scaling_ratio_range={scaling_ratio_range} is (lowest, highest)"
            )
        self.max_rotate_degree = max_rotate_degree
        self.max_translate_ratio = max_translate_ratio
        self.scaling_ratio_range = scaling_ratio_range
        self.max_shear_degree = max_shear_degree
        self.border = border
        self.border_val = border_val
        self.min_bbox_size = min_bbox_size
        self.min_area_ratio = min_area_ratio
        self.max_aspect_ratio = max_aspect_ratio
        self.bbox_clip_border = bbox_clip_border
        self.skip_filter = skip_filter

    def __call__(self, results: Results) -> Results:
        if "gt_masks" in results:
            raise OptionError("RandomAffine moves boxes only; leave out with_mask")
        image = results["img"]
        height = image.shape[0] + 2 * self.border[0]
        width = image.shape[1] + 2 * self.border[1]
        matrix, scale = self._draw(height, width)
        results["img"] = warp_affine(image, matrix[:2], (width, height), self.border_val)
        results["img_shape"] = results["img"].shape
        for key in results.get("bbox_fields", []):
            before = results[key] * np.float32(scale)
            after = warp_boxes(results[key], matrix)
            if self.bbox_clip_border:
                after = clip_boxes(after, height, width)
            keep = inside_image(after, height, width)
            if not self.skip_filter:
                keep &= reasonable_boxes(
                    before, after, self.min_bbox_size, self.min_area_ratio, self.max_aspect_ratio
                )
            results[key] = after
            keep_objects(results, key, keep)
        return results

    def _draw(self, height: int, width: int) -> tuple[np.ndarray, float]:
        """(3, 3) map from the image to the result, and its factor on sizes."""
        draw = generator()
        turn = np.radians(draw.uniform(-self.max_rotate_degree, self.max_rotate_degree))
        scale = draw.uniform(*self.scaling_ratio_range)
        limit = self.max_shear_degree
        shear_x, shear_y = np.tan(np.radians(draw.uniform(-limit, limit, 2)))
        ratio = self.max_translate_ratio
        move = draw.uniform(-ratio, ratio, 2) * (width, height)
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        matrix = np.eye(3)
        matrix[:2, :2] = np.array([[1, shear_x], [shear_y, 1]]) @ rotation * scale
        matrix[:2, 2] = move
        return matrix, float(scale)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(max_rotate_degree={self.max_rotate_degree}, "
            f"max_translate_ratio={self.max_translate_ratio}, "
            f"scaling_ratio_range={self.scaling_ratio_range}, "
            f"max_shear_degree={self.max_shear_degree}, border={self.border}, "
            f"border_val={self.border_val}, min_bbox_size={self.min_bbox_size}, "
            f"min_area_ratio={self.min_area_ratio}, max_aspect_ratio={self.max_aspect_ratio}, "
            f"skip_filter={self.skip_filter})"
        )
