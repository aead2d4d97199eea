"""ResNeXt (Xie et al., "Aggregated Residual Transformations for Deep Neural Networks", 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import nn

from detcore.models.backbones.resnet import ResNet
from detcore.models.layers.options import check_options
from detcore.models.layers.res_blocks import RESNET_STAGES, ResidualBlock
from detcore.models.layers.res_layer import ResLayer
from detcore.registries import BACKBONES


@BACKBONES.register_module()
class ResNeXt(ResNet):
    """ResNet whose 3x3 convolutions work on groups of channels.

    Args:
        groups: number of groups (the cardinality).
        base_width: channels of a group in the first stage.
        options: the arguments of `ResNet`; `depth` is 50, 101 or 152.
    """

    arch_settings: ClassVar[Mapping[int, tuple[type[ResidualBlock], tuple[int, ...]]]] = {
        depth: RESNET_STAGES[depth] for depth in (50, 101, 152)
    }

    def __init__(self, groups: int = 1, base_width: int = 4, **options: Any) -> None:
        check_options(ResNeXt, ResNet, options)
        self.groups = groups
        self.base_width = base_width
        super().__init__(**options)

    def make_res_layer(self, **options: Any) -> nn.Module:
        """Build one stage."""
        return ResLayer(
            groups=self.groups,
            base_width=self.base_width,
            base_channels=self.base_channels,
            **options,
        )
