"""Switchable atrous convolution (Qiao et al., "DetectoRS", 2020)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cvcore.cnn.init import constant_init
from cvcore.cnn.layers.conv_ws import ConvAWS2d, Size
from cvcore.cnn.registry import CONV_LAYERS
from cvcore.ops.deform_conv_functions import deform_conv2d

# The second convolution looks this many times as far.
_FARTHER = 3


@CONV_LAYERS.register_module(name="SAC")
class SAConv2d(ConvAWS2d):
    """Two convolutions of different dilation, mixed pixel by pixel, between two global contexts.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: of both convolutions, like the arguments after it.
        stride: step of the kernel.
        padding: pixels added on every side, three times as many for the second.
        dilation: spacing of the kernel's points, three times as wide for the second.
        groups: blocks of channels that do not see each other.
        bias: of both.
        use_deform: make both deformable.
    """

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
        use_deform: bool = False,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias
        )
        self.use_deform = use_deform
        self.switch = nn.Conv2d(in_channels, 1, kernel_size=1, stride=stride)
        self.weight_diff = nn.Parameter(torch.zeros_like(self.weight))
        self.pre_context = nn.Conv2d(in_channels, in_channels, kernel_size=1)
        self.post_context = nn.Conv2d(out_channels, out_channels, kernel_size=1)
        if use_deform:
            self.offset_s = nn.Conv2d(in_channels, 18, kernel_size=3, padding=1, stride=stride)
            self.offset_l = nn.Conv2d(in_channels, 18, kernel_size=3, padding=1, stride=stride)
        self.init_weights()

    def init_weights(self) -> None:
        """Start as the convolution of the smaller dilation alone."""
        constant_init(self.switch, 0, bias=1)
        nn.init.zeros_(self.weight_diff)
        constant_init(self.pre_context, 0)
        constant_init(self.post_context, 0)
        if self.use_deform:
            constant_init(self.offset_s, 0)
            constant_init(self.offset_l, 0)

    def _convolve(
        self, x: Tensor, weight: Tensor, offset_conv: str, around: Tensor, factor: int
    ) -> Tensor:
        padding = tuple(factor * size for size in self.padding)
        dilation = tuple(factor * size for size in self.dilation)
        if not self.use_deform:
            return F.conv2d(x, weight, self.bias, self.stride, padding, dilation, self.groups)
        offset = getattr(self, offset_conv)(around)
        output = deform_conv2d(x, offset, weight, self.stride, padding, dilation)
        return output if self.bias is None else output + self.bias[:, None, None]

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, in_channels, h, w) to (n, out_channels, h', w')."""
        x = x + self.pre_context(x.mean(dim=(2, 3), keepdim=True))
        around = F.avg_pool2d(F.pad(x, (2, 2, 2, 2), mode="reflect"), kernel_size=5, stride=1)
        near_share = self.switch(around)
        weight = self.standardised(self.weight)
        near = self._convolve(x, weight, "offset_s", around, 1)
        far = self._convolve(x, weight + self.weight_diff, "offset_l", around, _FARTHER)
        output = near_share * near + (1 - near_share) * far
        return output + self.post_context(output.mean(dim=(2, 3), keepdim=True))
