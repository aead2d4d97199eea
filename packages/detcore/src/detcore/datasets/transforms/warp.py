"""Shearing, turning and moving of images with their boxes, masks and semantic maps.

The levels are those of Zoph et al., "Learning Data Augmentation Strategies for Object Detection",
ECCV 2020.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cvcore.dist.seed import generator
from cvcore.image import imrotate, imshear, imtranslate
from cvcore.image.warp import rotation_matrix
from detcore.datasets.transforms.fields import clip_boxes, keep_objects, warp_boxes
from detcore.errors import OptionError, check_option
from detcore.registries import PIPELINES

Results = dict[str, Any]
MAX_LEVEL = 10
DIRECTIONS = ("horizontal", "vertical")


def level_to_value(level: float, max_value: float) -> float:
    """The share `level` / 10 of the largest value."""
    return level / MAX_LEVEL * max_value


def _check_level(owner: str, level: float, *probabilities: float) -> None:
    if not 0 <= level <= MAX_LEVEL:
        raise OptionError(f"{owner}: level={level!r} is not between 0 and {MAX_LEVEL}")
    if not all(0 <= probability <= 1 for probability in probabilities):
        raise OptionError(f"{owner}: {probabilities} are not probabilities between 0 and 1")


def _fill(owner: str, value: float | Sequence[float]) -> tuple[float, float, float]:
    """One fill a channel."""
    fill = tuple(map(float, value)) if isinstance(value, Sequence) else (float(value),) * 3
    if len(fill) != 3 or not all(0 <= level <= 255 for level in fill):
        raise OptionError(f"{owner}: img_fill_val={value!r} is not one or three grey levels")
    return fill


class _Warp:
    """What the three warps share: the draw, and which objects survive."""

    prob: float
    random_negative_prob: float

    def _draw(self, value: float) -> float | None:
        """The value with a drawn sign; None to leave the sample alone."""
        draw = generator()
        if draw.random() > self.prob:
            return None
        return -value if draw.random() < self.random_negative_prob else value

    @staticmethod
    def _apply(
        results: Results,
        image: Callable[[np.ndarray, Any], np.ndarray],
        boxes: Callable[[np.ndarray], np.ndarray],
        masks: Callable[[Any], Any],
        fill: tuple[float, float, float],
        seg_fill: int,
        min_size: float = 0,
    ) -> None:
        for key in results.get("img_fields", ["img"]):
            source = results[key]
            results[key] = image(source, fill).astype(source.dtype)
        for key in results.get("mask_fields", []):
            results[key] = masks(results[key])
        for key in results.get("seg_fields", []):
            source = results[key]
            results[key] = image(source, seg_fill).astype(source.dtype)
        height, width = results["img_shape"][:2]
        for key in results.get("bbox_fields", []):
            results[key] = clip_boxes(boxes(results[key]), height, width)
            sizes = results[key][:, 2:] - results[key][:, :2]
            keep_objects(results, key, (sizes > min_size).all(1))


@PIPELINES.register_module()
class Shear(_Warp):
    """Shear by ``level / 10 * max_shear_magnitude``.

    Args:
        level: 0 to 10.
        img_fill_val: Fill of the image, one grey level or one a channel.
        seg_ignore_label: Fill of semantic maps.
        prob: How likely the sample is sheared.
        direction: ``"horizontal"`` or ``"vertical"``.
        max_shear_magnitude: Shear at level 10, at most 1.
        random_negative_prob: How likely the shear goes the other way.
        interpolation: How the image is resampled.
    """

    def __init__(
        self,
        level: float,
        img_fill_val: float | Sequence[float] = 128,
        seg_ignore_label: int = 255,
        prob: float = 0.5,
        direction: str = "horizontal",
        max_shear_magnitude: float = 0.3,
        random_negative_prob: float = 0.5,
        interpolation: str = "bilinear",
    ) -> None:
        _check_level("Shear", level, prob, random_negative_prob, max_shear_magnitude)
        check_option("Shear", "direction", direction, DIRECTIONS)
        self.level = level
        self.magnitude = level_to_value(level, max_shear_magnitude)
        self.img_fill_val = _fill("Shear", img_fill_val)
        self.seg_ignore_label = seg_ignore_label
        self.prob = prob
        self.direction = direction
        self.max_shear_magnitude = max_shear_magnitude
        self.random_negative_prob = random_negative_prob
        self.interpolation = interpolation

    def __call__(self, results: Results) -> Results:
        magnitude = self._draw(self.magnitude)
        if magnitude is None:
            return results
        size = results["img_shape"][:2]
        matrix = np.eye(2, 3)
        matrix[(0, 1) if self.direction == "horizontal" else (1, 0)] = magnitude
        self._apply(
            results,
            lambda image, fill: imshear(image, magnitude, self.direction, fill, self.interpolation),
            lambda boxes: warp_boxes(boxes, matrix),
            lambda masks: masks.shear(
                size, magnitude, self.direction, border_value=0, interpolation=self.interpolation
            ),
            self.img_fill_val,
            self.seg_ignore_label,
        )
        return results

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(level={self.level}, img_fill_val={self.img_fill_val}, "
            f"seg_ignore_label={self.seg_ignore_label}, prob={self.prob}, "
            f"direction={self.direction!r}, max_shear_magnitude={self.max_shear_magnitude}, "
            f"random_negative_prob={self.random_negative_prob}, "
            f"interpolation={self.interpolation!r})"
        )


@PIPELINES.register_module()
class Rotate(_Warp):
    """Turn by ``level / 10 * max_rotate_angle``, clockwise.

    Args:
        level: 0 to 10.
        scale: Factor on the size.
        center: (x, y) to turn about; the middle of the image by default.
        img_fill_val: Fill of the image, one grey level or one a channel.
        seg_ignore_label: Fill of semantic maps.
        prob: How likely the sample is turned.
        max_rotate_angle: Degrees at level 10.
        random_negative_prob: How likely the turn goes the other way.
    """

    def __init__(
        self,
        level: float,
        scale: float = 1,
        center: float | tuple[float, float] | None = None,
        img_fill_val: float | Sequence[float] = 128,
        seg_ignore_label: int = 255,
        prob: float = 0.5,
        max_rotate_angle: float = 30,
        random_negative_prob: float = 0.5,
    ) -> None:
        _check_level("Rotate", level, prob, random_negative_prob)
        self.level = level
        self.scale = scale
        self.angle = level_to_value(level, max_rotate_angle)
        self.center = (center, center) if isinstance(center, int | float) else center
        self.img_fill_val = _fill("Rotate", img_fill_val)
        self.seg_ignore_label = seg_ignore_label
        self.prob = prob
        self.max_rotate_angle = max_rotate_angle
        self.random_negative_prob = random_negative_prob

    def __call__(self, results: Results) -> Results:
        angle = self._draw(self.angle)
        if angle is None:
            return results
        height, width = results["img_shape"][:2]
        center = self.center or ((width - 1) * 0.5, (height - 1) * 0.5)
        matrix = rotation_matrix(center, -angle, self.scale)
        self._apply(
            results,
            lambda image, fill: imrotate(image, angle, center, self.scale, border_value=fill),
            lambda boxes: warp_boxes(boxes, matrix),
            lambda masks: masks.rotate((height, width), angle, center, self.scale, 0),
            self.img_fill_val,
            self.seg_ignore_label,
        )
        return results

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(level={self.level}, scale={self.scale}, "
            f"center={self.center}, img_fill_val={self.img_fill_val}, "
            f"seg_ignore_label={self.seg_ignore_label}, prob={self.prob}, "
            f"max_rotate_angle={self.max_rotate_angle}, "
            f"random_negative_prob={self.random_negative_prob})"
        )


@PIPELINES.register_module()
class Translate(_Warp):
    """Move by ``level / 10 * max_translate_offset``.

    Args:
        level: 0 to 10.
        prob: How likely the sample is moved.
        img_fill_val: Fill of the image, one grey level or one a channel.
        seg_ignore_label: Fill of semantic maps.
        direction: ``"horizontal"`` or ``"vertical"``.
        max_translate_offset: Pixels at level 10.
        random_negative_prob: How likely the move goes the other way.
        min_size: Objects of this width or height, or less, are left out.
    """

    def __init__(
        self,
        level: float,
        prob: float = 0.5,
        img_fill_val: float | Sequence[float] = 128,
        seg_ignore_label: int = 255,
        direction: str = "horizontal",
        max_translate_offset: float = 250.0,
        random_negative_prob: float = 0.5,
        min_size: float = 0,
    ) -> None:
        _check_level("Translate", level, prob, random_negative_prob)
        check_option("Translate", "direction", direction, DIRECTIONS)
        self.level = level
        self.offset = int(level_to_value(level, max_translate_offset))
        self.img_fill_val = _fill("Translate", img_fill_val)
        self.seg_ignore_label = seg_ignore_label
        self.prob = prob
        self.direction = direction
        self.max_translate_offset = max_translate_offset
        self.random_negative_prob = random_negative_prob
        self.min_size = min_size

    def __call__(self, results: Results) -> Results:
        offset = self._draw(self.offset)
        if offset is None:
            return results
        size = results["img_shape"][:2]
        move = [offset, 0] if self.direction == "horizontal" else [0, offset]
        shift = np.array(move * 2, dtype=np.float32)
        self._apply(
            results,
            lambda image, fill: imtranslate(image, offset, self.direction, fill),
            lambda boxes: boxes + shift,
            lambda masks: masks.translate(size, offset, self.direction, 0),
            self.img_fill_val,
            self.seg_ignore_label,
            self.min_size,
        )
        return results

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(level={self.level}, prob={self.prob}, "
            f"img_fill_val={self.img_fill_val}, seg_ignore_label={self.seg_ignore_label}, "
            f"direction={self.direction!r}, max_translate_offset={self.max_translate_offset}, "
            f"random_negative_prob={self.random_negative_prob}, min_size={self.min_size})"
        )


@PIPELINES.register_module()
class RandomShift:
    """Move the image and its boxes by a few pixels; what is uncovered becomes black.

    Chen et al., "You Only Look One-level Feature", CVPR 2021.

    Args:
        shift_ratio: How likely the sample is moved.
        max_shift_px: Furthest move along each axis.
        filter_thr_px: Objects of this width or height, or less, are left out.
    """

    def __init__(
        self, shift_ratio: float = 0.5, max_shift_px: int = 32, filter_thr_px: float = 1
    ) -> None:
        if not 0 <= shift_ratio <= 1 or max_shift_px < 0:
            raise OptionError(
                f"RandomShift: shift_ratio={shift_ratio} is not between 0 and 1, or "
                f"max_shift_px={max_shift_px} is negative"
            )
        self.shift_ratio = shift_ratio
        self.max_shift_px = max_shift_px
        self.filter_thr_px = filter_thr_px

    def __call__(self, results: Results) -> Results:
        draw = generator()
        if draw.random() >= self.shift_ratio:
            return results
        right, down = draw.integers(-self.max_shift_px, self.max_shift_px + 1, 2).tolist()
        height, width = results["img"].shape[:2]
        move = np.array([right, down, right, down], dtype=np.float32)
        moved = {}
        for key in results.get("bbox_fields", []):
            boxes = clip_boxes(results[key] + move, height, width)
            large = ((boxes[:, 2:] - boxes[:, :2]) > self.filter_thr_px).all(1)
            if key == "gt_bboxes" and not large.any():
                return results
            moved[key] = boxes, large
        for key, (boxes, large) in moved.items():
            results[key] = boxes
            keep_objects(results, key, large)
        for key in results.get("img_fields", ["img"]):
            results[key] = _shifted(results[key], right, down)
        return results

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(shift_ratio={self.shift_ratio}, "
            f"max_shift_px={self.max_shift_px}, filter_thr_px={self.filter_thr_px})"
        )


def _shifted(image: np.ndarray, right: int, down: int) -> np.ndarray:
    height, width = image.shape[:2]
    target = np.zeros_like(image)
    target[max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)] = image[
        max(-down, 0) : height - max(down, 0), max(-right, 0) : width - max(right, 0)
    ]
    return target
