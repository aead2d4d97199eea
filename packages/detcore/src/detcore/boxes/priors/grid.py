"""Cells of a feature map, in pixels of the network input."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence

import torch
from torch import Tensor


def pairs(values: Sequence[int | tuple[int, int]]) -> list[tuple[int, int]]:
    """Every number as (x, y)."""
    return [(v, v) if isinstance(v, (int, float)) else (v[0], v[1]) for v in values]


def cell_corners(
    featmap_size: Sequence[int], stride: tuple[int, int], *, like: Tensor, offset: float = 0.0
) -> Tensor:
    """(height * width, 2) x y of the place ``offset`` cells from each cell's corner, row by row."""
    height, width = featmap_size  # symbols where the model is traced: no int() around them
    x = ((torch.arange(width, device=like.device) + offset) * stride[0]).to(like.dtype)
    y = ((torch.arange(height, device=like.device) + offset) * stride[1]).to(like.dtype)
    grid_y, grid_x = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([grid_x.flatten(), grid_y.flatten()], dim=-1)


def valid_cells(
    featmap_size: Sequence[int],
    stride: tuple[int, int],
    pad_shape: Sequence[int],
    device: torch.device | str,
) -> Tensor:
    """(height * width,) bool: cells whose corner lies inside ``pad_shape`` (height, width)."""
    height, width = int(featmap_size[0]), int(featmap_size[1])
    valid = torch.zeros((height, width), dtype=torch.bool, device=device)
    valid[: math.ceil(pad_shape[0] / stride[1]), : math.ceil(pad_shape[1] / stride[0])] = True
    return valid.flatten()


class GridCache:
    """The grids last asked for; a copy of a generator begins with none of them.

    Args:
        size: how many to keep; images of many shapes would fill the memory otherwise.
    """

    def __init__(self, size: int = 64) -> None:
        self.size = size
        self._grids: OrderedDict[Hashable, Tensor] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Tensor]) -> Tensor:
        """The grid of ``key``, made where it is not kept; always where the model is traced."""
        if torch.compiler.is_compiling():
            return make()
        if key in self._grids:
            self._grids.move_to_end(key)
            return self._grids[key]
        grid = make()
        self._grids[key] = grid
        if len(self._grids) > self.size:
            self._grids.popitem(last=False)
        return grid

    def __deepcopy__(self, memo: object) -> GridCache:
        return GridCache(self.size)

    def __reduce__(self) -> tuple[type[GridCache], tuple[int]]:
        return GridCache, (self.size,)
