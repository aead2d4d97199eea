"""Upsampling layers by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from cvcore.cnn.init import xavier_init
from cvcore.cnn.layers.conv import split_type
from cvcore.cnn.registry import UPSAMPLE_LAYERS

UPSAMPLE_LAYERS.register_module("nearest", module=nn.Upsample)
UPSAMPLE_LAYERS.register_module("bilinear", module=nn.Upsample)
UPSAMPLE_LAYERS.register_module("deconv", module=nn.ConvTranspose2d)
UPSAMPLE_LAYERS.register_module("deconv3d", module=nn.ConvTranspose3d)


@UPSAMPLE_LAYERS.register_module(name="pixel_shuffle")
class PixelShufflePack(nn.Module):
    """A convolution to scale² times the channels, which then become pixels.

    Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel
    Convolutional Neural Network" (2016).
    """

    def __init__(
        self, in_channels: int, out_channels: int, scale_factor: int, upsample_kernel: int
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.scale_factor = scale_factor
        self.upsample_kernel = upsample_kernel
        self.upsample_conv = nn.Conv2d(
            in_channels,
            out_channels * scale_factor * scale_factor,
            upsample_kernel,
            padding=(upsample_kernel - 1) // 2,
        )
        self.init_weights()

    def init_weights(self) -> None:
        """Xavier uniform."""
        xavier_init(self.upsample_conv, distribution="uniform")

    def forward(self, x: Tensor) -> Tensor:
        """Upsample (batch, in_channels, h, w) to (batch, out_channels, h * scale, w * scale)."""
        return F.pixel_shuffle(self.upsample_conv(x), self.scale_factor)


def build_upsample_layer(cfg: Mapping[str, Any], *args: Any, **kwargs: Any) -> nn.Module:
    """Build an upsampling layer.

    Args:
        cfg: `type` and the type's own arguments; `'nearest'` and `'bilinear'` are modes of
            `nn.Upsample`.
        args: positional arguments of the layer.
        kwargs: further arguments of the layer.
    """
    layer, arguments = split_type(cfg, UPSAMPLE_LAYERS)
    if layer is nn.Upsample:
        arguments["mode"] = cfg["type"]
    return layer(*args, **kwargs, **arguments)
