"""Cutting out a part of the image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cvcore.dist.seed import generator
from detcore.datasets.transforms.fields import MASKS_OF, clip_boxes, keep_objects
from detcore.errors import OptionError, check_option
from detcore.evaluation.overlap import box_overlaps
from detcore.registries import PIPELINES

Results = dict[str, Any]
CROP_TYPES = ("absolute", "absolute_range", "relative", "relative_range")


@PIPELINES.register_module()
class RandomCrop:
    """Cut out a part of random place and, with some types, of random size.

    Args:
        crop_size: (height, width) in pixels, or as fractions for the relative types; of
            ``"absolute_range"`` the least and the greatest side.
        crop_type: ``"absolute"``: that size. ``"absolute_range"``: sides drawn between the two
            numbers. ``"relative"``: those fractions. ``"relative_range"``: fractions drawn between
            those and 1. No crop is larger than the image.
        allow_negative_crop: Accept a part without any object; otherwise the sample is dropped.
        recompute_bbox: Take boxes from the cropped masks.
        bbox_clip_border: Clip boxes to the crop.
    """

    def __init__(
        self,
        crop_size: Sequence[float],
        crop_type: str = "absolute",
        allow_negative_crop: bool = False,
        recompute_bbox: bool = False,
        bbox_clip_border: bool = True,
    ) -> None:
        check_option("RandomCrop", "crop_type", crop_type, CROP_TYPES)
        if crop_type.startswith("absolute"):
            good = all(isinstance(side, int) and side > 0 for side in crop_size)
        else:
            good = all(0 < side <= 1 for side in crop_size)
        if crop_type == "absolute_range":
            good = good and crop_size[0] <= crop_size[1]
        if not good or len(crop_size) != 2:
            raise OptionError(
                f"RandomCrop: crop_size={crop_size!r} does not fit crop_type={crop_type!r}: two "
                "positive integers for the absolute types, two numbers up to 1 for the relative"
            )
        self.crop_size = crop_size
        self.crop_type = crop_type
        self.allow_negative_crop = allow_negative_crop
        self.recompute_bbox = recompute_bbox
        self.bbox_clip_border = bbox_clip_border

    def __call__(self, results: Results) -> Results | None:
        crop_size = self._draw_size(results["img"].shape[:2])
        height, width = results["img"].shape[:2]
        draw = generator()
        top = int(draw.integers(max(height - crop_size[0], 0) + 1))
        left = int(draw.integers(max(width - crop_size[1], 0) + 1))
        window = slice(top, top + crop_size[0]), slice(left, left + crop_size[1])
        for key in results.get("img_fields", ["img"]):
            results[key] = results[key][window]
            results["img_shape"] = results[key].shape
        offset = np.array([left, top, left, top], dtype=np.float32)
        for key in results.get("bbox_fields", []):
            if not self._crop_boxes(results, key, offset):
                return None
        for key in results.get("seg_fields", []):
            results[key] = results[key][window]
        return results

    def _draw_size(self, image_size: tuple[int, int]) -> tuple[int, int]:
        height, width = image_size
        first, second = self.crop_size
        draw = generator()
        if self.crop_type == "absolute":
            return min(int(first), height), min(int(second), width)
        if self.crop_type == "absolute_range":
            low, high = int(first), int(second)
            sides = [int(draw.integers(min(n, low), min(n, high) + 1)) for n in (height, width)]
            return sides[0], sides[1]
        fractions = np.array([first, second])
        if self.crop_type == "relative_range":
            fractions = fractions + draw.random(2) * (1 - fractions)
        return int(height * fractions[0] + 0.5), int(width * fractions[1] + 0.5)

    def _crop_boxes(self, results: Results, key: str, offset: np.ndarray) -> bool:
        """Move boxes and what goes with them; False when no object is left that should be."""
        height, width = results["img_shape"][:2]
        boxes = results[key] - offset
        if self.bbox_clip_border:
            boxes = clip_boxes(boxes, height, width)
        inside = (boxes[:, 2:] > boxes[:, :2]).all(1)
        if key == "gt_bboxes" and not inside.any() and not self.allow_negative_crop:
            return False
        results[key] = boxes
        keep_objects(results, key, inside)
        masks = MASKS_OF.get(key, "")
        if results.get(masks) is not None:
            left, top = offset[:2].astype(int)
            results[masks] = results[masks].crop(np.array([left, top, left + width, top + height]))
            if self.recompute_bbox:
                results[key] = results[masks].get_bboxes()
        return True

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(crop_size={self.crop_size}, crop_type={self.crop_type!r}, "
            f"allow_negative_crop={self.allow_negative_crop}, "
            f"recompute_bbox={self.recompute_bbox}, bbox_clip_border={self.bbox_clip_border})"
        )


@PIPELINES.register_module()
class MinIoURandomCrop:
    """Cut out a part that overlaps every object by at least a drawn threshold.

    Liu et al., "SSD: Single Shot MultiBox Detector", ECCV 2016.

    Args:
        min_ious: Thresholds to draw from, beside no crop at all and a crop without threshold.
        min_crop_size: Least side of the part, as a fraction of the image's.
        bbox_clip_border: Clip boxes to the part.
    """

    def __init__(
        self,
        min_ious: Sequence[float] = (0.1, 0.3, 0.5, 0.7, 0.9),
        min_crop_size: float = 0.3,
        bbox_clip_border: bool = True,
    ) -> None:
        self.min_ious = min_ious
        self.min_crop_size = min_crop_size
        self.bbox_clip_border = bbox_clip_border
        self.sample_mode = (1, *min_ious, 0)  # 1 keeps the image whole, 0 takes any part

    def __call__(self, results: Results) -> Results:
        boxes = np.concatenate(
            [results[key] for key in results.get("bbox_fields", [])] or [np.zeros((0, 4))]
        )
        height, width = results["img"].shape[:2]
        draw = generator()
        while True:
            least = self.sample_mode[draw.integers(len(self.sample_mode))]
            if least == 1:
                return results
            for _ in range(50):
                patch = self._draw_patch(draw, height, width)
                if patch is None:
                    continue
                if len(boxes):
                    if box_overlaps(patch[None].astype(np.float32), boxes).min() < least:
                        continue
                    if not _centres_inside(boxes, patch).any():
                        continue
                return self._crop(results, patch)

    def _draw_patch(self, draw: np.random.Generator, height: int, width: int) -> np.ndarray | None:
        """(4,) int x1 y1 x2 y2; None where it is too long or too high."""
        new_width = draw.uniform(self.min_crop_size * width, width)
        new_height = draw.uniform(self.min_crop_size * height, height)
        if not 0.5 <= new_height / new_width <= 2:
            return None
        left, top = draw.uniform(0, width - new_width), draw.uniform(0, height - new_height)
        patch = np.array([left, top, left + new_width, top + new_height]).astype(int)
        return patch if patch[2] > patch[0] and patch[3] > patch[1] else None

    def _crop(self, results: Results, patch: np.ndarray) -> Results:
        left, top, right, bottom = patch.tolist()
        for key in results.get("bbox_fields", []):
            keep_objects(results, key, _centres_inside(results[key], patch))
            boxes = results[key] - np.tile(patch[:2], 2).astype(np.float32)
            if self.bbox_clip_border:
                boxes = clip_boxes(boxes, bottom - top, right - left)
            results[key] = boxes
            masks = MASKS_OF.get(key, "")
            if results.get(masks) is not None:
                results[masks] = results[masks].crop(patch)
        for key in results.get("img_fields", ["img"]):
            results[key] = results[key][top:bottom, left:right]
            results["img_shape"] = results[key].shape
        for key in results.get("seg_fields", []):
            results[key] = results[key][top:bottom, left:right]
        return results

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(min_ious={self.min_ious}, "
            f"min_crop_size={self.min_crop_size}, bbox_clip_border={self.bbox_clip_border})"
        )


def _centres_inside(boxes: np.ndarray, patch: np.ndarray) -> np.ndarray:
    """(n,) bool: the centre lies within the patch, not on its border."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    return ((centres > patch[:2]) & (centres < patch[2:])).all(1)
