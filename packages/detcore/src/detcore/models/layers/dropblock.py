"""Dropping connected regions of a feature map (Ghiasi et al., "DropBlock", 2018)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cvcore.cnn import PLUGIN_LAYERS
from detcore.errors import OptionError


@PLUGIN_LAYERS.register_module()
class DropBlock(nn.Module):
    """In training, sets squares of every channel to 0 and scales up what is left.

    Args:
        drop_prob: share of the map that is dropped, about.
        block_size: side of the squares, odd, in cells; on smaller maps the largest that fits.
        warmup_iters: calls in training over which the share rises from 0.
        in_channels: given to every plugin; not asked.
    """

    def __init__(
        self,
        drop_prob: float,
        block_size: int,
        warmup_iters: int = 2000,
        in_channels: int | None = None,
    ) -> None:
        super().__init__()
        if block_size % 2 == 0 or block_size < 1:
            raise OptionError(f"DropBlock: block_size={block_size} must be odd and positive")
        if not 0 < drop_prob < 1 or warmup_iters < 0:
            raise OptionError(
                f"DropBlock: drop_prob={drop_prob}, warmup_iters={warmup_iters}; give a drop_prob "
                "between 0 and 1 and a warmup_iters of 0 or more"
            )
        self.drop_prob = drop_prob
        self.block_size = block_size
        self.warmup_iters = warmup_iters
        self.iter_cnt = 0

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) with regions dropped; as it is outside training."""
        if not self.training:
            return x
        self.iter_cnt += 1
        height, width = x.shape[-2:]
        side = min(self.block_size, height, width)
        side -= 1 - side % 2
        rows, columns = height - side + 1, width - side + 1
        # Chance of a square to start at a cell so that, overlaps left out, the share comes out.
        chance = self._share() * height * width / (side**2 * rows * columns)
        centres = torch.full((*x.shape[:2], rows, columns), min(chance, 1.0), device=x.device)
        dropped = F.max_pool2d(
            F.pad(centres.bernoulli(), [side // 2] * 4), side, stride=1, padding=side // 2
        )
        kept = (1 - dropped).to(x.dtype)
        return x * kept * (kept.numel() / kept.sum().clamp(min=1))

    def training_state(self) -> dict[str, Any]:
        """How far the warm-up has come."""
        return {"iter_cnt": self.iter_cnt}

    def load_training_state(self, state: Mapping[str, Any]) -> None:
        """Go on with the warm-up."""
        self.iter_cnt = int(state["iter_cnt"])

    def _share(self) -> float:
        if self.iter_cnt > self.warmup_iters:
            return self.drop_prob
        return self.drop_prob * self.iter_cnt / self.warmup_iters

    def extra_repr(self) -> str:
        """Settings that ``print(model)`` shows."""
        return (
            f"drop_prob={self.drop_prob}, block_size={self.block_size}, "
            f"warmup_iters={self.warmup_iters}"
        )
