"""Gradients of a 3x3 convolution of whose outputs few have one.

Of all its outputs, a head that learns from a sample of anchors is given gradients at the sampled
places alone. What those saw, and where their gradients go, is a small part of the map.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

_KERNEL = 3
_MOST = 8  # one place in so many at most, which takes under half the time of whole maps
_GLANCE = 16  # of so many places one tells of most maps that they have gradients everywhere


def sampled_conv2d(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Convolve as torch does; the way back is short where few outputs have a gradient.

    Args:
        x: (n, c, h, w) float; under autocast it is brought to the precision of that.
        weight: (k, c, 3, 3), of kernels with stride 1 and one row of zeros around the map.
        bias: (k,).

    Returns:
        (n, k, h, w), that of ``conv2d`` to the bit.
    """
    if torch.is_autocast_enabled(x.device.type):
        dtype = torch.get_autocast_dtype(x.device.type)
        x, weight = x.to(dtype), weight.to(dtype)
        bias = None if bias is None else bias.to(dtype)
    out: Tensor = _SampledConv.apply(x, weight, bias)
    return out


class _SampledConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return F.conv2d(x, weight, bias, padding=1)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        for_x, for_weight, for_bias = ctx.needs_input_grad
        places = sampled_places(grad)
        if places is not None:
            grad_bias = grad.sum(dim=(0, 2, 3)) if for_bias else None
            return *gradients_of_places(places, grad, x, weight, for_x, for_weight), grad_bias
        ones, zeros = [1, 1], [0, 0]
        grads: tuple[Tensor | None, Tensor | None, Tensor | None]
        grads = torch.ops.aten.convolution_backward(
            grad, x, weight, [len(weight)], ones, ones, ones, False, zeros, 1, ctx.needs_input_grad
        )
        return grads


def sampled_places(grad: Tensor) -> Tensor | None:
    """Find the outputs with a gradient, if they are few.

    Args:
        grad: (n, k, h, w), of the output.

    Returns:
        (p,) int64, counted along images, rows and columns. None where they are many, and where the
        gradient is to be differentiated in its turn, for then its zeros count as well.
    """
    if torch.is_grad_enabled():
        return None
    by_places = _by_places(grad)
    glance = by_places[::_GLANCE]
    if 2 * len(_with_gradient(glance)) > len(glance):
        return None
    places = _with_gradient(by_places)
    return places if len(places) * _MOST <= len(by_places) else None


def _with_gradient(by_places: Tensor) -> Tensor:
    """(p,) int64, the rows of (n, k) that are not zeros alone."""
    # One after the other: aminmax takes four times as long as both.
    return ((by_places.amin(dim=1) != 0) | (by_places.amax(dim=1) != 0)).nonzero().flatten()


def gradients_of_places(
    places: Tensor,
    grad: Tensor,
    x: Tensor,
    weight: Tensor,
    for_x: bool = True,
    for_weight: bool = True,
) -> tuple[Tensor | None, Tensor | None]:
    """Gradients of the input (n, c, h, w) and of the weight (k, c, 3, 3), those asked for.

    Args:
        places: (p,) int64, of the outputs that have a gradient.
        grad: (n, k, h, w), of the output.
        x: (n, c, h, w), what was convolved, with one row of zeros around the map.
        weight: (k, c, 3, 3).
        for_x: whether the first is wanted.
        for_weight: whether the second is wanted.
    """
    images, channels, height, width = x.shape
    of_places = _by_places(grad)[places]
    seen, outside = _neighbours(places, height, width)
    grad_x = grad_weight = None
    if for_weight:
        inputs = _by_places(x)[seen]
        inputs[outside] = 0
        kernels = (of_places.T @ inputs.flatten(1)).view(-1, _KERNEL, _KERNEL, channels)
        grad_weight = kernels.permute(0, 3, 1, 2).contiguous()
    if for_x:
        spread = of_places @ weight.permute(0, 2, 3, 1).flatten(1)
        spread = spread.view(-1, _KERNEL**2, channels)
        spread[outside] = 0
        # Up to nine numbers come together at a place, which half precision would round each time.
        exact = torch.promote_types(x.dtype, torch.float32)
        whole = x.new_zeros(images * height * width, channels, dtype=exact)
        whole.index_add_(0, seen.flatten(), spread.flatten(0, 1).to(exact))
        grad_x = whole.view(images, height, width, channels).permute(0, 3, 1, 2).to(x.dtype)
    return grad_x, grad_weight


def _by_places(maps: Tensor) -> Tensor:
    """(n * h * w, c) of (n, c, h, w)."""
    return maps.permute(0, 2, 3, 1).flatten(0, 2)


def _neighbours(places: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """(p, 9) places that a kernel at each place looks at, and which of them are beside the map."""
    steps = torch.arange(-1, 2, device=places.device)
    rows = (places // width % height)[:, None] + steps
    columns = (places % width)[:, None] + steps
    beside = (rows < 0) | (rows >= height), (columns < 0) | (columns >= width)
    outside = beside[0][:, :, None] | beside[1][:, None]
    seen = places[:, None, None] + width * steps[:, None] + steps
    return seen.masked_fill(outside, 0).flatten(1), outside.flatten(1)
