"""Layers of deformable convolution, which samples its kernel at learned places.

Version 1: Dai et al., "Deformable Convolutional Networks" (arXiv 1703.06211); version 2, with a
weight for each sample: Zhu et al., "Deformable ConvNets v2" (arXiv 1811.11168).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cvcore.errors import ConfigError
from cvcore.ops.deform_conv_functions import Size, deform_conv2d, modulated_deform_conv2d
from cvcore.ops.roi import as_pair
from cvcore.ops.torchvision_ops import vision_ops

__all__ = [
    "DeformConv2d",
    "DeformConv2dPack",
    "ModulatedDeformConv2d",
    "ModulatedDeformConv2dPack",
    "deform_conv2d",
    "modulated_deform_conv2d",
]


class _DeformableConv(nn.Module):
    """The weight and the geometry that both versions have."""

    bias: Tensor | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size,
        padding: Size,
        dilation: Size,
        groups: int,
        deform_groups: int,
    ) -> None:
        super().__init__()
        for name, divisor in (("groups", groups), ("deform_groups", deform_groups)):
            if in_channels % divisor:
                raise ConfigError(
                    f"{type(self).__name__}: {in_channels} input channels do not divide into "
                    f"{name}={divisor}"
                )
        if out_channels % groups:
            raise ConfigError(
                f"{type(self).__name__}: {out_channels} output channels do not divide into "
                f"groups={groups}"
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = as_pair(kernel_size)
        self.stride = as_pair(stride)
        self.padding = as_pair(padding)
        self.dilation = as_pair(dilation)
        self.groups = groups
        self.deform_groups = deform_groups
        # Read by code that treats this as a convolution, such as weight initialisers.
        self.transposed = False
        self.output_padding = (0, 0)
        self.weight = nn.Parameter(
            torch.empty(out_channels, in_channels // groups, *self.kernel_size)
        )

    def _sample_and_convolve(self, x: Tensor, offset: Tensor, mask: Tensor | None) -> Tensor:
        return vision_ops().deform_conv2d(
            x,
            offset.to(x.dtype),
            self.weight.to(x.dtype),
            None if self.bias is None else self.bias.to(x.dtype),
            self.stride,
            self.padding,
            self.dilation,
            None if mask is None else mask.to(x.dtype),
        )

    def _offset_conv(self, numbers_per_place: int) -> nn.Conv2d:
        """Predicts ``numbers_per_place`` for each place of the kernel; zero to begin with."""
        places = self.kernel_size[0] * self.kernel_size[1]
        conv = nn.Conv2d(
            self.in_channels,
            self.deform_groups * numbers_per_place * places,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
        )
        nn.init.zeros_(conv.weight)
        nn.init.zeros_(conv.bias)
        return conv

    def extra_repr(self) -> str:
        """The geometry, for printing the model."""
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}, padding={self.padding}, dilation={self.dilation}, "
            f"groups={self.groups}, deform_groups={self.deform_groups}"
        )


class DeformConv2d(_DeformableConv):
    """Deformable convolution, version 1, without a bias.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Places of the kernel (down, across), or one number.
        stride: As of a convolution.
        padding: As of a convolution.
        dilation: As of a convolution.
        groups: As of a convolution.
        deform_groups: Groups of input channels with offsets of their own.
        bias: False; version 1 has none.
        im2col_step: Without effect; images are always convolved together.
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
        deform_groups: int = 1,
        bias: bool = False,
        im2col_step: int = 32,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, deform_groups
        )
        if bias:
            raise ConfigError("DeformConv2d has no bias; take ModulatedDeformConv2d, or bias=False")
        self.register_parameter("bias", None)
        self.im2col_step = im2col_step
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """He et al.'s uniform initialisation."""
        nn.init.kaiming_uniform_(self.weight, nonlinearity="relu")

    def forward(self, x: Tensor, offset: Tensor) -> Tensor:
        """Convolve at shifted places.

        Args:
            x: (N, in_channels, H, W).
            offset: (N, deform_groups * 2 * places, h, w), y and x of each place in pixels.

        Returns:
            (N, out_channels, h, w).
        """
        down = max(self.kernel_size[0] - x.shape[2], 0)
        across = max(self.kernel_size[1] - x.shape[3], 0)
        if down or across:
            # Maps smaller than the kernel are padded up to it, and the result is cut back.
            x = F.pad(x, (0, across, 0, down))
            offset = F.pad(offset, (0, across, 0, down))
        out = self._sample_and_convolve(x, offset, None)
        return out[:, :, : out.shape[2] - down, : out.shape[3] - across] if down or across else out


