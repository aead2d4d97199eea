"""Global context block (Cao et al., "GCNet", 2019)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cvcore.cnn.init import constant_init, kaiming_init
from cvcore.cnn.registry import PLUGIN_LAYERS
from cvcore.errors import ConfigError

_FUSIONS = {"channel_add", "channel_mul"}


@PLUGIN_LAYERS.register_module()
class ContextBlock(nn.Module):
    """Pools the whole map to one vector and adds it, transformed, to every pixel.

    Args:
        in_channels: channels of input and output.
        ratio: channels of the transform's middle over `in_channels`.
        pooling_type: `'att'` weighs pixels by a learnt attention, `'avg'` evenly.
        fusion_types: `'channel_add'`, `'channel_mul'` (scales channels by a sigmoid) or both.
    """

    _abbr_ = "context_block"

    def __init__(
        self,
        in_channels: int,
        ratio: float,
        pooling_type: str = "att",
        fusion_types: Sequence[str] = ("channel_add",),
    ) -> None:
        super().__init__()
        if pooling_type not in ("avg", "att"):
            raise ConfigError(f"ContextBlock: pooling_type={pooling_type!r}; give 'att' or 'avg'")
        if not fusion_types or not set(fusion_types) <= _FUSIONS:
            raise ConfigError(
                f"ContextBlock: fusion_types={fusion_types!r}; give one or both of "
                f"{sorted(_FUSIONS)}"
            )
        self.in_channels = in_channels
        self.ratio = ratio
        self.planes = int(in_channels * ratio)
        self.pooling_type = pooling_type
        self.fusion_types = tuple(fusion_types)
        if pooling_type == "att":
            self.conv_mask = nn.Conv2d(in_channels, 1, kernel_size=1)
        self.channel_add_conv = self._transform("channel_add")
        self.channel_mul_conv = self._transform("channel_mul")
        self.reset_parameters()

    def _transform(self, fusion: str) -> nn.Sequential | None:
        if fusion not in self.fusion_types:
            return None
        return nn.Sequential(
            nn.Conv2d(self.in_channels, self.planes, kernel_size=1),
            nn.LayerNorm([self.planes, 1, 1]),
            nn.ReLU(inplace=True),
            nn.Conv2d(self.planes, self.in_channels, kernel_size=1),
        )

    def reset_parameters(self) -> None:
        """Start with a transform that gives zeros."""
        if self.pooling_type == "att":
            kaiming_init(self.conv_mask, mode="fan_in")
        for transform in (self.channel_add_conv, self.channel_mul_conv):
            if transform is not None:
                constant_init(transform[-1], 0)

    def context(self, x: Tensor) -> Tensor:
        """Pool (n, c, h, w) to (n, c, 1, 1)."""
        if self.pooling_type == "avg":
            return x.mean(dim=(2, 3), keepdim=True)
        pixels = x.flatten(2)
        weights = self.conv_mask(x).flatten(1).softmax(dim=1)
        return torch.einsum("ncp,np->nc", pixels, weights)[..., None, None]

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, c, h, w) to the same shape."""
        context = self.context(x)
        if self.channel_mul_conv is not None:
            x = x * self.channel_mul_conv(context).sigmoid()
        if self.channel_add_conv is not None:
            x = x + self.channel_add_conv(context)
        return x
