"""A convolution split in two: per channel over space, then over channels per pixel.

Howard et al., "MobileNets" (2017).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from cvcore.cnn.conv_module import ConvModule

LayerConfig = Mapping[str, Any]
_RELU: LayerConfig = {"type": "ReLU"}
_DEFAULT = "default"


class DepthwiseSeparableConvModule(nn.Module):
    """`depthwise_conv` then `pointwise_conv`, both of them `ConvModule`s.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: of the depthwise convolution, like stride, padding and dilation.
        stride: step of the kernel.
        padding: pixels added on every side.
        dilation: spacing of the kernel's points.
        norm_cfg: recipe of both norms.
        act_cfg: recipe of both activations.
        dw_norm_cfg: recipe of the depthwise one's norm alone.
        dw_act_cfg: recipe of the depthwise one's activation alone.
        pw_norm_cfg: recipe of the pointwise one's norm alone.
        pw_act_cfg: recipe of the pointwise one's activation alone.
        bias: of both, as in `ConvModule`, like the arguments after it.
        conv_cfg: recipe of both convolutions.
        inplace: let the activations overwrite their input.
        with_spectral_norm: divide the weights by their largest singular value.
        padding_mode: kind of padding.
        order: the order of `'conv'`, `'norm'` and `'act'`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        norm_cfg: LayerConfig | None = None,
        act_cfg: LayerConfig | None = _RELU,
        dw_norm_cfg: LayerConfig | str | None = _DEFAULT,
        dw_act_cfg: LayerConfig | str | None = _DEFAULT,
        pw_norm_cfg: LayerConfig | str | None = _DEFAULT,
        pw_act_cfg: LayerConfig | str | None = _DEFAULT,
        *,
        bias: bool | str = "auto",
        conv_cfg: LayerConfig | None = None,
        inplace: bool = True,
        with_spectral_norm: bool = False,
        padding_mode: str = "zeros",
        order: Sequence[str] = ("conv", "norm", "act"),
    ) -> None:
        super().__init__()
        shared: dict[str, Any] = {
            "bias": bias,
            "conv_cfg": conv_cfg,
            "inplace": inplace,
            "with_spectral_norm": with_spectral_norm,
            "padding_mode": padding_mode,
            "order": order,
        }
        self.depthwise_conv = ConvModule(
            in_channels,
            in_channels,
            kernel_size,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=in_channels,
            norm_cfg=_own_or(dw_norm_cfg, norm_cfg),
            act_cfg=_own_or(dw_act_cfg, act_cfg),
            **shared,
        )
        self.pointwise_conv = ConvModule(
            in_channels,
            out_channels,
            1,
            norm_cfg=_own_or(pw_norm_cfg, norm_cfg),
            act_cfg=_own_or(pw_act_cfg, act_cfg),
            **shared,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, in_channels, h, w) to (n, out_channels, h', w')."""
        return self.pointwise_conv(self.depthwise_conv(x))


def _own_or(own: LayerConfig | str | None, shared: LayerConfig | None) -> LayerConfig | None:
    return shared if isinstance(own, str) else own
