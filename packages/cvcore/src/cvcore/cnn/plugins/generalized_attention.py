"""Attention over all pixels by content and by position.

Zhu et al., "An Empirical Study of Spatial Attention Mechanisms in Deep Networks" (2019).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cvcore.cnn.init import kaiming_init
from cvcore.cnn.registry import PLUGIN_LAYERS
from cvcore.errors import ConfigError

_WAVE_LENGTH = 1000
# Longest side of the maps with so many channels: the third and fourth stage of a ResNet.
_LONGEST = {256: 84, 512: 42}


@PLUGIN_LAYERS.register_module()
class GeneralizedAttention(nn.Module):
    """The input plus `gamma` times an attention whose energies have up to four terms.

    Args:
        in_channels: channels of input and output.
        spatial_range: a pixel sees only others this far away; -1 lets it see all.
        num_heads: heads of the attention.
        position_embedding_dim: channels of the relative position's embedding; -1 is `in_channels`.
        position_magnitude: factor of the distances.
        kv_stride: subsampling of what is looked at.
        q_stride: subsampling of what looks.
        attention_type: four digits, 1 to use the term: query content with key content, query
            content with relative position, key content alone, relative position alone.
    """

    _abbr_ = "gen_attention_block"

    def __init__(
        self,
        in_channels: int,
        spatial_range: int = -1,
        num_heads: int = 9,
        position_embedding_dim: int = -1,
        position_magnitude: float = 1,
        kv_stride: int = 2,
        q_stride: int = 1,
        attention_type: str = "1111",
    ) -> None:
        super().__init__()
        if len(attention_type) != 4 or not set(attention_type) <= {"0", "1"}:
            raise ConfigError(
                f"GeneralizedAttention: attention_type={attention_type!r} must be four digits, "
                "each 0 or 1"
            )
        self.in_channels = in_channels
        self.spatial_range = spatial_range
        self.num_heads = num_heads
        self.position_magnitude = position_magnitude
        self.kv_stride = kv_stride
        self.q_stride = q_stride
        self.attention_type = [digit == "1" for digit in attention_type]
        self.position_embedding_dim = (
            position_embedding_dim if position_embedding_dim > 0 else in_channels
        )
        self.head_dim = in_channels // num_heads
        self._make_layers()
        if spatial_range >= 0:
            self.register_buffer("local_constraint_map", self._far_pairs())
        self.init_weights()

    def _make_layers(self) -> None:
        width = self.head_dim * self.num_heads
        by_content, by_position, key_alone, position_alone = self.attention_type

        def projection() -> nn.Conv2d:
            return nn.Conv2d(self.in_channels, width, kernel_size=1, bias=False)

        def bias() -> nn.Parameter:
            bound = 1.0 / math.sqrt(self.head_dim * 2)
            return nn.Parameter(torch.empty(width).uniform_(-bound, bound))

        if by_content or by_position:
            self.query_conv = projection()
        if by_content or key_alone:
            self.key_conv = projection()
        self.value_conv = projection()
        if by_position or position_alone:
            half = self.position_embedding_dim // 2
            self.appr_geom_fc_x = nn.Linear(half, width, bias=False)
            self.appr_geom_fc_y = nn.Linear(half, width, bias=False)
        if key_alone:
            self.appr_bias = bias()
        if position_alone:
            self.geom_bias = bias()
        self.proj_conv = nn.Conv2d(width, self.in_channels, kernel_size=1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def _far_pairs(self) -> Tensor:
        """Return 1 for pairs out of range, (longest, longest, kv longest, kv longest) uint8."""
        if self.in_channels not in _LONGEST:
            raise ConfigError(
                f"GeneralizedAttention: spatial_range works with in_channels of "
                f"{sorted(_LONGEST)}, not {self.in_channels}; set spatial_range=-1"
            )
        longest = _LONGEST[self.in_channels]
        query = torch.arange(longest)[:, None]
        key = torch.arange((longest - 1) // self.kv_stride + 1)[None]
        first = torch.div(query - self.spatial_range, self.kv_stride, rounding_mode="floor")
        last = torch.div(query + self.spatial_range + 1, self.kv_stride, rounding_mode="floor")
        near = (key >= first) & (key <= last)
        return (~(near[:, None, :, None] & near[None, :, None, :])).to(torch.uint8)

    def init_weights(self) -> None:
        """Initialise the projections as Caffe2 does, and the positions' and `gamma` as made."""
        for name in ("query_conv", "key_conv", "value_conv", "proj_conv"):
            self._init_projection(name)
        for name in ("appr_geom_fc_x", "appr_geom_fc_y"):
            self._init_projection(name)

    def _init_projection(self, name: str) -> None:
        if hasattr(self, name):
            kaiming_init(
                getattr(self, name),
                a=1,
                mode="fan_in",
                nonlinearity="leaky_relu",
                distribution="uniform",
            )

    def _embed_distances(self, queries: int, keys: int, like: Tensor) -> Tensor:
        """Return sines and cosines of the distances along one axis, (queries, keys, dim / 2)."""
        options = {"device": like.device, "dtype": like.dtype}
        query = torch.arange(queries, **options)[:, None] * self.q_stride
        key = torch.arange(keys, **options)[None] * self.kv_stride
        distance = (query - key)[..., None] * self.position_magnitude
        steps = torch.arange(self.position_embedding_dim / 4, **options)
        angles = distance / _WAVE_LENGTH ** (4.0 / self.position_embedding_dim * steps)
        return torch.cat([angles.sin(), angles.cos()], dim=2)

    def _heads(self, x: Tensor) -> Tensor:
        """Split channels into heads: (n, width, h, w) to (n, heads, h * w, head_dim)."""
        return x.reshape(len(x), self.num_heads, self.head_dim, -1).transpose(2, 3)

    def _head_bias(self, bias: Tensor) -> Tensor:
        return bias.reshape(1, self.num_heads, 1, self.head_dim)

    def _energies(self, x_query: Tensor, x_key: Tensor) -> Tensor:
        """Return (n, heads, queries, keys), with 1 query where all of them agree."""
        by_content, by_position, key_alone, position_alone = self.attention_type
        energies = x_query.new_zeros(1)
        query = self._heads(self.query_conv(x_query)) if by_content or by_position else None
        if by_content or key_alone:
            asked = query if by_content and query is not None else x_query.new_zeros(1)
            if key_alone:
                asked = asked + self._head_bias(self.appr_bias)
            energies = energies + asked @ self._heads(self.key_conv(x_key)).transpose(2, 3)
        if by_position or position_alone:
            asked = query if by_position and query is not None else x_query.new_zeros(1)
            if position_alone:
                asked = asked + self._head_bias(self.geom_bias)
            energies = energies + self._position_energies(asked, x_query, x_key)
        return energies

    def _position_energies(self, asked: Tensor, x_query: Tensor, x_key: Tensor) -> Tensor:
        (height, width), (key_height, key_width) = x_query.shape[2:], x_key.shape[2:]
        pixels = height * width
        asked = asked.expand(-1, -1, pixels, -1).unflatten(2, (height, width))
        down = self.appr_geom_fc_y(self._embed_distances(height, key_height, x_query))
        across = self.appr_geom_fc_x(self._embed_distances(width, key_width, x_query))
        down = down.unflatten(2, (self.num_heads, self.head_dim)) / math.sqrt(2)
        across = across.unflatten(2, (self.num_heads, self.head_dim)) / math.sqrt(2)
        by_row = torch.einsum("nahwd,hkad->nahwk", asked, down)
        by_column = torch.einsum("nahwd,wkad->nahwk", asked, across)
        return (by_row.unsqueeze(5) + by_column.unsqueeze(4)).flatten(4).flatten(2, 3)

    def _limit(self, energies: Tensor, x_query: Tensor, x_key: Tensor) -> Tensor:
        (height, width), (key_height, key_width) = x_query.shape[2:], x_key.shape[2:]
        far = self.local_constraint_map[:height, :width, :key_height, :key_width]
        far = far.reshape(1, 1, height * width, key_height * key_width).bool()
        return energies.masked_fill(far, float("-inf"))

    def forward(self, x_input: Tensor) -> Tensor:
        """Map (n, c, h, w) to the same shape."""
        x_query = x_input[:, :, :: self.q_stride, :: self.q_stride]
        x_key = x_input[:, :, :: self.kv_stride, :: self.kv_stride]
        energies = self._energies(x_query, x_key)
        if self.spatial_range >= 0:
            energies = self._limit(energies, x_query, x_key)
        attended = energies.softmax(dim=3) @ self._heads(self.value_conv(x_key))
        size = x_query.shape[2:] if attended.shape[2] > 1 else (1, 1)
        output = self.proj_conv(attended.transpose(2, 3).reshape(len(x_input), -1, *size))
        if self.q_stride > 1:
            output = F.interpolate(
                output, size=x_input.shape[2:], mode="bilinear", align_corners=False
            )
        return self.gamma * output + x_input
