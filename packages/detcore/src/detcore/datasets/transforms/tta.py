"""Several views of one image, for testing."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from detcore.datasets.transforms.compose import Compose
from detcore.errors import OptionError
from detcore.registries import PIPELINES

Results = dict[str, Any]


@PIPELINES.register_module()
class MultiScaleFlipAug:
    """Run the transforms once for every scale and every direction of flipping.

    Every field of the outcome is a list with one entry a view, the unflipped view of the first
    scale first.

    Args:
        transforms: What each view goes through; reads ``scale`` or ``scale_factor``, ``flip`` and
            ``flip_direction``.
        img_scale: Scale, or a list of them; as of `Resize`.
        scale_factor: Factor on the image's size, or a list of them; instead of `img_scale`.
        flip: Add flipped views.
        flip_direction: Direction of them, or a list.
    """

    def __init__(
        self,
        transforms: Sequence[Any],
        img_scale: tuple[int, int] | Sequence[tuple[int, int]] | None = None,
        scale_factor: float | Sequence[float] | None = None,
        flip: bool = False,
        flip_direction: str | Sequence[str] = "horizontal",
    ) -> None:
        if (img_scale is None) == (scale_factor is None):
            raise OptionError("MultiScaleFlipAug: set one of img_scale and scale_factor")
        self.transforms = Compose(transforms)
        self.scale_key = "scale" if img_scale is not None else "scale_factor"
        self.img_scale: list[Any] = (
            np.atleast_1d(scale_factor).tolist() if img_scale is None else _scales(img_scale)
        )
        self.flip = flip
        self.flip_direction = (
            [flip_direction] if isinstance(flip_direction, str) else list(flip_direction)
        )
        flips = any(type(t).__name__ == "RandomFlip" for t in self.transforms.transforms)
        if flip and not flips:
            warnings.warn(
                "MultiScaleFlipAug: flip=True does nothing without RandomFlip in transforms",
                UserWarning,
                stacklevel=2,
            )
        if not flip and self.flip_direction != ["horizontal"]:
            warnings.warn(
                "MultiScaleFlipAug: flip_direction does nothing without flip=True",
                UserWarning,
                stacklevel=2,
            )

    def __call__(self, results: Results) -> dict[str, list[Any]]:
        flips: list[tuple[bool, str | None]] = [(False, None)]
        if self.flip:
            flips += [(True, direction) for direction in self.flip_direction]
        views: dict[str, list[Any]] = {}
        for scale in self.img_scale:
            for flip, direction in flips:
                view = {
                    # The lists of field names grow on the way; each view needs its own.
                    **{k: list(v) if k.endswith("_fields") else v for k, v in results.items()},
                    self.scale_key: scale,
                    "flip": flip,
                    "flip_direction": direction,
                }
                outcome = self.transforms(view)
                if outcome is None:
                    raise OptionError(
                        f"MultiScaleFlipAug: {self.transforms.dropped_by} dropped a view; "
                        "a test pipeline has to keep every image"
                    )
                for key, value in outcome.items():
                    views.setdefault(key, []).append(value)
        return views

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(transforms={self.transforms}, img_scale={self.img_scale}, "
            f"flip={self.flip}, flip_direction={self.flip_direction})"
        )


def _scales(img_scale: Any) -> list[tuple[int, int]]:
    """A list of scales from one pair of edges or several."""
    single = isinstance(img_scale[0], int)
    return [tuple(img_scale)] if single else [tuple(scale) for scale in img_scale]
