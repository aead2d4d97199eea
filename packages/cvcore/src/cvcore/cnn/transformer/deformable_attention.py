"""Attention to a few learned places of each level (Zhu et al., "Deformable DETR", 2020)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from cvcore.cnn.base_module import BaseModule
from cvcore.cnn.init import constant_init, xavier_init
from cvcore.cnn.initializers import InitConfig
from cvcore.cnn.registry import ATTENTION
from cvcore.errors import ConfigError
from cvcore.ops.ms_deform_attn import multi_scale_deformable_attn


@ATTENTION.register_module()
class MultiScaleDeformableAttention(BaseModule):
    """Each query reads the levels at places that it predicts around its reference point.

    Args:
        embed_dims: channels of the queries and values.
        num_heads: heads of the attention.
        num_levels: levels of the values.
        num_points: places per head and level.
        im2col_step: taken and without effect; images are always read together.
        dropout: in front of the residual sum.
        batch_first: tensors are (n, tokens, channels) instead of (tokens, n, channels).
        norm_cfg: taken and without effect.
        init_cfg: recipe of initialisation.
    """

    def __init__(
        self,
        embed_dims: int = 256,
        num_heads: int = 8,
        num_levels: int = 4,
        num_points: int = 4,
        im2col_step: int = 64,
        dropout: float = 0.1,
        batch_first: bool = False,
        norm_cfg: Mapping[str, Any] | None = None,
        init_cfg: InitConfig | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if embed_dims % num_heads:
            raise ConfigError(
                f"MultiScaleDeformableAttention: embed_dims={embed_dims} does not divide into "
                f"num_heads={num_heads}"
            )
        self.embed_dims = embed_dims
        self.num_heads = num_heads
        self.num_levels = num_levels
        self.num_points = num_points
        self.im2col_step = im2col_step
        self.batch_first = batch_first
        self.norm_cfg = norm_cfg
        places = num_heads * num_levels * num_points
        self.dropout = nn.Dropout(dropout)
        self.sampling_offsets = nn.Linear(embed_dims, places * 2)
        self.attention_weights = nn.Linear(embed_dims, places)
        self.value_proj = nn.Linear(embed_dims, embed_dims)
        self.output_proj = nn.Linear(embed_dims, embed_dims)
        self.init_weights()

    def init_weights(self) -> None:
        """Equal weights, and places on a ray of its own for each head, further out by point."""
        constant_init(self.sampling_offsets, 0.0)
        angles = torch.arange(self.num_heads) * (2 * math.pi / self.num_heads)
        rays = torch.stack((angles.cos(), angles.sin()), dim=-1)
        rays = rays / rays.abs().amax(dim=-1, keepdim=True)
        distances = torch.arange(1, self.num_points + 1)[:, None]
        places = (rays[:, None, None] * distances).expand(-1, self.num_levels, -1, -1)
        with torch.no_grad():
            self.sampling_offsets.bias.copy_(places.flatten())
        constant_init(self.attention_weights, 0.0)
        xavier_init(self.value_proj, distribution="uniform")
        xavier_init(self.output_proj, distribution="uniform")
        self._is_init = True

    def forward(
        self,
        query: Tensor,
        key: Tensor | None = None,
        value: Tensor | None = None,
        identity: Tensor | None = None,
        query_pos: Tensor | None = None,
        key_padding_mask: Tensor | None = None,
        reference_points: Tensor | None = None,
        spatial_shapes: Tensor | None = None,
        level_start_index: Tensor | None = None,
        **_: Any,
    ) -> Tensor:
        """Return `identity` plus what the queries read from the values.

        Args:
            query: (queries, n, channels), or (n, queries, channels) with `batch_first`.
            key: not read.
            value: (pixels of all levels, n, channels), of the query's layout; the query where None.
            identity: what the residual is added to; the query, without its position, where None.
            query_pos: added to the query.
            key_padding_mask: (n, pixels) bool, True at padding.
            reference_points: (n, queries, num_levels, 2), x and y relative to the image, or 4 with
                width and height.
            spatial_shapes: (num_levels, 2) int64, height and width of each level.
            level_start_index: not read; it follows from the shapes.
            _: arguments that other attentions of the same layer take.
        """
        if reference_points is None or spatial_shapes is None:
            raise ConfigError(
                "MultiScaleDeformableAttention needs reference_points and spatial_shapes"
            )
        value = query if value is None else value
        identity = query if identity is None else identity
        if query_pos is not None:
            query = query + query_pos
        if not self.batch_first:
            query, value = query.transpose(0, 1), value.transpose(0, 1)
        value = self.value_proj(value)
        if key_padding_mask is not None:
            value = value.masked_fill(key_padding_mask[..., None], 0.0)
        batch, num_queries, _channels = query.shape
        grid = (batch, num_queries, self.num_heads, self.num_levels, self.num_points)
        weights = self.attention_weights(query).unflatten(2, grid[2:]).flatten(3)
        weights = weights.softmax(dim=-1).view(grid)
        output = multi_scale_deformable_attn(
            value.unflatten(-1, (self.num_heads, -1)),
            spatial_shapes,
            self._places(query, reference_points, spatial_shapes).view(*grid, 2),
            weights,
        )
        output = self.output_proj(output)
        if not self.batch_first:
            output = output.transpose(0, 1)
        return identity + self.dropout(output)

    def _places(self, query: Tensor, reference: Tensor, spatial_shapes: Tensor) -> Tensor:
        """Where to read, relative to the image: (n, queries, heads, levels, points, 2)."""
        offsets = self.sampling_offsets(query).view(
            *query.shape[:2], self.num_heads, self.num_levels, self.num_points, 2
        )
        around = reference[:, :, None, :, None]
        if reference.shape[-1] == 2:
            sizes = spatial_shapes.flip(-1).to(offsets.dtype)
            return around + offsets / sizes[:, None]
        if reference.shape[-1] == 4:
            return around[..., :2] + offsets / self.num_points * around[..., 2:] * 0.5
        raise ConfigError(
            "MultiScaleDeformableAttention: reference_points have 2 or 4 numbers, not "
            f"{reference.shape[-1]}"
        )
