"""Convolutions whose weights are standardised, filter by filter.

Qiao et al., "Weight Standardization" (2019); the adaptive kind is from Qiao et al., "DetectoRS"
(2020).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cvcore.cnn.registry import CONV_LAYERS

Size = int | tuple[int, int]


def _filter_mean(weight: Tensor) -> Tensor:
    return weight.mean(dim=(1, 2, 3), keepdim=True)


def conv_ws_2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size = 0,
    dilation: Size = 1,
    groups: int = 1,
    eps: float = 1e-5,
) -> Tensor:
    """Convolve (n, in_channels, h, w) with filters brought to mean 0 and standard deviation 1.

    Args:
        input: (n, in_channels, h, w).
        weight: (out_channels, in_channels / groups, kh, kw).
        bias: (out_channels,).
        stride: as of a convolution, like padding, dilation and groups.
        padding: pixels added on every side.
        dilation: spacing of the kernel's points.
        groups: blocks of channels that do not see each other.
        eps: added to the standard deviation.
    """
    spread = weight.std(dim=(1, 2, 3), keepdim=True) + eps
    standardised = (weight - _filter_mean(weight)) / spread
    return F.conv2d(input, standardised, bias, stride, padding, dilation, groups)


@CONV_LAYERS.register_module("ConvWS")
class ConvWS2d(nn.Conv2d):
    """Filters have mean 0 and standard deviation 1, up to `eps`, which is added to the latter."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        eps: float = 1e-5,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias
        )
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (n, in_channels, h, w)."""
        return conv_ws_2d(
            x,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
            self.eps,
        )


@CONV_LAYERS.register_module(name="ConvAWS")
class ConvAWS2d(nn.Conv2d):
    """Standardised filters with a scale and a shift, buffers that keep a pretrained network intact.

    A checkpoint without `weight_gamma` and `weight_beta` sets them to the standard deviation and
    the mean of the loaded filters, so that the layer computes what the plain one did.
    """

    weight_gamma: Tensor
    weight_beta: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias
        )
        self.register_buffer("weight_gamma", torch.ones(self.out_channels, 1, 1, 1))
        self.register_buffer("weight_beta", torch.zeros(self.out_channels, 1, 1, 1))

    def standardised(self, weight: Tensor) -> Tensor:
        """Return filters of mean `weight_beta` and standard deviation `weight_gamma`."""
        centred = weight - _filter_mean(weight)
        return self.weight_gamma * centred / _filter_spread(weight) + self.weight_beta

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (n, in_channels, h, w)."""
        return self._conv_forward(x, self.standardised(self.weight), self.bias)

    def _load_from_state_dict(
        self,
        state_dict: Mapping[str, Any],
        prefix: str,
        local_metadata: Mapping[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        super()._load_from_state_dict(
            state_dict,
            prefix,
            local_metadata,
            strict,
            missing_keys,
            unexpected_keys,
            error_msgs,
        )
        own = [f"{prefix}weight_gamma", f"{prefix}weight_beta"]
        if f"{prefix}weight" not in state_dict or own[0] in state_dict:
            return
        with torch.no_grad():
            self.weight_gamma.copy_(_filter_spread(self.weight))
            self.weight_beta.copy_(_filter_mean(self.weight))
        missing_keys[:] = [key for key in missing_keys if key not in own]


def _filter_spread(weight: Tensor) -> Tensor:
    return torch.sqrt(weight.var(dim=(1, 2, 3), keepdim=True) + 1e-5)