class DeformConv2dPack(DeformConv2d):
    """Deformable convolution that predicts its offsets; arguments as of :class:`DeformConv2d`."""

    _version = 2

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        deform_groups: int = 1,
        bias: bool = False,
        im2col_step: int = 32,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            deform_groups,
            bias,
            im2col_step,
        )
        self.conv_offset = self._offset_conv(2)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """(N, out_channels, h, w) of an (N, in_channels, H, W) map."""
        return super().forward(x, self.conv_offset(x))

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any], *rest: Any
    ) -> None:
        rename_old_offsets(state_dict, prefix, local_metadata)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)


class ModulatedDeformConv2d(_DeformableConv):
    """Deformable convolution, version 2: each sample has an offset and a weight.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Places of the kernel (down, across), or one number.
        stride: As of a convolution.
        padding: As of a convolution.
        dilation: As of a convolution.
        groups: As of a convolution.
        deform_groups: Groups of input channels with offsets of their own.
        bias: Whether there is a bias, or ``'auto'``, which is True.
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
        deform_groups: int = 1,
        bias: bool | str = True,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, deform_groups
        )
        if bias:
            self.bias = nn.Parameter(torch.empty(out_channels))
        else:
            self.register_parameter("bias", None)
        self.init_weights()

    def init_weights(self) -> None:
        """Uniform by the number of inputs; no bias."""
        bound = 1 / math.sqrt(self.in_channels * self.kernel_size[0] * self.kernel_size[1])
        nn.init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor, offset: Tensor, mask: Tensor) -> Tensor:
        """Convolve at shifted places with weighted samples.

        Args:
            x: (N, in_channels, H, W).
            offset: (N, deform_groups * 2 * places, h, w), y and x of each place in pixels.
            mask: (N, deform_groups * places, h, w), weight of each sample.

        Returns:
            (N, out_channels, h, w).
        """
        return self._sample_and_convolve(x, offset, mask)


class ModulatedDeformConv2dPack(ModulatedDeformConv2d):
    """Version 2 that predicts its offsets and weights; arguments as of its base."""

    _version = 2

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        deform_groups: int = 1,
        bias: bool | str = True,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            deform_groups,
            bias,
        )
        self.conv_offset = self._offset_conv(3)

    def init_weights(self) -> None:
        """As of the base; offsets start at zero and weights at a half."""
        super().init_weights()
        if hasattr(self, "conv_offset"):
            nn.init.zeros_(self.conv_offset.weight)
            nn.init.zeros_(self.conv_offset.bias)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """(N, out_channels, h, w) of an (N, in_channels, H, W) map."""
        first, second, mask = self.conv_offset(x).chunk(3, dim=1)
        return super().forward(x, torch.cat((first, second), dim=1), mask.sigmoid())

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any], *rest: Any
    ) -> None:
        rename_old_offsets(state_dict, prefix, local_metadata)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)


def rename_old_offsets(
    state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any]
) -> None:
    """Give offset layers of checkpoints of version 1, ``conv2_offset``, their place of today."""
    if (local_metadata.get("version") or 1) >= 2:
        return
    for kind in ("weight", "bias"):
        old, new = f"{prefix[:-1]}_offset.{kind}", f"{prefix}conv_offset.{kind}"
        if old in state_dict and new not in state_dict:
            state_dict[new] = state_dict.pop(old)
