"""A learnt embedding of a token's absolute position."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cvcore.cnn import BaseModule
from detcore.models.layers.init_choice import InitConfig


def resize_positions(
    positions: Tensor,
    grid: tuple[int, int],
    size: tuple[int, int],
    mode: str = "bilinear",
) -> Tensor:
    """Interpolate an embedding (1, grid height * grid width, channels) to another size.

    An extra token in front of the grid (a class token's) is left out.
    """
    if tuple(grid) == tuple(size) and positions.shape[1] == size[0] * size[1]:
        return positions
    image = positions[:, -grid[0] * grid[1] :].unflatten(1, tuple(grid)).permute(0, 3, 1, 2)
    align = None if mode == "nearest" else False
    resized = F.interpolate(image, size=tuple(size), mode=mode, align_corners=align)
    return resized.flatten(2).transpose(1, 2)


class AbsolutePositionEmbedding(BaseModule):
    """Adds an embedding of the position, interpolated to the map's size, to tokens.

    Args:
        pos_shape: rows and columns of the embedding, or one number for both.
        pos_dim: channels.
        drop_rate: dropout of the sum.
        init_cfg: recipe of initialisation.
    """

    def __init__(
        self,
        pos_shape: int | tuple[int, int],
        pos_dim: int,
        drop_rate: float = 0.0,
        init_cfg: InitConfig | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.pos_shape = (pos_shape, pos_shape) if isinstance(pos_shape, int) else pos_shape
        self.pos_dim = pos_dim
        tokens = self.pos_shape[0] * self.pos_shape[1]
        self.pos_embed = nn.Parameter(torch.zeros(1, tokens, pos_dim))
        self.drop = nn.Dropout(drop_rate)

    def init_weights(self) -> None:
        """Draw the embedding."""
        nn.init.trunc_normal_(self.pos_embed, std=0.02)

    def forward(self, x: Tensor, hw_shape: tuple[int, int], mode: str = "bilinear") -> Tensor:
        """Add to tokens (n, h * w, pos_dim) of a map (h, w)."""
        return self.drop(x + resize_positions(self.pos_embed, self.pos_shape, hw_shape, mode))
