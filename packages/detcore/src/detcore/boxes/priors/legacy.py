"""Anchors as MMDetection 1 rounded them, for its checkpoints."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from detcore.boxes.priors.anchors import AnchorGenerator
from detcore.boxes.priors.ssd import SSDAnchorGenerator
from detcore.registries import PRIOR_GENERATORS


@PRIOR_GENERATORS.register_module()
class LegacyAnchorGenerator(AnchorGenerator):
    """``AnchorGenerator`` with corners in whole pixels that belong to the box.

    Its configs set ``center_offset=0.5``.
    """

    def gen_single_level_base_anchors(
        self,
        base_size: float,
        scales: Tensor,
        ratios: Tensor,
        center: tuple[float, float] | None = None,
    ) -> Tensor:
        """(A, 4) anchors of one cell, rounded; a box of one pixel has equal corners."""
        widths, heights = self.anchor_sizes(base_size, scales, ratios)
        x, y = (self.center_offset * (base_size - 1),) * 2 if center is None else center
        half_width, half_height = 0.5 * (widths - 1), 0.5 * (heights - 1)
        corners = [x - half_width, y - half_height, x + half_width, y + half_height]
        return torch.stack(corners, dim=-1).round()


@PRIOR_GENERATORS.register_module()
class LegacySSDAnchorGenerator(LegacyAnchorGenerator, SSDAnchorGenerator):
    """``SSDAnchorGenerator`` with MMDetection 1's rounding.

    Args:
        strides: cell size of each level in pixels.
        ratios: for each level, the ratios that stand beside 1.
        basesize_ratio_range: foot and top of the sizes over ``input_size``.
        input_size: side of the network input, 300 or 512.
        scale_major: order anchors of a cell by ratio first.
    """

    def __init__(
        self,
        strides: Sequence[int | tuple[int, int]],
        ratios: Sequence[Sequence[float]],
        basesize_ratio_range: tuple[float, float],
        input_size: int = 300,
        scale_major: bool = True,
    ) -> None:
        super().__init__(
            strides,
            ratios,
            basesize_ratio_range=basesize_ratio_range,
            input_size=input_size,
            scale_major=scale_major,
        )

    def level_centres(self) -> list[tuple[float, float]]:
        """(x, y) of the first cell's centre, level by level."""
        return [((x - 1) / 2.0, (y - 1) / 2.0) for x, y in self.strides]
