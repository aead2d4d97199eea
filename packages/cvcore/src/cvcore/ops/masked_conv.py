"""Convolution at chosen places (guided anchoring, arXiv 1901.03278)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cvcore.errors import ConfigError
from cvcore.ops.roi import as_pair


def masked_conv2d(
    features: Tensor,
    mask: Tensor,
    weight: Tensor,
    bias: Tensor,
    padding: int | tuple[int, int] = 0,
    stride: int | tuple[int, int] = 1,
) -> Tensor:
    """Convolve where the mask is positive; 0 elsewhere.

    Args:
        features: (1, C, H, W).
        mask: (1, H, W), or (1, 1, H, W).
        weight: (out, C, kh, kw).
        bias: (out,).
        padding: Such that the result has the input's size.
        stride: 1.

    Returns:
        (1, out, H, W).
    """
    if len(features) != 1 or as_pair(stride) != (1, 1):
        raise ConfigError(
            f"masked_conv2d takes one image and stride 1, not {len(features)} and {stride}"
        )
    down, across = as_pair(padding)
    kernel_height, kernel_width = weight.shape[2:]
    height = features.shape[2] + 2 * down - kernel_height + 1
    width = features.shape[3] + 2 * across - kernel_width + 1
    rows, columns = (mask.reshape(mask.shape[-2:]) > 0).nonzero(as_tuple=True)
    padded = F.pad(features[0], (across, across, down, down))
    row = rows + torch.arange(kernel_height, device=rows.device)[:, None, None]
    column = columns + torch.arange(kernel_width, device=rows.device)[:, None]
    patches = padded[:, row, column].flatten(0, 2)
    values = weight.flatten(1) @ patches + bias[:, None]
    convolved = values.new_zeros(len(weight), height, width)
    return convolved.index_put(
        (torch.arange(len(weight), device=rows.device)[:, None], rows, columns), values
    )[None]


class MaskedConv2d(nn.Conv2d):
    """A convolution that can be told where it is needed; arguments as of ``nn.Conv2d``."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias
        )

    def forward(self, input: Tensor, mask: Tensor | None = None) -> Tensor:
        """Convolve everywhere, or, for one image, where ``mask`` is positive."""
        if mask is None:
            return super().forward(input)
        if self.groups != 1 or self.dilation != (1, 1):
            raise ConfigError("MaskedConv2d with a mask has groups=1 and dilation=1")
        bias = self.weight.new_zeros(self.out_channels) if self.bias is None else self.bias
        return masked_conv2d(input, mask, self.weight, bias, self.padding, self.stride)
