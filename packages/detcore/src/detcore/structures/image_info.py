"""What the transforms did to one image, read from its ``img_metas`` dict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """Sizes and flips of one image; every shape is (height, width) in pixels."""

    shape: tuple[int, int]  # after resizing, before padding
    pad_shape: tuple[int, int]  # after padding
    original_shape: tuple[int, int]  # of the file
    scale_factor: tuple[float, float, float, float]  # shape / original_shape for x1 y1 x2 y2
    flip: bool = False
    flip_direction: str | None = None  # horizontal, vertical or diagonal
    name: str = ""  # path of the file

    @classmethod
    def from_meta(cls, meta: Mapping[str, Any]) -> ImageInfo:
        """Read the keys that ``Collect`` packs; what is missing takes the value of no transform."""
        height, width = meta["img_shape"][:2]
        shape = (int(height), int(width))
        return cls(
            shape=shape,
            pad_shape=_height_width(meta.get("pad_shape", shape)),
            original_shape=_height_width(meta.get("ori_shape", shape)),
            scale_factor=_four(meta.get("scale_factor", 1.0)),
            flip=bool(meta.get("flip", False)),
            flip_direction=meta.get("flip_direction"),
            name=str(meta.get("filename") or ""),
        )


def _height_width(shape: Any) -> tuple[int, int]:
    return int(shape[0]), int(shape[1])


def _four(scale: Any) -> tuple[float, float, float, float]:
    factors = [float(value) for value in scale] if isinstance(scale, Iterable) else [float(scale)]
    x, y = factors[0], factors[1 % len(factors)]
    x2, y2 = (factors[2], factors[3]) if len(factors) == 4 else (x, y)
    return x, y, x2, y2
