"""Folding batch norms into the convolutions in front of them, for faster inference."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from cvcore.cnn.conv_module import ConvModule


def _fold(conv: nn.Conv2d, norm: _BatchNorm) -> None:
    scale = (norm.running_var + norm.eps).rsqrt()
    if norm.affine:
        scale = scale * norm.weight
    shift = -norm.running_mean * scale
    if norm.affine:
        shift = shift + norm.bias
    if conv.bias is not None:
        shift = shift + conv.bias * scale
    conv.weight = nn.Parameter(conv.weight * scale.reshape(-1, 1, 1, 1))
    conv.bias = nn.Parameter(shift)


def _foldable(conv: nn.Module, norm: nn.Module) -> bool:
    # A layer that changes its weight on the fly (ConvWS, deformable kinds) must not be folded.
    return (
        isinstance(conv, nn.Conv2d)
        and type(conv).forward is nn.Conv2d.forward
        and isinstance(norm, _BatchNorm)
        and norm.track_running_stats
        and norm.num_features == conv.out_channels
    )


@torch.no_grad()
def fuse_conv_bn(module: nn.Module) -> nn.Module:
    """Fold every batch norm that directly follows a plain convolution; returns the module.

    The norm becomes an identity. Output in evaluation is the same up to rounding; training a fused
    model is another thing than training the original.
    """
    norm_first = isinstance(module, ConvModule) and module.order.index("norm") < module.order.index(
        "conv"
    )
    previous: nn.Module | None = None
    for name, child in module.named_children():
        if previous is not None and not norm_first and _foldable(previous, child):
            _fold(previous, child)
            setattr(module, name, nn.Identity())
            previous = None
        elif isinstance(child, nn.Conv2d):
            previous = child
        else:
            previous = None
            fuse_conv_bn(child)
    return module
