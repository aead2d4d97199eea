"""Truths and images that the tests of heads share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch

from detcore.structures import ImageInfo, Truth


@pytest.fixture
def truth() -> Callable[..., Truth]:
    """Make a ``Truth`` from lists of boxes, labels and ignored boxes."""

    def make(
        boxes: Sequence[Sequence[float]] = (),
        labels: Sequence[int] = (),
        ignored: Sequence[Sequence[float]] = (),
    ) -> Truth:
        return Truth(
            torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
            torch.tensor(labels, dtype=torch.long),
            torch.tensor(ignored, dtype=torch.float32).reshape(-1, 4),
        )

    return make


@pytest.fixture
def image() -> Callable[..., ImageInfo]:
    """Make an ``ImageInfo`` of an image that was resized by ``scale`` and not padded."""

    def make(
        height: int = 32, width: int = 32, scale: float = 1.0, flip: str | None = None
    ) -> ImageInfo:
        return ImageInfo(
            shape=(height, width),
            pad_shape=(height, width),
            original_shape=(round(height / scale), round(width / scale)),
            scale_factor=(scale,) * 4,
            flip=flip is not None,
            flip_direction=flip,
        )

    return make
