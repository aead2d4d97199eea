"""Changing the size of images together with their boxes, masks and semantic maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cvcore.dist.seed import generator
from cvcore.image import imrescale, imresize
from detcore.datasets.transforms.fields import clip_boxes
from detcore.errors import OptionError, check_option
from detcore.registries import PIPELINES

Results = dict[str, Any]
Scale = tuple[int, int]


@PIPELINES.register_module()
class Resize:
    """Resize to ``results["scale"]`` where that is set, else to a scale drawn from `img_scale`.

    Adds ``scale``, ``scale_idx``, ``img_shape``, ``pad_shape``, ``scale_factor`` (w, h, w, h)
    float32 and ``keep_ratio``.

    Args:
        img_scale: (long edge, short edge) in pixels, in either order, that the image fits into
            when `keep_ratio`; else (width, height). Or a list of them.
        multiscale_mode: With several scales: ``"range"`` draws both edges between two scales,
            ``"value"`` draws one of the scales.
        ratio_range: With one scale: lowest and highest factor to multiply it by.
        keep_ratio: Keep the image's proportions.
        bbox_clip_border: Clip boxes to the image.
        backend: ``"cv2"`` or ``"pillow"``: whose rounding the resampling follows.
        interpolation: How the image is resampled.
        override: Resize once more though the image has been resized before.
    """

    def __init__(
        self,
        img_scale: Scale | Sequence[Scale] | None = None,
        multiscale_mode: str = "range",
        ratio_range: tuple[float, float] | None = None,
        keep_ratio: bool = True,
        bbox_clip_border: bool = True,
        backend: str = "cv2",
        interpolation: str = "bilinear",
        override: bool = False,
    ) -> None:
        self.img_scale = _scales(img_scale)
        if ratio_range is not None and len(self.img_scale or ()) != 1:
            raise OptionError(
                f"Resize: ratio_range multiplies one img_scale, and img_scale={img_scale!r}"
            )
        check_option("Resize", "multiscale_mode", multiscale_mode, ("value", "range"))
        if ratio_range is None and multiscale_mode == "range" and len(self.img_scale or ()) > 2:
            raise OptionError(
                f"Resize: multiscale_mode='range' draws between two scales, not {img_scale!r}; "
                "use 'value' to choose among several"
            )
        self.multiscale_mode = multiscale_mode
        self.ratio_range = ratio_range
        self.keep_ratio = keep_ratio
        self.bbox_clip_border = bbox_clip_border
        self.backend = backend
        self.interpolation = interpolation
        self.override = override

    def __call__(self, results: Results) -> Results:
        self._choose_scale(results)
        self._resize_images(results)
        self._resize_boxes(results)
        self._resize_masks(results)
        self._resize_semantic_maps(results)
        return results

    def _choose_scale(self, results: Results) -> None:
        if "scale" in results and self.override:
            del results["scale"]
            results.pop("scale_factor", None)
        elif "scale" in results:
            if "scale_factor" in results:
                raise OptionError(
                    "Resize: the image has been resized before in this pipeline; "
                    "set override=True to resize it once more"
                )
            return
        elif "scale_factor" in results:
            factor = results["scale_factor"]
            if not isinstance(factor, float):
                raise OptionError(
                    "Resize: scale_factor should be a float here; to resize an image that has "
                    "been resized before, set override=True"
                )
            height, width = results["img"].shape[:2]
            results["scale"] = (int(width * factor), int(height * factor))
            return
        results["scale"], results["scale_idx"] = self._draw_scale()

    def _draw_scale(self) -> tuple[Scale, int | None]:
        if self.img_scale is None:
            raise OptionError("Resize: no img_scale is given, and the sample has none either")
        if self.ratio_range is not None:
            low, high = self.ratio_range
            factor = generator().random() * (high - low) + low
            return (int(self.img_scale[0][0] * factor), int(self.img_scale[0][1] * factor)), None
        if len(self.img_scale) == 1:
            return self.img_scale[0], 0
        if self.multiscale_mode == "value":
            index = int(generator().integers(len(self.img_scale)))
            return self.img_scale[index], index
        edges = np.sort(np.array(self.img_scale), axis=1)
        short, long = (int(generator().integers(e.min(), e.max() + 1)) for e in edges.T)
        return (long, short), None

    def _resize_images(self, results: Results) -> None:
        for key in results.get("img_fields", ["img"]):
            image = results[key]
            height, width = image.shape[:2]
            resize = imrescale if self.keep_ratio else imresize
            image = resize(
                image, results["scale"], interpolation=self.interpolation, backend=self.backend
            )
            results[key] = image
            factors = (image.shape[1] / width, image.shape[0] / height)
            results["img_shape"] = image.shape
            results["pad_shape"] = image.shape
            results["scale_factor"] = np.array([*factors, *factors], dtype=np.float32)
            results["keep_ratio"] = self.keep_ratio

    def _resize_boxes(self, results: Results) -> None:
        height, width = results["img_shape"][:2]
        for key in results.get("bbox_fields", []):
            boxes = results[key] * results["scale_factor"]
            results[key] = clip_boxes(boxes, height, width) if self.bbox_clip_border else boxes

    def _resize_masks(self, results: Results) -> None:
        for key in results.get("mask_fields", []):
            if results[key] is None:
                continue
            if self.keep_ratio:
                results[key] = results[key].rescale(results["scale"])
            else:
                results[key] = results[key].resize(results["img_shape"][:2])

    def _resize_semantic_maps(self, results: Results) -> None:
        resize = imrescale if self.keep_ratio else imresize
        for key in results.get("seg_fields", []):
            results[key] = resize(
                results[key], results["scale"], interpolation="nearest", backend=self.backend
            )

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(img_scale={self.img_scale}, "
            f"multiscale_mode={self.multiscale_mode!r}, ratio_range={self.ratio_range}, "
            f"keep_ratio={self.keep_ratio}, bbox_clip_border={self.bbox_clip_border})"
        )


def _scales(img_scale: Scale | Sequence[Scale] | None) -> list[Scale] | None:
    if img_scale is None:
        return None
    scales: list[Any] = list(img_scale) if isinstance(img_scale[0], Sequence) else [img_scale]
    for scale in scales:
        if len(scale) != 2 or not all(edge > 0 for edge in scale):
            raise OptionError(f"Resize: a scale is two positive edges, not {scale!r}")
    return [(scale[0], scale[1]) for scale in scales]


@PIPELINES.register_module()
class SegRescale:
    """Rescale semantic maps alone, to the resolution of the features that predict them.

    Args:
        scale_factor: Factor on both sides.
        backend: As of `Resize`.
    """

    def __init__(self, scale_factor: float = 1, backend: str = "cv2") -> None:
        self.scale_factor = scale_factor
        self.backend = backend

    def __call__(self, results: Results) -> Results:
        if self.scale_factor != 1:
            for key in results.get("seg_fields", []):
                results[key] = imrescale(
                    results[key], self.scale_factor, interpolation="nearest", backend=self.backend
                )
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(scale_factor={self.scale_factor})"
