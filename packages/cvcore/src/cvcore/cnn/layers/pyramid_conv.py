"""A convolution that takes the shortest way for the shape of its map."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cvcore.cnn.registry import CONV_LAYERS
from cvcore.ops.winograd import WINDOW_STEP, winograd_conv2d

# Bringing windows and kernels there and back costs by the channel and the kernel, which only many
# channels and many windows win back.
_LEAST_CHANNELS = 128
_LEAST_WINDOWS = 64


@CONV_LAYERS.register_module()
class PyramidConv2d(nn.Conv2d):
    """``nn.Conv2d`` for maps of all sizes, whose training on a processor chooses by their shape.

    3x3 kernels of many channels go over large maps by ``winograd_conv2d``. Maps smaller than the
    kernels leave the channels-last order, for turning the kernels costs more. In anything but
    float32, and where it is traced, compiled or run without gradients, it is torch's own. Outputs
    and gradients differ by rounding.
    """

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if _may_choose(input, weight):
            if self._is_wide_3x3() and _windows(input) >= _LEAST_WINDOWS:
                return winograd_conv2d(input, weight, bias)
            if weight.numel() > input.numel():
                input = input.contiguous()
        return super()._conv_forward(input, weight, bias)

    def _is_wide_3x3(self) -> bool:
        """Whether the layer is a plain 3x3 convolution of many channels."""
        return (
            self.kernel_size == (3, 3)
            and self.stride == (1, 1)
            and self.padding == (1, 1)
            and self.dilation == (1, 1)
            and self.groups == 1
            and self.padding_mode == "zeros"
            and min(self.in_channels, self.out_channels) >= _LEAST_CHANNELS
        )


def _may_choose(x: Tensor, weight: Tensor) -> bool:
    if torch.jit.is_tracing() or torch.compiler.is_compiling() or not torch.is_grad_enabled():
        return False
    on_processor = x.device.type == "cpu" and not torch.is_autocast_enabled("cpu")
    return on_processor and x.dtype == weight.dtype == torch.float32 and x.dim() == 4


def _windows(x: Tensor) -> int:
    rows, columns = (-(-size // WINDOW_STEP) for size in x.shape[2:])
    return len(x) * rows * columns
