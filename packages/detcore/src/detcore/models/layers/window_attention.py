"""Attention in windows that shift from block to block (Liu et al., "Swin Transformer", 2021)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cvcore.cnn import BaseModule, build_dropout
from detcore.errors import OptionError, ShapeError
from detcore.models.layers.init_choice import InitConfig

LayerConfig = Mapping[str, Any]
DROP_PATH: LayerConfig = {"type": "DropPath", "drop_prob": 0.0}
# Added to the energies of pairs that a shift brought together from opposite borders.
_APART = -100.0


def relative_position_index(height: int, width: int) -> Tensor:
    """Return, for each pair of pixels of a window, the row of its offset in the table.

    Returns:
        (height * width, height * width) int64, counted from the upper left offset.
    """
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    row, column = rows.flatten(), columns.flatten()
    down = row[:, None] - row[None] + height - 1
    across = column[:, None] - column[None] + width - 1
    return down * (2 * width - 1) + across


class WindowMSA(BaseModule):
    """Multi-head attention inside windows, with a learnt bias for each relative position.

    Args:
        embed_dims: channels of the tokens.
        num_heads: heads of the attention.
        window_size: height and width of a window in tokens.
        qkv_bias: bias of the projections to queries, keys and values.
        qk_scale: factor of the energies; the root of a head's channels, inverted, where None.
        attn_drop_rate: dropout of the attention weights.
        proj_drop_rate: dropout after the output projection.
        init_cfg: recipe of initialisation.
    """

    relative_position_index: Tensor

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        window_size: tuple[int, int],
        qkv_bias: bool = True,
        qk_scale: float | None = None,
        attn_drop_rate: float = 0.0,
        proj_drop_rate: float = 0.0,
        init_cfg: InitConfig | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.embed_dims = embed_dims
        self.window_size = window_size
        self.num_heads = num_heads
        self.scale = qk_scale or (embed_dims // num_heads) ** -0.5
        height, width = window_size
        self.relative_position_bias_table = nn.Parameter(
            torch.zeros((2 * height - 1) * (2 * width - 1), num_heads)
        )
        self.register_buffer("relative_position_index", relative_position_index(height, width))
        self.qkv = nn.Linear(embed_dims, embed_dims * 3, bias=qkv_bias)
        self.attn_drop = nn.Dropout(attn_drop_rate)
        self.proj = nn.Linear(embed_dims, embed_dims)
        self.proj_drop = nn.Dropout(proj_drop_rate)

    def init_weights(self) -> None:
        """Draw the table of biases."""
        super().init_weights()
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def _bias(self) -> Tensor:
        """Return the bias of each pair of pixels, (num_heads, pixels, pixels)."""
        pixels = self.window_size[0] * self.window_size[1]
        bias = self.relative_position_bias_table[self.relative_position_index.flatten()]
        return bias.reshape(pixels, pixels, self.num_heads).permute(2, 0, 1)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Let the tokens of each window look at each other.

        Args:
            x: (images * windows, pixels, embed_dims).
            mask: (windows, pixels, pixels) float, added to the energies.
        """
        heads = (self.num_heads, self.embed_dims // self.num_heads)
        query, key, value = self.qkv(x).unflatten(2, (3, *heads)).permute(2, 0, 3, 1, 4)
        bias = self._bias().unsqueeze(0)
        if mask is not None:
            bias = (bias + mask.unsqueeze(1)).repeat(len(x) // len(mask), 1, 1, 1)
        attended = F.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=bias.to(query.dtype),
            dropout_p=self.attn_drop.p if self.training else 0.0,
            scale=self.scale,
        )
        return self.proj_drop(self.proj(attended.transpose(1, 2).flatten(2)))


class ShiftWindowMSA(BaseModule):
    """Cuts a map into windows, shifted by `shift_size`, and attends inside each.

    Args:
        embed_dims: channels of the tokens.
        num_heads: heads of the attention.
        window_size: side of a window in tokens.
        shift_size: how far the windows are shifted to the right and downwards, in tokens.
        qkv_bias: bias of the projections to queries, keys and values.
        qk_scale: factor of the energies.
        attn_drop_rate: dropout of the attention weights.
        proj_drop_rate: dropout after the output projection.
        dropout_layer: recipe of the dropout of the whole branch.
        init_cfg: recipe of initialisation.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        window_size: int,
        shift_size: int = 0,
        qkv_bias: bool = True,
        qk_scale: float | None = None,
        attn_drop_rate: float = 0.0,
        proj_drop_rate: float = 0.0,
        dropout_layer: LayerConfig = DROP_PATH,
        init_cfg: InitConfig | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if not 0 <= shift_size < window_size:
            raise OptionError(
                f"ShiftWindowMSA: shift_size={shift_size} must be 0 or more and below "
                f"window_size={window_size}"
            )
        self.window_size = window_size
        self.shift_size = shift_size
        self.w_msa = WindowMSA(
            embed_dims,
            num_heads,
            (window_size, window_size),
            qkv_bias=qkv_bias,
            qk_scale=qk_scale,
            attn_drop_rate=attn_drop_rate,
            proj_drop_rate=proj_drop_rate,
        )
        self.drop = build_dropout(dropout_layer)

    def windows(self, x: Tensor) -> Tensor:
        """Cut (n, h, w, c) into (n * windows, pixels, c)."""
        size = self.window_size
        n, height, width, channels = x.shape
        x = x.reshape(n, height // size, size, width // size, size, channels)
        return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, size * size, channels)

    def join(self, windows: Tensor, height: int, width: int) -> Tensor:
        """Put (n * windows, pixels, c) back together to (n, height, width, c)."""
        size, channels = self.window_size, windows.shape[2]
        x = windows.reshape(-1, height // size, width // size, size, size, channels)
        return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, height, width, channels)

    def _mask(self, height: int, width: int, like: Tensor) -> Tensor:
        """Return which pairs of a window are apart in the map, (windows, pixels, pixels)."""

        def region(length: int) -> Tensor:
            place = torch.arange(length, device=like.device)
            starts = (length - self.window_size, length - self.shift_size)
            return sum((place >= start).long() for start in starts)

        regions = 3 * region(height)[:, None] + region(width)[None]
        inside = self.windows(regions[None, :, :, None]).squeeze(2)
        apart = inside[:, None] != inside[:, :, None]
        return apart.to(like.dtype) * _APART

    def forward(self, query: Tensor, hw_shape: tuple[int, int]) -> Tensor:
        """Map tokens (n, h * w, c) of a map (h, w) to the same shape."""
        height, width = hw_shape
        if query.shape[1] != height * width:
            raise ShapeError(
                f"ShiftWindowMSA: {query.shape[1]} tokens do not make a map of {hw_shape}"
            )
        right, below = -width % self.window_size, -height % self.window_size
        x = F.pad(query.unflatten(1, (height, width)), (0, 0, 0, right, 0, below))
        mask, shift = None, self.shift_size
        if shift:
            x = x.roll((-shift, -shift), dims=(1, 2))
            mask = self._mask(x.shape[1], x.shape[2], x)
        x = self.join(self.w_msa(self.windows(x), mask), x.shape[1], x.shape[2])
        if shift:
            x = x.roll((shift, shift), dims=(1, 2))
        return self.drop(x[:, :height, :width].flatten(1, 2))
