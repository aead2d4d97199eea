"""Inverted residual block (Sandler et al., "MobileNetV2", 2018)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from cvcore.cnn import BaseModule, ConvModule, DropPath
from detcore.errors import OptionError
from detcore.models.layers.init_choice import InitConfig
from detcore.models.layers.se import SELayer

LayerConfig = Mapping[str, Any]
_BN: LayerConfig = {"type": "BN"}
_RELU: LayerConfig = {"type": "ReLU"}


def make_divisible(
    value: float, divisor: int, min_value: int | None = None, min_ratio: float = 0.9
) -> int:
    """Round a number of channels to a multiple of `divisor`, losing a tenth at most."""
    smallest = divisor if min_value is None else min_value
    rounded = max(smallest, int(value + divisor / 2) // divisor * divisor)
    return rounded if rounded >= min_ratio * value else rounded + divisor


class InvertedResidual(BaseModule):
    """Widens by a 1x1 convolution, looks around channel by channel, narrows without activation.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        mid_channels: channels in between.
        kernel_size: of the depthwise convolution.
        stride: of the depthwise convolution, 1 or 2.
        se_cfg: arguments of a squeeze-and-excitation after it.
        with_expand_conv: have the first convolution; without it `mid_channels` is `in_channels`.
        conv_cfg: recipe of the convolutions; the depthwise one's too.
        norm_cfg: recipe of the norms.
        act_cfg: recipe of the activations.
        drop_path_rate: how often the branch is dropped in training.
        with_cp: recompute the block in the backward pass to save memory.
        init_cfg: recipe of initialisation.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        mid_channels: int,
        kernel_size: int = 3,
        stride: int = 1,
        se_cfg: LayerConfig | None = None,
        with_expand_conv: bool = True,
        conv_cfg: LayerConfig | None = None,
        norm_cfg: LayerConfig = _BN,
        act_cfg: LayerConfig = _RELU,
        drop_path_rate: float = 0.0,
        with_cp: bool = False,
        init_cfg: InitConfig | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if stride not in (1, 2):
            raise OptionError(f"InvertedResidual: stride={stride} must be 1 or 2")
        if not with_expand_conv and mid_channels != in_channels:
            raise OptionError(
                f"InvertedResidual: without the expanding convolution mid_channels={mid_channels} "
                f"must be in_channels={in_channels}"
            )
        self.with_res_shortcut = stride == 1 and in_channels == out_channels
        self.with_cp = with_cp
        self.with_expand_conv = with_expand_conv
        self.with_se = se_cfg is not None
        self.drop_path = DropPath(drop_path_rate) if drop_path_rate > 0 else nn.Identity()
        shared: dict[str, Any] = {"norm_cfg": norm_cfg}
        if with_expand_conv:
            self.expand_conv = ConvModule(
                in_channels, mid_channels, 1, conv_cfg=conv_cfg, act_cfg=act_cfg, **shared
            )
        self.depthwise_conv = ConvModule(
            mid_channels,
            mid_channels,
            kernel_size,
            stride=stride,
            padding=kernel_size // 2,
            groups=mid_channels,
            conv_cfg=conv_cfg,
            act_cfg=act_cfg,
            **shared,
        )
        if se_cfg is not None:
            self.se = SELayer(**se_cfg)
        self.linear_conv = ConvModule(
            mid_channels, out_channels, 1, conv_cfg=conv_cfg, act_cfg=None, **shared
        )

    def _run(self, x: Tensor) -> Tensor:
        branch = self.expand_conv(x) if self.with_expand_conv else x
        branch = self.depthwise_conv(branch)
        if self.with_se:
            branch = self.se(branch)
        branch = self.linear_conv(branch)
        return x + self.drop_path(branch) if self.with_res_shortcut else branch

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, in_channels, h, w) to (n, out_channels, h / stride, w / stride)."""
        if self.with_cp and x.requires_grad:
            return checkpoint(self._run, x, use_reentrant=False)
        return self._run(x)
