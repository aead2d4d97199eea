"""Cutting maps into patches, the tokens of a vision transformer, and merging neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from cvcore.cnn.base_module import BaseModule
from cvcore.cnn.initializers import InitConfig
from cvcore.cnn.layers.adaptive_conv import same_padding
from cvcore.cnn.layers.conv import build_conv_layer
from cvcore.cnn.layers.norm import build_norm_layer
from cvcore.errors import ConfigError

LayerConfig = Mapping[str, Any]
Size = int | tuple[int, int]
_LAYER_NORM: LayerConfig = {"type": "LN"}


def _pair(size: Size) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (size[0], size[1])


class AdaptivePadding(nn.Module):
    """Pads with zeros so that a kernel sees every pixel of the map.

    Args:
        kernel_size: of the layer that follows, like stride and dilation.
        stride: step of the kernel.
        dilation: spacing of the kernel's points.
        padding: `'corner'` pads at the right and the bottom, `'same'` on all sides alike.
    """

    def __init__(
        self,
        kernel_size: Size = 1,
        stride: Size = 1,
        dilation: Size = 1,
        padding: str = "corner",
    ) -> None:
        super().__init__()
        if padding not in ("same", "corner"):
            raise ConfigError(f"AdaptivePadding: padding={padding!r}; give 'corner' or 'same'")
        self.padding = padding
        self.kernel_size = _pair(kernel_size)
        self.stride = _pair(stride)
        self.dilation = _pair(dilation)

    def get_pad_shape(self, input_shape: tuple[int, int]) -> tuple[int, int]:
        """Return the rows and columns to add to a map of (height, width)."""
        down, across = (
            same_padding(length, self.kernel_size[axis], self.stride[axis], self.dilation[axis])
            for axis, length in enumerate(input_shape)
        )
        return down, across

    def forward(self, x: Tensor) -> Tensor:
        """Pad (n, c, h, w)."""
        down, across = self.get_pad_shape((x.shape[-2], x.shape[-1]))
        if not down and not across:
            return x
        top, left = (down // 2, across // 2) if self.padding == "same" else (0, 0)
        return F.pad(x, [left, across - left, top, down - top])


def _output_size(
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
) -> tuple[int, int]:
    height, width = (
        (size[axis] + 2 * padding[axis] - dilation[axis] * (kernel[axis] - 1) - 1) // stride[axis]
        + 1
        for axis in (0, 1)
    )
    return height, width


class PatchEmbed(BaseModule):
    """Turns an image into tokens, one a patch, by a convolution.

    Args:
        in_channels: channels of the image.
        embed_dims: channels of the tokens.
        conv_type: registered name of the convolution.
        kernel_size: of the convolution.
        stride: of the convolution; `kernel_size` where None.
        padding: pixels, or `'same'` or `'corner'` (see `AdaptivePadding`).
        dilation: of the convolution.
        bias: of the convolution.
        norm_cfg: recipe of a norm over the tokens.
        input_size: height and width of the image, if they are fixed; `init_out_size` then says
            how many patches there are along each axis.
        init_cfg: recipe of initialisation.
    """

    def __init__(
        self,
        in_channels: int = 3,
        embed_dims: int = 768,
        conv_type: str = "Conv2d",
        kernel_size: Size = 16,
        stride: Size | None = 16,
        padding: Size | str = "corner",
        dilation: Size = 1,
        bias: bool = True,
        norm_cfg: LayerConfig | None = None,
        input_size: Size | None = None,
        init_cfg: InitConfig | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.embed_dims = embed_dims
        kernel = _pair(kernel_size)
        step = kernel if stride is None else _pair(stride)
        spread = _pair(dilation)
        self.adaptive_padding: AdaptivePadding | None = None
        if isinstance(padding, str):
            self.adaptive_padding = AdaptivePadding(kernel, step, spread, padding)
            padding = 0
        self.projection = build_conv_layer(
            {"type": conv_type},
            in_channels,
            embed_dims,
            kernel_size=kernel,
            stride=step,
            padding=_pair(padding),
            dilation=spread,
            bias=bias,
        )
        self.norm = None if norm_cfg is None else build_norm_layer(norm_cfg, embed_dims)[1]
        self.init_input_size: tuple[int, int] | None = None
        self.init_out_size: tuple[int, int] | None = None
        if input_size is not None:
            height, width = self.init_input_size = _pair(input_size)
            if self.adaptive_padding is not None:
                down, across = self.adaptive_padding.get_pad_shape((height, width))
                height, width = height + down, width + across
            self.init_out_size = _output_size((height, width), kernel, step, _pair(padding), spread)

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Map (n, in_channels, h, w) to tokens (n, h' * w', embed_dims) and (h', w')."""
        if self.adaptive_padding is not None:
            x = self.adaptive_padding(x)
        x = self.projection(x)
        out_size = (x.shape[2], x.shape[3])
        x = x.flatten(2).transpose(1, 2)
        return (x if self.norm is None else self.norm(x)), out_size


