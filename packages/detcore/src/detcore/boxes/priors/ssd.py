"""SSD's anchors: one square, a larger one between two levels, and ratios in pairs.

Liu et al., "SSD: Single Shot MultiBox Detector", 2016.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from detcore.boxes.priors.anchors import AnchorGenerator
from detcore.boxes.priors.grid import GridCache, pairs
from detcore.errors import OptionError
from detcore.registries import PRIOR_GENERATORS

# Sizes of the first level in hundredths of the input, by input size and by the ratio range's foot.
_FIRST_LEVEL = {
    (300, 0.15): (7, 15),  # COCO
    (300, 0.2): (10, 20),  # VOC
    (512, 0.1): (4, 10),  # COCO
    (512, 0.15): (7, 15),  # VOC
}


@PRIOR_GENERATORS.register_module()
class SSDAnchorGenerator(AnchorGenerator):
    """Anchors between a least and a greatest size a level.

    Args:
        strides: cell size of each level in pixels.
        ratios: for each level, the ratios that stand beside 1; each is used both ways up.
        min_sizes: least side of each level in pixels; with ``max_sizes``, or neither.
        max_sizes: greatest side of each level in pixels.
        basesize_ratio_range: foot and top of the sizes over ``input_size``, where none are given.
        input_size: side of the network input, 300 or 512, where no sizes are given.
        scale_major: order anchors of a cell by ratio first; SSD's checkpoints want False.
    """

    def __init__(
        self,
        strides: Sequence[int | tuple[int, int]],
        ratios: Sequence[Sequence[float]],
        min_sizes: Sequence[float] | None = None,
        max_sizes: Sequence[float] | None = None,
        basesize_ratio_range: tuple[float, float] = (0.15, 0.9),
        input_size: int = 300,
        scale_major: bool = True,
    ) -> None:
        self.strides = pairs(strides)
        if (min_sizes is None) != (max_sizes is None):
            raise OptionError(f"{type(self).__name__}: give both min_sizes and max_sizes, or none")
        if min_sizes is None or max_sizes is None:
            min_sizes, max_sizes = self._sizes_of_range(basesize_ratio_range, input_size)
        for name, values in (
            ("ratios", ratios),
            ("min_sizes", min_sizes),
            ("max_sizes", max_sizes),
        ):
            if len(values) != len(self.strides):
                raise OptionError(
                    f"{type(self).__name__}: {len(values)} {name} for {len(self.strides)} strides; "
                    "give one a level"
                )
        self.input_size = input_size
        self.basesize_ratio_range = basesize_ratio_range
        self.base_sizes = list(min_sizes)
        self.centers = self.level_centres()
        self.scales = [
            torch.tensor([1.0, math.sqrt(high / low)])
            for low, high in zip(min_sizes, max_sizes, strict=True)
        ]
        self.ratios = [
            torch.tensor([1.0, *(way for ratio in level for way in (1 / ratio, ratio))])
            for level in ratios
        ]
        self.scale_major = scale_major
        self.center_offset = 0.0
        self.base_anchors = self.gen_base_anchors()
        self._cache = GridCache()

    def level_centres(self) -> list[tuple[float, float]]:
        """(x, y) of the first cell's centre, level by level."""
        return [(x / 2.0, y / 2.0) for x, y in self.strides]

    def _sizes_of_range(
        self, ratio_range: tuple[float, float], input_size: int
    ) -> tuple[list[float], list[float]]:
        first = _FIRST_LEVEL.get((input_size, ratio_range[0]))
        if first is None:
            known = ", ".join(f"{size} with {foot}" for size, foot in _FIRST_LEVEL)
            raise OptionError(
                f"{type(self).__name__}: input_size={input_size} with basesize_ratio_range from "
                f"{ratio_range[0]} has no known first level; use {known}, or give min_sizes and "
                "max_sizes"
            )
        low, high = int(ratio_range[0] * 100), int(ratio_range[1] * 100)
        step = (high - low) // (self.num_levels - 2)
        percents = [first, *((ratio, ratio + step) for ratio in range(low, high + 1, step))]
        min_sizes: list[float] = [int(input_size * percent[0] / 100) for percent in percents]
        max_sizes: list[float] = [int(input_size * percent[1] / 100) for percent in percents]
        return min_sizes, max_sizes

    def gen_base_anchors(self) -> list[Tensor]:
        """(A, 4) anchors of the first cell of each level: both squares first, then the ratios."""
        assert self.centers is not None
        levels = zip(self.base_sizes, self.scales, self.ratios, self.centers, strict=True)
        base_anchors = []
        for base_size, scales, ratios, center in levels:
            anchors = self.gen_single_level_base_anchors(base_size, scales, ratios, center)
            count = len(ratios)
            base_anchors.append(anchors[[0, count, *range(1, count)]])
        return base_anchors
