"""Anchors whose sizes are given in pixels, as torchvision's detectors have them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from detcore.boxes.priors.anchors import AnchorGenerator
from detcore.errors import OptionError
from detcore.registries import PRIOR_GENERATORS


@PRIOR_GENERATORS.register_module()
class SizedAnchorGenerator(AnchorGenerator):
    """Anchors around the first corner of every cell, in sizes that need not grow with the stride.

    Args:
        strides: cell size of each level in pixels.
        sizes: for each level, the roots of its anchors' areas in pixels.
        ratios: height over width.
        rounded: move the corners of a cell's anchors to whole pixels, as torchvision does.
    """

    def __init__(
        self,
        strides: Sequence[int | tuple[int, int]],
        sizes: Sequence[Sequence[float]],
        ratios: Sequence[float],
        rounded: bool = True,
    ) -> None:
        if len(sizes) != len(strides):
            raise OptionError(
                f"{type(self).__name__}: {len(sizes)} lists of sizes for {len(strides)} strides; "
                "give one list a level"
            )
        self.sizes = tuple(tuple(of_level) for of_level in sizes)
        self.rounded = rounded
        super().__init__(strides, ratios, scales=[1.0])

    def gen_base_anchors(self) -> list[Tensor]:
        """(A, 4) anchors of the first cell of each level: every size of every ratio."""
        anchors = [
            self.gen_single_level_base_anchors(1.0, torch.tensor(of_level).float(), self.ratios)
            for of_level in self.sizes
        ]
        return [of_level.round() for of_level in anchors] if self.rounded else anchors
