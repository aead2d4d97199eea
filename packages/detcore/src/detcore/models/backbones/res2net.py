"""Res2Net (Gao et al., "Res2Net: A New Multi-scale Backbone Architecture", 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from cvcore.cnn import Sequential, build_conv_layer, build_norm_layer
from detcore.errors import OptionError
from detcore.models.backbones.resnet import ResNet
from detcore.models.layers.options import check_options
from detcore.models.layers.res_blocks import Bottleneck, ResidualBlock
from detcore.models.layers.res_layer import build_downsample
from detcore.registries import BACKBONES


class Bottle2neck(Bottleneck):
    """A bottleneck whose 3x3 convolution is a chain over slices of the channels.

    Args:
        inplanes: channels of the input.
        planes: a quarter of the output's channels.
        scales: number of slices.
        base_width: channels of a slice in the first stage.
        base_channels: `planes` of the first stage.
        stage_type: `'stage'` for the first block of a stage, whose slices do not feed each other,
            `'normal'` for the others.
        options: the other arguments of `Bottleneck`.
    """

    def __init__(
        self,
        inplanes: int,
        planes: int,
        scales: int = 4,
        base_width: int = 26,
        base_channels: int = 64,
        stage_type: str = "normal",
        **options: Any,
    ) -> None:
        if scales < 2:
            raise OptionError(f"Bottle2neck: scales={scales} must be 2 or more")
        self.scales = scales
        self.stage_type = stage_type
        super().__init__(
            inplanes, planes, base_width=base_width, base_channels=base_channels, **options
        )

    def branch_width(self, scale: float) -> int:
        """Return the channels of all slices together."""
        self.width = int(self.planes * scale)
        return self.width * self.scales

    def add_middle(self, width: int) -> None:
        """Register the convolutions of all slices but the last, and their norms."""
        if self.stage_type == "stage" and self.conv2_stride != 1:
            self.pool = nn.AvgPool2d(kernel_size=3, stride=self.conv2_stride, padding=1)
        self.convs = nn.ModuleList()
        self.bns = nn.ModuleList()
        for _ in range(self.scales - 1):
            self.convs.append(
                build_conv_layer(
                    self.middle_cfg(),
                    self.width,
                    self.width,
                    3,
                    stride=self.conv2_stride,
                    padding=self.dilation,
                    dilation=self.dilation,
                    bias=False,
                )
            )
            self.bns.append(build_norm_layer(self.norm_cfg, self.width)[1])

    def middle(self, x: Tensor) -> Tensor:
        """Convolve the slices one after the other; the last one goes through as it is."""
        *slices, last = x.split(self.width, dim=1)
        outputs: list[Tensor] = []
        for part, conv, norm in zip(slices, self.convs, self.bns, strict=True):
            chained = outputs and self.stage_type == "normal"
            outputs.append(self.relu(norm(conv(part + outputs[-1] if chained else part))))
        if self.stage_type == "stage" and self.conv2_stride != 1:
            last = self.pool(last)
        return torch.cat([*outputs, last], dim=1)


class Res2Layer(Sequential):
    """A stage of Res2Net; its shortcut always pools by average.

    Args:
        block: class of the blocks.
        inplanes: channels of the input.
        planes: channels of the blocks, before expansion.
        num_blocks: number of blocks.
        stride: of the first block.
        conv_cfg: recipe of the convolutions.
        norm_cfg: recipe of the norms.
        block_options: further arguments of every block.
    """

    def __init__(
        self,
        block: type[ResidualBlock],
        inplanes: int,
        planes: int,
        num_blocks: int,
        stride: int = 1,
        conv_cfg: Any = None,
        norm_cfg: Any = None,
        **block_options: Any,
    ) -> None:
        outputs = planes * block.expansion
        downsample = None
        if stride != 1 or inplanes != outputs:
            downsample = build_downsample(inplanes, outputs, stride, True, conv_cfg, norm_cfg)
        make: Any = block
        options = {"conv_cfg": conv_cfg, "norm_cfg": norm_cfg, **block_options}
        blocks = [
            make(
                inplanes,
                planes,
                stride=stride,
                downsample=downsample,
                stage_type="stage",
                **options,
            )
        ]
        blocks += [make(outputs, planes, **options) for _ in range(1, num_blocks)]
        super().__init__(*blocks)


@BACKBONES.register_module()
class Res2Net(ResNet):
    """ResNet with a chain of slices in every block, a deep stem and averaging shortcuts.

    Args:
        scales: number of slices in a block.
        base_width: channels of a slice in the first stage.
        style: where a block strides, as in `ResNet`.
        deep_stem: three 3x3 convolutions in place of the 7x7.
        avg_down: has no effect; the shortcuts always pool by average.
        options: the other arguments of `ResNet`; `depth` is 50, 101 or 152.
    """

    arch_settings: ClassVar[Mapping[int, tuple[type[ResidualBlock], tuple[int, ...]]]] = {
        50: (Bottle2neck, (3, 4, 6, 3)),
        101: (Bottle2neck, (3, 4, 23, 3)),
        152: (Bottle2neck, (3, 8, 36, 3)),
    }

    def __init__(
        self,
        scales: int = 4,
        base_width: int = 26,
        style: str = "pytorch",
        deep_stem: bool = True,
        avg_down: bool = True,
        **options: Any,
    ) -> None:
        check_options(Res2Net, ResNet, options)
        self.scales = scales
        self.base_width = base_width
        super().__init__(style=style, deep_stem=deep_stem, avg_down=avg_down, **options)

    def make_res_layer(self, **options: Any) -> nn.Module:
        """Build one stage."""
        options.pop("avg_down")
        return Res2Layer(
            scales=self.scales,
            base_width=self.base_width,
            base_channels=self.base_channels,
            **options,
        )
