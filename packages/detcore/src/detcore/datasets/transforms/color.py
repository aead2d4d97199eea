"""Changes of values that leave every pixel in its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cvcore.dist.seed import generator
from cvcore.image import bgr2hsv, hsv2bgr, imnormalize
from detcore.registries import PIPELINES

Results = dict[str, Any]


@PIPELINES.register_module()
class Normalize:
    """Subtract a mean and divide by a deviation; the image becomes float32.

    Adds ``img_norm_cfg``.

    Args:
        mean: One value a channel, in grey levels, in the order after `to_rgb`.
        std: Likewise.
        to_rgb: Turn BGR into RGB.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], to_rgb: bool = True) -> None:
        self.mean = np.array(mean, dtype=np.float32)
        self.std = np.array(std, dtype=np.float32)
        self.to_rgb = to_rgb

    def __call__(self, results: Results) -> Results:
        for key in results.get("img_fields", ["img"]):
            results[key] = imnormalize(results[key], self.mean, self.std, self.to_rgb)
        self.note(results)
        return results

    def note(self, results: Results) -> None:
        """Remember in the sample how it was normalised."""
        results["img_norm_cfg"] = {"mean": self.mean, "std": self.std, "to_rgb": self.to_rgb}

    def __repr__(self) -> str:
        return f"{type(self).__name__}(mean={self.mean}, std={self.std}, to_rgb={self.to_rgb})"


@PIPELINES.register_module()
class PhotoMetricDistortion:
    """Change brightness, contrast, saturation, hue and the order of channels, each half the time.

    Contrast comes before or after the changes in HSV, at random. The image becomes float32.

    Liu et al., "SSD: Single Shot MultiBox Detector", ECCV 2016.

    Args:
        brightness_delta: Largest shift in grey levels.
        contrast_range: Lowest and highest factor.
        saturation_range: Lowest and highest factor.
        hue_delta: Largest turn in degrees.
    """

    def __init__(
        self,
        brightness_delta: float = 32,
        contrast_range: tuple[float, float] = (0.5, 1.5),
        saturation_range: tuple[float, float] = (0.5, 1.5),
        hue_delta: float = 18,
    ) -> None:
        self.brightness_delta = brightness_delta
        self.contrast_range = contrast_range
        self.saturation_range = saturation_range
        self.hue_delta = hue_delta

    def __call__(self, results: Results) -> Results:
        draw = generator()
        image = results["img"].astype(np.float32)
        if draw.integers(2):
            image += np.float32(draw.uniform(-self.brightness_delta, self.brightness_delta))
        contrast_first = bool(draw.integers(2))
        if contrast_first:
            self._change_contrast(image, draw)
        image = self._change_hue_and_saturation(image, draw)
        if not contrast_first:
            self._change_contrast(image, draw)
        if draw.integers(2):
            image = image[..., draw.permutation(3)]
        results["img"] = np.ascontiguousarray(image)
        return results

    def _change_contrast(self, image: np.ndarray, draw: np.random.Generator) -> None:
        if draw.integers(2):
            image *= np.float32(draw.uniform(*self.contrast_range))

    def _change_hue_and_saturation(
        self, image: np.ndarray, draw: np.random.Generator
    ) -> np.ndarray:
        saturation = draw.uniform(*self.saturation_range) if draw.integers(2) else 1.0
        turn = draw.uniform(-self.hue_delta, self.hue_delta) if draw.integers(2) else 0.0
        if saturation == 1 and turn == 0:
            return image
        hsv = bgr2hsv(image)
        hsv[..., 1] *= np.float32(saturation)
        hsv[..., 0] = (hsv[..., 0] + np.float32(turn)) % 360
        return hsv2bgr(hsv)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(brightness_delta={self.brightness_delta}, "
            f"contrast_range={self.contrast_range}, saturation_range={self.saturation_range}, "
            f"hue_delta={self.hue_delta})"
        )


@PIPELINES.register_module()
class YOLOXHSVRandomAug:
    """Shift hue, saturation and value of an 8-bit image, each of them half the time.

    Ge et al., "YOLOX: Exceeding YOLO Series in 2021".

    Args:
        hue_delta: Largest shift of hue, in half degrees.
        saturation_delta: Largest shift of saturation, of 255.
        value_delta: Largest shift of value, of 255.
    """

    def __init__(
        self, hue_delta: float = 5, saturation_delta: float = 30, value_delta: float = 30
    ) -> None:
        self.hue_delta = hue_delta
        self.saturation_delta = saturation_delta
        self.value_delta = value_delta

    def __call__(self, results: Results) -> Results:
        draw = generator()
        deltas = (self.hue_delta, self.saturation_delta, self.value_delta)
        shift = (draw.uniform(-1, 1, 3) * deltas * draw.integers(0, 2, 3)).astype(np.int16)
        hsv = bgr2hsv(results["img"]).astype(np.int16)
        hsv += shift
        hsv[..., 0] %= 180
        results["img"] = hsv2bgr(hsv.clip(0, 255).astype(np.uint8)).astype(results["img"].dtype)
        return results

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(hue_delta={self.hue_delta}, "
            f"saturation_delta={self.saturation_delta}, value_delta={self.value_delta})"
        )
