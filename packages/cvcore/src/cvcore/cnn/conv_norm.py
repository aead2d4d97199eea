"""A convolution and its batch norm together, where the norm only scales and shifts.

A batch norm in evaluation mode is a scale and a shift of each channel. The two give the same
numbers as one after the other, but the map between them is not kept for the backward pass: the
gradients of scale and shift follow from those of the convolution's weight and bias. As nobody else
sees that map, the norm writes over it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.modules.batchnorm import _BatchNorm

from cvcore.cnn.layers.conv2d import goes_by_products, goes_by_winograd, is_deep
from cvcore.ops.deep_conv import kernel_gradient
from cvcore.ops.winograd import winograd_gradients


def conv_norm(conv: nn.Module, norm: nn.Module, x: Tensor) -> Tensor:
    """``norm(conv(x))``, keeping less for the backward pass where the norm only scales and shifts.

    Args:
        conv: what comes first; less is kept of a plain ``nn.Conv2d``.
        norm: what follows; less is kept of a batch norm that uses its running statistics.
        x: (n, c, h, w) float.
    """
    foldable = _is_plain_conv(conv) and _only_scales(norm)
    if not foldable or _is_watched(conv, norm):
        return norm(conv(x))
    if not torch.is_grad_enabled():
        return _norm_in_place(norm, conv(x))
    device = x.device.type
    if torch.is_autocast_enabled(device):
        x = x.to(torch.get_autocast_dtype(device))
    return _ConvNorm.apply(x, conv.weight, *_scale_and_shift(conv, norm), conv, norm)


def _norm_in_place(norm: nn.Module, x: Tensor) -> Tensor:
    """``norm(x)`` of a norm that only scales and shifts, bit for bit, in the memory of ``x``.

    A new map costs several times what the norm does: its pages have to be fetched from the system.
    """
    if x.device.type != "cpu" or type(norm).forward is not _BatchNorm.forward:
        return norm(x)
    nothing = norm.running_mean.new_empty(0)  # the statistics of the batch, which are not taken
    torch.native_batch_norm(
        x,
        norm.weight,
        norm.bias,
        norm.running_mean,
        norm.running_var,
        False,
        0.0,
        norm.eps,
        out=(x, nothing, torch.empty_like(nothing)),
    )
    return x


def _scale_and_shift(conv: nn.Module, norm: nn.Module) -> tuple[Tensor, Tensor]:
    """(c,) what each channel of the convolution without its bias is multiplied by, and added to."""
    scale = (norm.running_var + norm.eps).rsqrt()
    if norm.weight is not None:
        scale = scale * norm.weight
    shift = -norm.running_mean * scale
    if norm.bias is not None:
        shift = shift + norm.bias
    if conv.bias is not None:
        shift = shift + conv.bias * scale
    return scale, shift


class ConvNormSequential(nn.Sequential):
    """Layers in a row; of a convolution and the norm behind it less is kept where that can be."""

    def forward(self, x: Tensor) -> Tensor:
        """Run the layers in order."""
        layers = list(self)
        place = 0
        while place < len(layers):
            pair = layers[place : place + 2]
            if len(pair) == 2 and isinstance(pair[0], nn.Conv2d):
                x = conv_norm(pair[0], pair[1], x)
            else:
                x = pair[0](x)
                pair = pair[:1]
            place += len(pair)
        return x


class _ConvNorm(torch.autograd.Function):
    """A convolution and a scale and shift of its channels, of which only the input is kept."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        scale: Tensor,
        shift: Tensor,
        conv: nn.Module,
        norm: nn.Module,
    ) -> Tensor:
        ctx.save_for_backward(x, weight, scale)
        ctx.geometry = (conv.stride, conv.padding, conv.dilation, conv.groups)
        ctx.by_winograd, ctx.is_deep = goes_by_winograd(conv, x), is_deep(conv, x)
        ctx.by_products = goes_by_products(conv, x)
        return _norm_in_place(norm, conv(x))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, scale = ctx.saved_tensors
        for_x, for_weight, for_scale, for_shift = ctx.needs_input_grad[:4]
        grad_x, grad_scaled, grad_shift = _gradients(
            ctx,
            grad,
            x,
            (weight * scale[:, None, None, None]).to(x.dtype),
            (for_x, for_weight or for_scale, for_shift),
        )
        grad_weight = grad_scale = None
        if grad_scaled is not None:
            # In the order that weights have, in which the two products go over it.
            grad_scaled = grad_scaled.to(weight.dtype, memory_format=torch.contiguous_format)
            # Not by einsum, which turns both about for a matrix product of single rows.
            grad_scale = (grad_scaled * weight).sum(dim=(1, 2, 3)) if for_scale else None
            grad_weight = grad_scaled.mul_(scale[:, None, None, None]) if for_weight else None
        if grad_shift is not None:
            grad_shift = grad_shift.to(scale.dtype)
        return grad_x, grad_weight, grad_scale, grad_shift, None, None


def _gradients(
    ctx: Any, grad: Tensor, x: Tensor, weight: Tensor, wanted: tuple[bool, bool, bool]
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Of the input, the weight and the bias of a convolution, the way that it went."""
    if ctx.by_winograd:
        of_x, of_weight = winograd_gradients(grad, x, weight, *wanted[:2])
        return of_x, of_weight, grad.sum(dim=(0, 2, 3)) if wanted[2] else None
    if ctx.by_products:
        return _gradients_of_products(grad, x, weight, wanted)
    stride, padding, dilation, groups = ctx.geometry
    deep = ctx.is_deep and wanted[1]
    of_x, of_weight, of_bias = torch.ops.aten.convolution_backward(
        grad, x, weight, [len(weight)], stride, padding, dilation, False, [0, 0], groups,
        (wanted[0], wanted[1] and not deep, wanted[2]),
    )  # fmt: skip
    return of_x, kernel_gradient(x, grad) if deep else of_weight, of_bias


def _gradients_of_products(
    grad: Tensor, x: Tensor, weight: Tensor, wanted: tuple[bool, bool, bool]
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Of the input, the weight and the bias of a convolution with kernels of one pixel."""
    of_pixels = grad.permute(0, 2, 3, 1).flatten(0, 2)
    of_x = of_weight = None
    if wanted[0]:
        images, channels, height, width = x.shape
        of_x = of_pixels @ weight.flatten(1)
        of_x = of_x.view(images, height, width, channels).permute(0, 3, 1, 2)
    if wanted[1]:
        of_weight = (of_pixels.T @ x.permute(0, 2, 3, 1).flatten(0, 2)).view_as(weight)
    return of_x, of_weight, grad.sum(dim=(0, 2, 3)) if wanted[2] else None


def _is_plain_conv(conv: nn.Module) -> bool:
    """Whether the layer convolves with its weight as it is, zeros around the map."""
    return (
        isinstance(conv, nn.Conv2d)
        and type(conv).forward is nn.Conv2d.forward
        and conv.padding_mode == "zeros"
        and not isinstance(conv.padding, str)
    )


def _only_scales(norm: nn.Module) -> bool:
    """Whether the layer is a batch norm that uses its running statistics."""
    return isinstance(norm, _BatchNorm) and not norm.training and norm.running_var is not None


def _is_watched(*layers: nn.Module) -> bool:
    """Whether somebody looks at what comes out of a layer, or draws the graph of the layers."""
    if torch.jit.is_tracing() or torch.compiler.is_compiling():
        return True
    return any(
        layer._forward_hooks
        or layer._forward_pre_hooks
        or layer._backward_hooks
        or layer._backward_pre_hooks
        for layer in layers
    )
