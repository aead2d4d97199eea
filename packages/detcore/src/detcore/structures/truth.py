"""What the annotators said about one image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from detcore.structures.bitmap_masks import BitmapMasks
    from detcore.structures.polygon_masks import PolygonMasks


@dataclass(frozen=True, slots=True)
class Truth:
    """The objects of one image; boxes in pixels of the network input."""

    boxes: Tensor  # (G, 4) float, x1 y1 x2 y2
    labels: Tensor  # (G,) int64, 0 .. num_classes - 1
    ignored: Tensor  # (I, 4) float, x1 y1 x2 y2 of crowds: neither object nor background
    masks: BitmapMasks | PolygonMasks | None = None  # G of them

    def __len__(self) -> int:
        return len(self.boxes)
