"""Mirroring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cvcore.dist.seed import generator
from cvcore.image import imflip
from detcore.errors import OptionError, check_option
from detcore.registries import PIPELINES

Results = dict[str, Any]
DIRECTIONS = ("horizontal", "vertical", "diagonal")


@PIPELINES.register_module()
class RandomFlip:
    """Mirror the image, its boxes, masks and semantic maps, with some probability.

    Where ``results`` has ``flip`` and ``flip_direction`` already, those decide. Else one direction
    or none is drawn, and both keys are added.

    Args:
        flip_ratio: Probability, shared evenly by the directions; or one for each direction.
        direction: ``"horizontal"``, ``"vertical"``, ``"diagonal"`` (both at once), or a list.
    """

    def __init__(
        self,
        flip_ratio: float | Sequence[float] | None = None,
        direction: str | Sequence[str] = "horizontal",
    ) -> None:
        directions = [direction] if isinstance(direction, str) else list(direction)
        for name in directions:
            check_option("RandomFlip", "direction", name, DIRECTIONS)
        self.flip_ratio = flip_ratio
        self.direction = direction
        self._choices: list[str | None] = [*directions, None]
        self._probabilities = self._spread(len(directions))

    def _spread(self, count: int) -> list[float] | None:
        ratio = self.flip_ratio
        if ratio is None:
            return None
        if isinstance(ratio, Sequence):
            if len(ratio) != count:
                raise OptionError(f"RandomFlip: {len(ratio)} flip_ratio for {count} directions")
            ratios = list(ratio)
        else:
            ratios = [ratio / count] * count
        total = sum(ratios)
        if min(ratios) < 0 or total > 1 + 1e-9:
            raise OptionError(f"RandomFlip: flip_ratio={ratio!r} is not between 0 and 1")
        return [*ratios, max(0.0, 1 - total)]

    def __call__(self, results: Results) -> Results:
        if "flip" not in results:
            drawn = self._draw()
            results["flip"] = drawn is not None
            results.setdefault("flip_direction", drawn)
        elif "flip_direction" not in results:
            results["flip_direction"] = self._choices[0]
        if results["flip"]:
            self._flip(results, results["flip_direction"])
        return results

    def _draw(self) -> str | None:
        if self._probabilities is None:
            raise OptionError(
                "RandomFlip: flip_ratio is not set and nothing before it decided; "
                "set flip_ratio=0.5, or 0 to keep every image as it is"
            )
        edges = np.cumsum(self._probabilities)
        index = int(np.searchsorted(edges, generator().random() * edges[-1], side="right"))
        return self._choices[index]

    def _flip(self, results: Results, direction: str) -> None:
        for key in results.get("img_fields", ["img"]):
            results[key] = imflip(results[key], direction=direction)
        for key in results.get("bbox_fields", []):
            results[key] = self.bbox_flip(results[key], results["img_shape"], direction)
        for key in results.get("mask_fields", []):
            results[key] = results[key].flip(direction)
        for key in results.get("seg_fields", []):
            results[key] = imflip(results[key], direction=direction)

    def bbox_flip(self, bboxes: np.ndarray, img_shape: Sequence[int], direction: str) -> np.ndarray:
        """Boxes (..., 4k) x1 y1 x2 y2 of an image of shape (h, w, ...), mirrored with it."""
        check_option("RandomFlip", "direction", direction, DIRECTIONS)
        height, width = img_shape[:2]
        flipped = bboxes.copy()
        if direction != "vertical":
            flipped[..., 0::4] = width - bboxes[..., 2::4]
            flipped[..., 2::4] = width - bboxes[..., 0::4]
        if direction != "horizontal":
            flipped[..., 1::4] = height - bboxes[..., 3::4]
            flipped[..., 3::4] = height - bboxes[..., 1::4]
        return flipped

    def __repr__(self) -> str:
        return f"{type(self).__name__}(flip_ratio={self.flip_ratio})"
