"""Anchors: boxes of several sizes and shapes around every cell of every feature level.

Ren et al., "Faster R-CNN", 2015; scales per octave: Lin et al., "Focal Loss for Dense Object
Detection", 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from detcore.boxes.priors.grid import GridCache, cell_corners, pairs, valid_cells
from detcore.errors import OptionError
from detcore.registries import PRIOR_GENERATORS


@PRIOR_GENERATORS.register_module()
class AnchorGenerator:
    """Anchors of every ratio and scale, on every cell of every level.

    Args:
        strides: cell size of each level in pixels, one number or (x, y).
        ratios: height over width.
        scales: of ``base_sizes``; or give the two octave arguments.
        base_sizes: side of the square that is scaled, one a level; the smaller stride otherwise.
        scale_major: order anchors of a cell by ratio first and scale second; False turns it round.
        octave_base_scale: scale at the foot of every octave.
        scales_per_octave: how many scales between one octave and the next.
        centers: (x, y) in pixels of the first cell's centre, one a level.
        center_offset: centre of a cell as a part of the base size, 0 to 1.
    """

    def __init__(
        self,
        strides: Sequence[int | tuple[int, int]],
        ratios: Sequence[float],
        scales: Sequence[float] | None = None,
        base_sizes: Sequence[float] | None = None,
        scale_major: bool = True,
        octave_base_scale: float | None = None,
        scales_per_octave: int | None = None,
        centers: Sequence[tuple[float, float]] | None = None,
        center_offset: float = 0.0,
    ) -> None:
        self.strides = pairs(strides)
        self.base_sizes: Sequence[Any] = (
            [min(stride) for stride in self.strides] if base_sizes is None else base_sizes
        )
        self._check_centres(centers, center_offset)
        self.octave_base_scale = octave_base_scale
        self.scales_per_octave = scales_per_octave
        self.scales: Any = torch.tensor(self._all_scales(scales), dtype=torch.float32)
        self.ratios: Any = torch.tensor(list(ratios), dtype=torch.float32)
        self.scale_major = scale_major
        self.centers = centers
        self.center_offset = center_offset
        self.base_anchors = self.gen_base_anchors()
        self._cache = GridCache()

    def _check_centres(
        self, centers: Sequence[tuple[float, float]] | None, center_offset: float
    ) -> None:
        if not 0 <= center_offset <= 1:
            raise OptionError(f"{type(self).__name__}: center_offset={center_offset}; give 0 to 1")
        if centers is not None and center_offset != 0:
            raise OptionError(
                f"{type(self).__name__}: centers and center_offset both place the anchors; keep one"
            )
        for name, values in (("base_sizes", self.base_sizes), ("centers", centers)):
            if values is not None and len(values) != len(self.strides):
                raise OptionError(
                    f"{type(self).__name__}: {len(values)} {name} for {len(self.strides)} strides; "
                    "give one a level"
                )

    def _all_scales(self, scales: Sequence[float] | None) -> list[float]:
        octave = self.octave_base_scale is not None and self.scales_per_octave is not None
        if octave == (scales is not None):
            raise OptionError(
                f"{type(self).__name__}: give either scales, or octave_base_scale with "
                "scales_per_octave"
            )
        if scales is not None:
            return list(scales)
        assert self.octave_base_scale is not None
        assert self.scales_per_octave is not None
        steps = range(self.scales_per_octave)
        return [self.octave_base_scale * 2 ** (i / self.scales_per_octave) for i in steps]

    @property
    def num_levels(self) -> int:
        """Number of feature levels."""
        return len(self.strides)

    @property
    def num_base_priors(self) -> list[int]:
        """Anchors of a cell, level by level."""
        return [len(anchors) for anchors in self.base_anchors]

    @property
    def num_base_anchors(self) -> list[int]:
        """``num_base_priors`` under its older name."""
        return self.num_base_priors

    def gen_base_anchors(self) -> list[Tensor]:
        """(A, 4) anchors of the first cell of each level."""
        return [
            self.gen_single_level_base_anchors(
                base_size,
                scales=self.scales,
                ratios=self.ratios,
                center=None if self.centers is None else self.centers[level],
            )
            for level, base_size in enumerate(self.base_sizes)
        ]

    def gen_single_level_base_anchors(
        self,
        base_size: float,
        scales: Tensor,
        ratios: Tensor,
        center: tuple[float, float] | None = None,
    ) -> Tensor:
        """(A, 4) anchors of one cell: every ratio of every scale of ``base_size``."""
        widths, heights = self.anchor_sizes(base_size, scales, ratios)
        x, y = (self.center_offset * base_size,) * 2 if center is None else center
        corners = [x - 0.5 * widths, y - 0.5 * heights, x + 0.5 * widths, y + 0.5 * heights]
        return torch.stack(corners, dim=-1)

    def anchor_sizes(
        self, base_size: float, scales: Tensor, ratios: Tensor
    ) -> tuple[Tensor, Tensor]:
        """(A,) widths and (A,) heights, of equal area for every ratio, in the order configured."""
        tall = ratios.sqrt()
        wide = 1 / tall
        if self.scale_major:
            widths = base_size * wide[:, None] * scales
            heights = base_size * tall[:, None] * scales
        else:
            widths = base_size * scales[:, None] * wide
            heights = base_size * scales[:, None] * tall
        return widths.flatten(), heights.flatten()

    def grid_priors(
        self,
        featmap_sizes: Sequence[tuple[int, int]],
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cuda",
    ) -> list[Tensor]:
        """Anchors of every level.

        Args:
            featmap_sizes: (height, width) of each level, in cells.
            dtype: of the anchors.
            device: of the anchors.

        Returns:
            One (height * width * A, 4) a level, row by row and cell by cell. They are kept for the
            next call: do not write into them.
        """
        self._check_levels(featmap_sizes)
        return [
            self.single_level_grid_priors(size, level, dtype, device)
            for level, size in enumerate(featmap_sizes)
        ]

    def single_level_grid_priors(
        self,
        featmap_size: tuple[int, int],
        level_idx: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cuda",
    ) -> Tensor:
        """(height * width * A, 4) anchors of one level; see ``grid_priors``."""
        base_anchors = self.base_anchors[level_idx]
        # A tensor's hash is its identity: anchors that a user replaces miss the cache.
        key = (base_anchors, level_idx, tuple(featmap_size), dtype, str(device))
        return self._cache.get(
            key, lambda: self._grid(base_anchors.to(device, dtype), featmap_size, level_idx)
        )

    def _grid(self, base_anchors: Tensor, featmap_size: tuple[int, int], level_idx: int) -> Tensor:
        corners = cell_corners(featmap_size, self.strides[level_idx], like=base_anchors)
        shifts = corners.repeat(1, 2)
        return (shifts[:, None, :] + base_anchors).reshape(-1, 4)

    def sparse_priors(
        self,
        prior_idxs: Tensor,
        featmap_size: tuple[int, int],
        level_idx: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cuda",
    ) -> Tensor:
        """(k, 4): the anchors of one level that the (k,) indices into its grid name."""
        base_anchors = self.base_anchors[level_idx].to(device, dtype)
        cells = prior_idxs // len(base_anchors)
        x = (cells % featmap_size[1]) * self.strides[level_idx][0]
        y = (cells // featmap_size[1]) * self.strides[level_idx][1]
        shifts = torch.stack([x, y, x, y], dim=-1).to(device, dtype)
        return shifts + base_anchors[(prior_idxs % len(base_anchors)).to(base_anchors.device)]

    def valid_flags(
        self,
        featmap_sizes: Sequence[tuple[int, int]],
        pad_shape: Sequence[int],
        device: torch.device | str = "cuda",
    ) -> list[Tensor]:
        """One (height * width * A,) bool a level: cells that begin inside the padded image."""
        self._check_levels(featmap_sizes)
        return [
            valid_cells(size, self.strides[level], pad_shape, device).repeat_interleave(
                self.num_base_priors[level]
            )
            for level, size in enumerate(featmap_sizes)
        ]

    def _check_levels(self, featmap_sizes: Sequence[tuple[int, int]]) -> None:
        if len(featmap_sizes) != self.num_levels:
            raise OptionError(
                f"{type(self).__name__}: {len(featmap_sizes)} feature maps for {self.num_levels} "
                "strides; give the anchor generator one stride for each level of the neck"
            )

    def __repr__(self) -> str:
        names = ("strides", "ratios", "scales", "base_sizes", "scale_major", "centers")
        settings = ", ".join(f"{name}={getattr(self, name)}" for name in names)
        return f"{type(self).__name__}({settings}, center_offset={self.center_offset})"
