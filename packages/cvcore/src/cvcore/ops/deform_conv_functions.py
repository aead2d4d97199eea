"""Deformable convolution as functions, on torchvision's operator.

Version 1: Dai et al., "Deformable Convolutional Networks" (arXiv 1703.06211); version 2, with a
weight for each sample: Zhu et al., "Deformable ConvNets v2" (arXiv 1811.11168).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from cvcore.errors import ConfigError
from cvcore.ops.roi import as_pair
from cvcore.ops.torchvision_ops import vision_ops

Size = int | Sequence[int]


def deform_conv2d(
    input: Tensor,
    offset: Tensor,
    weight: Tensor,
    stride: Size = 1,
    padding: Size = 0,
    dilation: Size = 1,
    groups: int | None = None,
    deform_groups: int | None = None,
    bias: bool = False,
    im2col_step: int = 32,
) -> Tensor:
    """Version 1 as a function.

    Args:
        input: (n, in, h, w) float.
        offset: (n, deform_groups * 2 * kh * kw, h', w'), y before x, in pixels.
        weight: (out, in / groups, kh, kw).
        stride: Of the kernel, one number or (y, x); so are the next two.
        padding: Zeros around the map.
        dilation: Between the kernel's places.
        groups: Follows from the shapes; what is given is held against them.
        deform_groups: Likewise.
        bias: There is none.
        im2col_step: Changes nothing here.

    Raises:
        ConfigError: A number of groups is not that of the shapes, or a bias is asked for.
    """
    if bias:
        raise ConfigError("deform_conv2d has no bias; take modulated_deform_conv2d, or bias=False")
    _check_groups(input, offset, weight, groups, deform_groups)
    return vision_ops().deform_conv2d(
        input, offset, weight, None, as_pair(stride), as_pair(padding), as_pair(dilation)
    )


def modulated_deform_conv2d(
    input: Tensor,
    offset: Tensor,
    mask: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size = 0,
    dilation: Size = 1,
    groups: int | None = None,
    deform_groups: int | None = None,
) -> Tensor:
    """Version 2 as a function: ``deform_conv2d`` with a mask and a bias.

    Args:
        input: (n, in, h, w) float.
        offset: (n, deform_groups * 2 * kh * kw, h', w'), y before x, in pixels.
        mask: (n, deform_groups * kh * kw, h', w'), what each sample counts.
        weight: (out, in / groups, kh, kw).
        bias: (out,).
        stride: Of the kernel, one number or (y, x); so are the next two.
        padding: Zeros around the map.
        dilation: Between the kernel's places.
        groups: Follows from the shapes; what is given is held against them.
        deform_groups: Likewise.

    Raises:
        ConfigError: A number of groups is not that of the shapes.
    """
    _check_groups(input, offset, weight, groups, deform_groups)
    return vision_ops().deform_conv2d(
        input, offset, weight, bias, as_pair(stride), as_pair(padding), as_pair(dilation), mask
    )


def _check_groups(
    input: Tensor, offset: Tensor, weight: Tensor, groups: int | None, deform_groups: int | None
) -> None:
    """Hold given numbers of groups against those that the shapes imply."""
    places = weight.shape[2] * weight.shape[3]
    implied = input.shape[1] // weight.shape[1], offset.shape[1] // (2 * places)
    for name, given, shape in zip(
        ("groups", "deform_groups"), (groups, deform_groups), implied, strict=True
    ):
        if given is not None and given != shape:
            raise ConfigError(
                f"{name}={given}, but input {tuple(input.shape)}, offset {tuple(offset.shape)} and "
                f"weight {tuple(weight.shape)} have {shape}; leave {name} out or change the shapes"
            )
