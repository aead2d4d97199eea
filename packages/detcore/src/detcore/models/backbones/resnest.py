"""ResNeSt (Zhang et al., "ResNeSt: Split-Attention Networks", 2020)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from cvcore.cnn import BaseModule, build_conv_layer, build_norm_layer
from detcore.models.backbones.resnet import ResNet, ResNetV1d
from detcore.models.layers.init_choice import InitConfig
from detcore.models.layers.options import check_options
from detcore.models.layers.res_blocks import BATCH_NORM, Bottleneck, LayerConfig, ResidualBlock
from detcore.models.layers.res_layer import ResLayer
from detcore.registries import BACKBONES


class SplitAttentionConv2d(BaseModule):
    """A convolution into `radix` candidates for each channel, and an attention that mixes them.

    Args:
        in_channels: channels of the input.
        channels: channels of the output.
        kernel_size: of the convolution, like stride, padding, dilation and groups.
        stride: step of the kernel.
        padding: pixels added on every side.
        dilation: spacing of the kernel's points.
        groups: groups of channels, each with an attention of its own.
        radix: number of candidates; with 1, channels are scaled by a sigmoid.
        reduction_factor: `in_channels * radix` over the channels inside the attention.
        conv_cfg: recipe of the convolution.
        norm_cfg: recipe of the norms.
        init_cfg: recipe of initialisation.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        groups: int = 1,
        radix: int = 2,
        reduction_factor: int = 4,
        conv_cfg: LayerConfig | None = None,
        norm_cfg: LayerConfig = BATCH_NORM,
        init_cfg: InitConfig | None = None,
    ) -> None:
        super().__init__(init_cfg)
        inside = max(in_channels * radix // reduction_factor, 32)
        self.radix = radix
        self.groups = groups
        self.channels = channels
        self.conv = build_conv_layer(
            conv_cfg,
            in_channels,
            channels * radix,
            kernel_size,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups * radix,
            bias=False,
        )
        self.norm0_name, norm0 = build_norm_layer(norm_cfg, channels * radix, postfix=0)
        self.add_module(self.norm0_name, norm0)
        self.relu = nn.ReLU(inplace=True)
        self.fc1 = build_conv_layer(None, channels, inside, 1, groups=groups)
        self.norm1_name, norm1 = build_norm_layer(norm_cfg, inside, postfix=1)
        self.add_module(self.norm1_name, norm1)
        self.fc2 = build_conv_layer(None, inside, channels * radix, 1, groups=groups)

    @property
    def norm0(self) -> nn.Module:
        """The norm of the convolution."""
        return getattr(self, self.norm0_name)

    @property
    def norm1(self) -> nn.Module:
        """The norm inside the attention."""
        return getattr(self, self.norm1_name)

    def _shares(self, pooled: Tensor) -> Tensor:
        """Return each candidate's share, (n, radix, channels, 1, 1)."""
        logits = self.fc2(self.relu(self.norm1(self.fc1(pooled))))
        if self.radix == 1:
            return logits.sigmoid().unsqueeze(1)
        # fc2 orders its output by group, then candidate; the convolution by candidate alone.
        logits = logits.reshape(len(logits), self.groups, self.radix, -1).transpose(1, 2)
        return logits.softmax(dim=1).reshape(len(logits), self.radix, self.channels, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, in_channels, h, w) to (n, channels, h', w')."""
        candidates = self.relu(self.norm0(self.conv(x))).unflatten(1, (self.radix, self.channels))
        pooled = candidates.sum(dim=1).mean(dim=(2, 3), keepdim=True)
        return (candidates * self._shares(pooled)).sum(dim=1)


class ResNeStBottleneck(Bottleneck):
    """A bottleneck with a split-attention convolution, and a pooling where it strides.

    Args:
        inplanes: channels of the input.
        planes: a quarter of the output's channels.
        radix: candidates for each channel.
        reduction_factor: of the attention.
        avg_down_stride: stride by an average pooling after the convolution.
        options: the other arguments of `Bottleneck`.
    """

    def __init__(
        self,
        inplanes: int,
        planes: int,
        radix: int = 2,
        reduction_factor: int = 4,
        avg_down_stride: bool = True,
        **options: Any,
    ) -> None:
        self.radix = radix
        self.reduction_factor = reduction_factor
        self.avg_down_stride = avg_down_stride
        super().__init__(inplanes, planes, **options)

    def add_middle(self, width: int) -> None:
        """Register the split-attention convolution."""
        self.avg_down_stride = self.avg_down_stride and self.conv2_stride > 1
        self.conv2 = SplitAttentionConv2d(
            width,
            width,
            3,
            stride=1 if self.avg_down_stride else self.conv2_stride,
            padding=self.dilation,
            dilation=self.dilation,
            groups=self.groups,
            radix=self.radix,
            reduction_factor=self.reduction_factor,
            conv_cfg=self.middle_cfg(),
            norm_cfg=self.norm_cfg,
        )
        if self.avg_down_stride:
            self.avd_layer = nn.AvgPool2d(3, self.conv2_stride, padding=1)

    def middle(self, x: Tensor) -> Tensor:
        """Apply the split-attention convolution, which ends in its own activation."""
        x = self.conv2(x)
        return self.avd_layer(x) if self.avg_down_stride else x


@BACKBONES.register_module()
class ResNeSt(ResNetV1d):
    """ResNet-v1d with split attention.

    Args:
        groups: groups of the 3x3 convolutions.
        base_width: channels of a group in the first stage.
        radix: candidates for each channel.
        reduction_factor: of the attention.
        avg_down_stride: blocks stride by an average pooling after the 3x3 convolution.
        options: the arguments of `ResNet`; `depth` is 50, 101, 152 or 200.
    """

    arch_settings: ClassVar[Mapping[int, tuple[type[ResidualBlock], tuple[int, ...]]]] = {
        50: (ResNeStBottleneck, (3, 4, 6, 3)),
        101: (ResNeStBottleneck, (3, 4, 23, 3)),
        152: (ResNeStBottleneck, (3, 8, 36, 3)),
        200: (ResNeStBottleneck, (3, 24, 36, 3)),
    }

    def __init__(
        self,
        groups: int = 1,
        base_width: int = 4,
        radix: int = 2,
        reduction_factor: int = 4,
        avg_down_stride: bool = True,
        **options: Any,
    ) -> None:
        check_options(ResNeSt, ResNet, options, fixed=("deep_stem", "avg_down"))
        self.groups = groups
        self.base_width = base_width
        self.radix = radix
        self.reduction_factor = reduction_factor
        self.avg_down_stride = avg_down_stride
        super().__init__(**options)

    def make_res_layer(self, **options: Any) -> nn.Module:
        """Build one stage."""
        return ResLayer(
            groups=self.groups,
            base_width=self.base_width,
            base_channels=self.base_channels,
            radix=self.radix,
            reduction_factor=self.reduction_factor,
            avg_down_stride=self.avg_down_stride,
            **options,
        )
