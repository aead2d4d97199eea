"""A convolution that pads by the size of its input, as TensorFlow's `SAME` does."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from cvcore.cnn.registry import CONV_LAYERS

Size = int | tuple[int, int]


def same_padding(length: int, kernel: int, stride: int, dilation: int) -> int:
    """Return the pixels to add so that the output has ceil(length / stride) positions."""
    outputs = -(-length // stride)
    return max((outputs - 1) * stride + (kernel - 1) * dilation + 1 - length, 0)


@CONV_LAYERS.register_module()
class Conv2dAdaptivePadding(nn.Conv2d):
    """Output of ceil(h / stride) x ceil(w / stride); `padding` is taken and has no effect."""

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
        super().__init__(in_channels, out_channels, kernel_size, stride, 0, dilation, groups, bias)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (n, in_channels, h, w)."""
        down, across = (
            same_padding(length, self.kernel_size[axis], self.stride[axis], self.dilation[axis])
            for axis, length in enumerate(x.shape[-2:])
        )
        if down or across:
            top, left = down // 2, across // 2
            x = F.pad(x, [left, across - left, top, down - top])
        return super().forward(x)
