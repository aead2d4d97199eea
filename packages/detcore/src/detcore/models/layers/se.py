"""Squeeze-and-excitation (Hu et al., "Squeeze-and-Excitation Networks", 2017)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from cvcore.cnn import BaseModule, ConvModule
from detcore.errors import OptionError
from detcore.models.layers.init_choice import InitConfig

LayerConfig = Mapping[str, Any]
_RELU_SIGMOID: tuple[LayerConfig, LayerConfig] = ({"type": "ReLU"}, {"type": "Sigmoid"})


class SELayer(BaseModule):
    """Scales channels by what two 1x1 convolutions make of their averages.

    Args:
        channels: channels of input and output.
        ratio: `channels` over those in between.
        conv_cfg: recipe of the convolutions.
        act_cfg: recipe of both activations, or a pair.
        init_cfg: recipe of initialisation.
    """

    def __init__(
        self,
        channels: int,
        ratio: float = 16,
        conv_cfg: LayerConfig | None = None,
        act_cfg: LayerConfig | Sequence[LayerConfig] = _RELU_SIGMOID,
        init_cfg: InitConfig | None = None,
    ) -> None:
        super().__init__(init_cfg)
        recipes = (act_cfg, act_cfg) if isinstance(act_cfg, Mapping) else tuple(act_cfg)
        if len(recipes) != 2:
            raise OptionError(f"SELayer: act_cfg={act_cfg!r} must be one recipe or a pair")
        between = int(channels / ratio)
        self.global_avgpool = nn.AdaptiveAvgPool2d(1)
        self.conv1 = ConvModule(channels, between, 1, conv_cfg=conv_cfg, act_cfg=recipes[0])
        self.conv2 = ConvModule(between, channels, 1, conv_cfg=conv_cfg, act_cfg=recipes[1])

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, channels, h, w) to the same shape."""
        return x * self.conv2(self.conv1(self.global_avgpool(x)))
