"""What a model says about one image."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Detections:
    """The objects found in one image, most certain first."""

    boxes: Tensor  # (D, 4) float, x1 y1 x2 y2 in pixels
    scores: Tensor  # (D,) float, 0 .. 1
    labels: Tensor  # (D,) int64, 0 .. num_classes - 1
    masks: Tensor | None = None  # (D, H, W)

    def __len__(self) -> int:
        return len(self.boxes)


@dataclass(frozen=True, slots=True)
class Proposals:
    """Places of one image that may hold an object of any class, most certain first."""

    boxes: Tensor  # (P, 4) float, x1 y1 x2 y2 in pixels
    scores: Tensor  # (P,) float, 0 .. 1

    def __len__(self) -> int:
        return len(self.boxes)