class PatchMerging(BaseModule):
    """Joins the tokens of a neighbourhood into one, of `out_channels`.

    Liu et al., "Swin Transformer" (2021).

    Args:
        in_channels: channels of the tokens.
        out_channels: channels of the merged tokens.
        kernel_size: tokens of a neighbourhood along each axis.
        stride: step between neighbourhoods; `kernel_size` where None.
        padding: tokens, or `'same'` or `'corner'` (see `AdaptivePadding`).
        dilation: spacing of a neighbourhood's tokens.
        bias: of the linear layer.
        norm_cfg: recipe of the norm in front of it.
        init_cfg: recipe of initialisation.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size = 2,
        stride: Size | None = None,
        padding: Size | str = "corner",
        dilation: Size = 1,
        bias: bool = False,
        norm_cfg: LayerConfig | None = _LAYER_NORM,
        init_cfg: InitConfig | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = _pair(kernel_size)
        self.stride = self.kernel_size if stride is None else _pair(stride)
        self.dilation = _pair(dilation)
        self.adaptive_padding: AdaptivePadding | None = None
        if isinstance(padding, str):
            self.adaptive_padding = AdaptivePadding(
                self.kernel_size, self.stride, self.dilation, padding
            )
            padding = 0
        self.padding = _pair(padding)
        merged = self.kernel_size[0] * self.kernel_size[1] * in_channels
        self.norm = None if norm_cfg is None else build_norm_layer(norm_cfg, merged)[1]
        self.reduction = nn.Linear(merged, out_channels, bias=bias)
        # Neighbourhoods that tile the map need no gathering: reshaping does it.
        self.tiles = (
            self.stride == self.kernel_size and self.dilation == (1, 1) and self.padding == (0, 0)
        )

    def forward(self, x: Tensor, input_size: tuple[int, int]) -> tuple[Tensor, tuple[int, int]]:
        """Map tokens (n, h * w, in_channels) of a map (h, w) to merged ones and their (h', w')."""
        if x.shape[1] != input_size[0] * input_size[1]:
            raise ConfigError(
                f"PatchMerging: {x.shape[1]} tokens do not make a map of {tuple(input_size)}"
            )
        x = x.unflatten(1, tuple(input_size)).permute(0, 3, 1, 2)
        if self.adaptive_padding is not None:
            x = self.adaptive_padding(x)
        size = (x.shape[2], x.shape[3])
        out_size = _output_size(size, self.kernel_size, self.stride, self.padding, self.dilation)
        x = self._gather(x, out_size)
        if self.norm is not None:
            x = self.norm(x)
        return self.reduction(x), out_size

    def _gather(self, x: Tensor, out_size: tuple[int, int]) -> Tensor:
        """Return (n, h' * w', channels * kernel height * kernel width)."""
        if not self.tiles:
            columns = F.unfold(x, self.kernel_size, self.dilation, self.padding, self.stride)
            return columns.transpose(1, 2)
        (rows, columns_), (down, across) = out_size, self.kernel_size
        x = x[:, :, : rows * down, : columns_ * across]
        x = x.unflatten(3, (columns_, across)).unflatten(2, (rows, down))
        return x.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
