"""A convolution that takes the shorter way where there is one."""

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
class WinogradConv2d(nn.Conv2d):
    """``nn.Conv2d``, whose training on a processor takes ``winograd_conv2d`` where that pays.

    That is for 3x3 kernels of many channels on all but small maps, in float32; anything else, and
    whatever is traced, compiled or run without gradients, is torch's own. Outputs and gradients
    differ by rounding.
    """

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if self._is_suited() and _pays(input, weight):
            return winograd_conv2d(input, weight, bias)
        return super()._conv_forward(input, weight, bias)

    def _is_suited(self) -> bool:
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


def _pays(x: Tensor, weight: Tensor) -> bool:
    if torch.jit.is_tracing() or torch.compiler.is_compiling() or not torch.is_grad_enabled():
        return False
    if x.device.type != "cpu" or torch.is_autocast_enabled("cpu") or x.dim() != 4:
        return False
    if not x.dtype == weight.dtype == torch.float32:
        return False
    rows, columns = (-(-size // WINDOW_STEP) for size in x.shape[2:])
    return len(x) * rows * columns >= _LEAST_WINDOWS
