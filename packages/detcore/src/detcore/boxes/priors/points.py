"""Points: one prior in every cell of every feature level."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from detcore.boxes.priors.grid import GridCache, cell_corners, pairs, valid_cells
from detcore.errors import OptionError
from detcore.registries import PRIOR_GENERATORS


@PRIOR_GENERATORS.register_module()
class PointGenerator:
    """Corners of the cells of one level, with the stride beside them."""

    def grid_points(
        self,
        featmap_size: tuple[int, int],
        stride: int = 16,
        device: torch.device | str = "cuda",
    ) -> Tensor:
        """(height * width, 3) x y stride in pixels, row by row."""
        like = torch.empty(0, device=device)
        corners = cell_corners(featmap_size, (stride, stride), like=like)
        return torch.cat([corners, corners.new_full((len(corners), 1), stride)], dim=-1)

    def valid_flags(
        self,
        featmap_size: tuple[int, int],
        valid_size: tuple[int, int],
        device: torch.device | str = "cuda",
    ) -> Tensor:
        """(height * width,) bool: cells within the first ``valid_size`` rows and columns."""
        return valid_cells(featmap_size, (1, 1), valid_size, device)


@PRIOR_GENERATORS.register_module()
class MlvlPointGenerator:
    """A point in every cell of every level.

    Args:
        strides: cell size of each level in pixels, one number or (x, y).
        offset: of the point from the cell's corner, in cells.
    """

    def __init__(self, strides: Sequence[int | tuple[int, int]], offset: float = 0.5) -> None:
        self.strides = pairs(strides)
        self.offset = offset
        self._cache = GridCache()

    @property
    def num_levels(self) -> int:
        """Number of feature levels."""
        return len(self.strides)

    @property
    def num_base_priors(self) -> list[int]:
        """Points of a cell, level by level."""
        return [1] * len(self.strides)

    def grid_priors(
        self,
        featmap_sizes: Sequence[tuple[int, int]],
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cuda",
        with_stride: bool = False,
    ) -> list[Tensor]:
        """Points of every level.

        Args:
            featmap_sizes: (height, width) of each level, in cells.
            dtype: of the points.
            device: of the points.
            with_stride: append the stride in x and y to every point.

        Returns:
            One (height * width, 2) a level, or (height * width, 4) with strides, row by row. They
            are kept for the next call: do not write into them.
        """
        self._check_levels(featmap_sizes)
        return [
            self.single_level_grid_priors(size, level, dtype, device, with_stride)
            for level, size in enumerate(featmap_sizes)
        ]

    def single_level_grid_priors(
        self,
        featmap_size: tuple[int, int],
        level_idx: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cuda",
        with_stride: bool = False,
    ) -> Tensor:
        """(height * width, 2 or 4) points of one level; see ``grid_priors``."""
        stride = self.strides[level_idx]

        def make() -> Tensor:
            like = torch.empty(0, dtype=dtype, device=device)
            points = cell_corners(featmap_size, stride, like=like, offset=self.offset)
            if not with_stride:
                return points
            return torch.cat([points, points.new_tensor(stride).expand_as(points)], dim=-1)

        key = (stride, self.offset, tuple(featmap_size), dtype, str(device), with_stride)
        return self._cache.get(key, make)

    def sparse_priors(
        self,
        prior_idxs: Tensor,
        featmap_size: tuple[int, int],
        level_idx: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cuda",
    ) -> Tensor:
        """(k, 2): the points of one level that the (k,) indices into its grid name."""
        x = (prior_idxs % featmap_size[1] + self.offset) * self.strides[level_idx][0]
        y = (prior_idxs // featmap_size[1] + self.offset) * self.strides[level_idx][1]
        return torch.stack([x, y], dim=-1).to(device, dtype)

    def valid_flags(
        self,
        featmap_sizes: Sequence[tuple[int, int]],
        pad_shape: Sequence[int],
        device: torch.device | str = "cuda",
    ) -> list[Tensor]:
        """One (height * width,) bool a level: cells that begin inside the padded image."""
        self._check_levels(featmap_sizes)
        return [
            valid_cells(size, self.strides[level], pad_shape, device)
            for level, size in enumerate(featmap_sizes)
        ]

    def _check_levels(self, featmap_sizes: Sequence[tuple[int, int]]) -> None:
        if len(featmap_sizes) != self.num_levels:
            raise OptionError(
                f"{type(self).__name__}: {len(featmap_sizes)} feature maps for {self.num_levels} "
                "strides; give the point generator one stride for each level of the neck"
            )
