"""The plain 2D convolution, which takes the shortest way for the shape of its map."""

from __future__ import annotations

import os
from typing import TypeGuard

import torch
from torch import Tensor, nn

from cvcore.cnn.registry import CONV_LAYERS
from cvcore.ops.deep_conv import deep_conv2d
from cvcore.ops.sampled_gradient import sampled_conv2d
from cvcore.ops.winograd import WINDOW_STEP, winograd_conv2d

# Bringing windows and kernels there and back costs by the channel and the kernel, which only many
# channels and many windows win back.
_LEAST_CHANNELS = 128
_LEAST_WINDOWS = 64
_DEEP = 512  # channels from which the gradient of the kernels is had by products
_ALL_DIRECT = os.environ.get("CVCORE_DIRECT_CONV", "0") == "1"


@CONV_LAYERS.register_module()
class Conv2d(nn.Conv2d):
    """``nn.Conv2d`` that chooses its way on a processor.

    In float32, 3x3 kernels of many channels go over large maps by ``winograd_conv2d``, those of
    very many over small ones by ``deep_conv2d``. Others of many channels over large maps, and in
    other precisions, look on their way back whether few of their outputs have a gradient
    (``sampled_conv2d``). On other devices, and where it is traced or compiled, it is torch's own.
    Outputs and gradients differ from torch's by rounding, as they do between its own kernels for
    the two memory orders.

    Attributes:
        direct: have every output and gradient of a map torch's own way. ``CVCORE_DIRECT_CONV=1``
            in the environment leaves all layers torch's own way altogether.
    """

    direct = False

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if goes_by_winograd(self, input):
            return winograd_conv2d(input, weight, bias)
        if torch.is_grad_enabled():
            if is_deep(self, input):
                return deep_conv2d(input, weight, bias)
            if _is_wide(self, input):
                return sampled_conv2d(input, weight, bias)
        return super()._conv_forward(input, weight, bias)


def go_directly(module: nn.Module, direct: bool) -> None:
    """Let the convolutions of a module take torch's own way, or choose again."""
    for layer in module.modules():
        if isinstance(layer, Conv2d):
            layer.direct = direct


def goes_by_winograd(conv: nn.Module, x: Tensor) -> bool:
    """Whether a layer takes Winograd's way over (n, c, h, w)."""
    return _is_wide(conv, x) and _in_float32(conv, x) and conv.out_channels >= _LEAST_CHANNELS


def is_deep(conv: nn.Module, x: Tensor) -> bool:
    """Whether the gradient of a layer's kernels over (n, c, h, w) is better had by products."""
    return (
        isinstance(conv, Conv2d)
        and _may_choose(x)
        and _in_float32(conv, x)
        and _is_plain_3x3(conv)
        and min(conv.in_channels, conv.out_channels) >= _DEEP
    )


def goes_by_products(conv: nn.Module, x: Tensor) -> bool:
    """Whether the gradients of a layer before a frozen norm are better had by products.

    In bfloat16, oneDNN's kernels of one pixel take longer, over small maps half as long again.
    """
    return (
        isinstance(conv, Conv2d)
        and not conv.direct
        and _may_choose(x)
        and x.dtype == torch.bfloat16
        and conv.kernel_size == (1, 1)
        and conv.stride == (1, 1)
        and conv.padding == (0, 0)
        and conv.groups == 1
    )


def _is_wide(conv: nn.Module, x: Tensor) -> TypeGuard[Conv2d]:
    """Whether a layer has kernels of many channels and a large map."""
    return (
        isinstance(conv, Conv2d)
        and not conv.direct
        and _may_choose(x)
        and _is_plain_3x3(conv)
        and conv.in_channels >= _LEAST_CHANNELS
        and _windows(x) >= _LEAST_WINDOWS
    )


def _may_choose(x: Tensor) -> bool:
    if _ALL_DIRECT or torch.jit.is_tracing() or torch.compiler.is_compiling():
        return False
    return x.device.type == "cpu" and x.dim() == 4


def _in_float32(conv: Conv2d, x: Tensor) -> bool:
    single = x.dtype == conv.weight.dtype == torch.float32
    return single and not torch.is_autocast_enabled("cpu")


def _is_plain_3x3(conv: Conv2d) -> bool:
    return (
        conv.kernel_size == (3, 3)
        and conv.stride == (1, 1)
        and conv.padding == (1, 1)
        and conv.dilation == (1, 1)
        and conv.groups == 1
        and conv.padding_mode == "zeros"
    )


def _windows(x: Tensor) -> int:
    rows, columns = (-(-size // WINDOW_STEP) for size in x.shape[2:])
    return len(x) * rows * columns
