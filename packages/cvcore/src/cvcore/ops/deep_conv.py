"""3x3 convolution of very many channels: torch's, with the gradient of its kernels as a product.

Such layers see small maps. There oneDNN's kernel for that gradient can take twice as long as one
product of all outputs with the inputs that they saw.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

_KERNEL = 3


def deep_conv2d(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Convolve with 3x3 kernels, stride 1 and one row of zeros around the map.

    Args:
        x: (n, c, h, w) float.
        weight: (k, c, 3, 3).
        bias: (k,).

    Returns:
        (n, k, h, w), that of ``conv2d`` to the bit.
    """
    out: Tensor = _DeepConv.apply(x, weight, bias)
    return out


def kernel_gradient(x: Tensor, grad: Tensor) -> Tensor:
    """(k, c, 3, 3), the gradient of the kernels.

    Args:
        x: (n, c, h, w), what was convolved.
        grad: (n, k, h, w), of the output.
    """
    images, channels, height, width = x.shape
    framed = F.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))
    # Of every output, the inputs that it saw.
    of_image, of_row, of_column, of_channel = framed.stride()
    seen = framed.as_strided(
        (images, height, width, _KERNEL, _KERNEL, channels),
        (of_image, of_row, of_column, of_row, of_column, of_channel),
        framed.storage_offset(),
    )
    outputs = grad.permute(1, 0, 2, 3).flatten(1)
    kernels = outputs @ seen.reshape(-1, _KERNEL**2 * channels)
    kernels = kernels.view(-1, _KERNEL, _KERNEL, channels).permute(0, 3, 1, 2)
    return kernels.contiguous()


class _DeepConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return F.conv2d(x, weight, bias, padding=1)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        for_x, for_weight, for_bias = ctx.needs_input_grad
        grad_x = None
        if for_x:
            ones, zeros = [1, 1], [0, 0]
            grad_x = torch.ops.aten.convolution_backward(
                grad, x, weight, None, ones, ones, ones, False, zeros, 1, (True, False, False)
            )[0]
        grad_weight = kernel_gradient(x, grad) if for_weight else None
        return grad_x, grad_weight, grad.sum(dim=(0, 2, 3)) if for_bias else None
