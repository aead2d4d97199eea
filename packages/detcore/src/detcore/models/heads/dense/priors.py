"""Priors of a whole pyramid, made once per size of the input."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

MapSizes = tuple[tuple[int, int], ...]


class PriorGrid:
    """The priors of all levels in one tensor; those of the latest input sizes are remembered.

    Args:
        generator: gives the priors of each level (a part of ``PRIOR_GENERATORS``).
        capacity: input sizes to remember; training at several scales meets many.
    """

    def __init__(self, generator: Any, capacity: int = 16) -> None:
        self.generator = generator
        self.capacity = capacity
        self._known: OrderedDict[tuple[MapSizes, str], tuple[Tensor, tuple[int, ...]]] = (
            OrderedDict()
        )

    def __call__(
        self, map_sizes: MapSizes, device: torch.device | str
    ) -> tuple[Tensor, tuple[int, ...]]:
        """Priors (P, 4) float32 and the number of them in each level."""
        if torch.compiler.is_compiling():  # sizes are symbols then, which no cache can know
            return self._make(map_sizes, device)
        key = (map_sizes, str(device))
        if key not in self._known:
            self._known[key] = self._make(map_sizes, device)
            if len(self._known) > self.capacity:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return self._known[key]

    def _make(
        self, map_sizes: MapSizes, device: torch.device | str
    ) -> tuple[Tensor, tuple[int, ...]]:
        levels = self.generator.grid_priors(list(map_sizes), dtype=torch.float32, device=device)
        return torch.cat(levels), tuple(level.shape[0] for level in levels)

    def inside(
        self,
        map_sizes: MapSizes,
        priors: Tensor,
        pad_shape: Sequence[int],
        shape: Sequence[int],
        allowed_border: float,
    ) -> Tensor:
        """(P,) bool: the priors that may be trained in one image of a batch.

        Args:
            map_sizes: height and width of each level's map.
            priors: (P, 4) float32 xyxy.
            pad_shape: height and width of the image with its own padding; cells that only the
                padding of the batch gave are out.
            shape: height and width of the image.
            allowed_border: pixels by which a prior may leave the image; negative for no limit.
        """
        flags = torch.cat(
            self.generator.valid_flags(list(map_sizes), tuple(pad_shape), device=priors.device)
        ).bool()
        if allowed_border < 0:
            return flags
        height, width = shape
        x1, y1, x2, y2 = priors.unbind(dim=1)
        return (
            flags
            & (x1 >= -allowed_border)
            & (y1 >= -allowed_border)
            & (x2 < width + allowed_border)
            & (y2 < height + allowed_border)
        )
