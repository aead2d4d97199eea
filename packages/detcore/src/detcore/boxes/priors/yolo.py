"""YOLO's anchors: widths and heights given for every level.

Redmon and Farhadi, "YOLOv3: An Incremental Improvement", 2018.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from detcore.boxes.priors.anchors import AnchorGenerator
from detcore.boxes.priors.grid import GridCache, pairs
from detcore.errors import OptionError
from detcore.registries import PRIOR_GENERATORS


@PRIOR_GENERATORS.register_module()
class YOLOAnchorGenerator(AnchorGenerator):
    """Anchors of given widths and heights about the centre of every cell.

    Args:
        strides: cell size of each level in pixels.
        base_sizes: for each level, the (width, height) of its anchors in pixels.
    """

    def __init__(
        self,
        strides: Sequence[int | tuple[int, int]],
        base_sizes: Sequence[Sequence[tuple[int, int]]],
    ) -> None:
        self.strides = pairs(strides)
        if len(base_sizes) != len(self.strides):
            raise OptionError(
                f"{type(self).__name__}: base_sizes of {len(base_sizes)} levels for "
                f"{len(self.strides)} strides; give a list of sizes for each level"
            )
        self.centers = [(x / 2.0, y / 2.0) for x, y in self.strides]
        self.base_sizes = [pairs(sizes) for sizes in base_sizes]
        self.base_anchors = self.gen_base_anchors()
        self._cache = GridCache()

    def gen_base_anchors(self) -> list[Tensor]:
        """(A, 4) anchors of the first cell of each level."""
        assert self.centers is not None
        base_anchors = []
        for (x, y), sizes in zip(self.centers, self.base_sizes, strict=True):
            width, height = torch.tensor(sizes, dtype=torch.float32).unbind(-1)
            corners = [x - 0.5 * width, y - 0.5 * height, x + 0.5 * width, y + 0.5 * height]
            base_anchors.append(torch.stack(corners, dim=-1))
        return base_anchors

    def responsible_flags(
        self,
        featmap_sizes: Sequence[tuple[int, int]],
        gt_bboxes: Tensor,
        device: torch.device | str = "cuda",
    ) -> list[Tensor]:
        """One (height * width * A,) uint8 a level: anchors of the cells where a box's centre is.

        Args:
            featmap_sizes: (height, width) of each level, in cells.
            gt_bboxes: (G, 4) x1 y1 x2 y2 in pixels of the network input.
            device: of the flags.
        """
        self._check_levels(featmap_sizes)
        centres = ((gt_bboxes[:, :2] + gt_bboxes[:, 2:]) * 0.5).to(device)
        flags = []
        for level, (height, width) in enumerate(featmap_sizes):
            cell = torch.floor(centres / centres.new_tensor(self.strides[level])).long()
            responsible = torch.zeros(height * width, dtype=torch.uint8, device=device)
            responsible[cell[:, 1] * width + cell[:, 0]] = 1
            flags.append(responsible.repeat_interleave(self.num_base_priors[level]))
        return flags

    def __repr__(self) -> str:
        return f"{type(self).__name__}(strides={self.strides}, base_sizes={self.base_sizes})"
