"""Padding to a size, and onto a larger canvas."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cvcore.dist.seed import generator
from cvcore.image import impad
from detcore.errors import OptionError
from detcore.registries import PIPELINES

Results = dict[str, Any]


@PIPELINES.register_module()
class Pad:
    """Pad at the right and at the bottom.

    Adds ``pad_shape``, ``pad_fixed_size`` and ``pad_size_divisor``.

    Args:
        size: (height, width) to pad to.
        size_divisor: Pad both sides to a multiple of this.
        pad_to_square: Pad the shorter side to the longer one.
        pad_val: Fill of images, masks and semantic maps (``img``, ``masks``, ``seg``); a number
            is for images and masks.
    """

    def __init__(
        self,
        size: tuple[int, int] | None = None,
        size_divisor: int | None = None,
        pad_to_square: bool = False,
        pad_val: float | Mapping[str, Any] | None = None,
    ) -> None:
        given = sum((size is not None, size_divisor is not None, pad_to_square))
        if given != 1:
            raise OptionError(
                f"Pad: set exactly one of size, size_divisor and pad_to_square, not {given}"
            )
        fill: dict[str, Any] = {"img": 0, "masks": 0, "seg": 255}
        if isinstance(pad_val, Mapping):
            fill.update(pad_val)
        elif pad_val is not None:
            fill.update(img=pad_val, masks=pad_val)
        self.size = size
        self.size_divisor = size_divisor
        self.pad_to_square = pad_to_square
        self.pad_val = fill

    def __call__(self, results: Results) -> Results:
        for key in results.get("img_fields", ["img"]):
            shape = self.padded_size(results[key].shape)
            results[key] = impad(results[key], shape=shape, pad_val=self.pad_val["img"])
        return self.pad_the_rest(results)

    def padded_size(self, shape: Sequence[int]) -> tuple[int, int]:
        """(height, width) of an image of this shape after padding."""
        height, width = shape[:2]
        if self.size_divisor is not None:
            step = self.size_divisor
            return math.ceil(height / step) * step, math.ceil(width / step) * step
        size = (max(height, width),) * 2 if self.pad_to_square else self.size
        assert size is not None, "one of the three is given"
        return max(size[0], height), max(size[1], width)

    def pad_the_rest(self, results: Results) -> Results:
        """Masks and semantic maps to the size of the images, which are padded already."""
        for key in results.get("img_fields", ["img"]):
            results["pad_shape"] = results[key].shape
        fixed = results["pad_shape"][:2] if self.pad_to_square else self.size
        results["pad_fixed_size"] = fixed
        results["pad_size_divisor"] = self.size_divisor
        shape = results["pad_shape"][:2]
        for key in results.get("mask_fields", []):
            results[key] = results[key].pad(shape, pad_val=self.pad_val["masks"])
        for key in results.get("seg_fields", []):
            results[key] = impad(results[key], shape=shape, pad_val=self.pad_val["seg"])
        return results

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(size={self.size}, size_divisor={self.size_divisor}, "
            f"pad_to_square={self.pad_to_square}, pad_val={self.pad_val})"
        )


@PIPELINES.register_module()
class Expand:
    """Put the image somewhere on a larger canvas (the zoom-out of SSD).

    Liu et al., "SSD: Single Shot MultiBox Detector", ECCV 2016.

    Args:
        mean: Fill of the canvas, one value a channel, in the order of `to_rgb`.
        to_rgb: `mean` is RGB while the image is BGR.
        ratio_range: Lowest and highest factor from the image's sides to the canvas's.
        seg_ignore_label: Fill of semantic maps.
        prob: How likely the image is expanded at all.
    """

    def __init__(
        self,
        mean: Sequence[float] = (0, 0, 0),
        to_rgb: bool = True,
        ratio_range: tuple[float, float] = (1, 4),
        seg_ignore_label: int | None = None,
        prob: float = 0.5,
    ) -> None:
        self.mean = tuple(mean)[::-1] if to_rgb else tuple(mean)
        self.to_rgb = to_rgb
        self.ratio_range = ratio_range
        self.seg_ignore_label = seg_ignore_label
        self.prob = prob

    def __call__(self, results: Results) -> Results:
        draw = generator()
        if draw.random() > self.prob:
            return results
        image = results["img"]
        height, width, channels = image.shape
        ratio = draw.uniform(*self.ratio_range)
        canvas_size = (int(height * ratio), int(width * ratio))
        canvas = np.empty((*canvas_size, channels), dtype=image.dtype)
        canvas[:] = np.asarray(self.mean, dtype=image.dtype)
        left = int(draw.uniform(0, width * ratio - width))
        top = int(draw.uniform(0, height * ratio - height))
        canvas[top : top + height, left : left + width] = image
        results["img"] = canvas
        results["img_shape"] = canvas.shape
        offset = np.array([left, top, left, top], dtype=np.float32)
        for key in results.get("bbox_fields", []):
            results[key] = results[key] + offset
        for key in results.get("mask_fields", []):
            results[key] = results[key].expand(*canvas_size, top, left)
        for key in results.get("seg_fields", []):
            ground = np.full(canvas_size, self.seg_ignore_label, dtype=results[key].dtype)
            ground[top : top + height, left : left + width] = results[key]
            results[key] = ground
        return results

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(mean={self.mean}, to_rgb={self.to_rgb}, "
            f"ratio_range={self.ratio_range}, seg_ignore_label={self.seg_ignore_label}, "
            f"prob={self.prob})"
        )
